use serde_json::json;

use super::*;

/// A job that gives every block and most fields, none at its default.
fn everything() -> Value {
    let constraint = json!({"LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "!="});
    let affinity = json!({"LTarget": "${node.class}", "RTarget": "big", "Operand": "regexp", "Weight": -50});
    let network = json!({
        "Mode": "bridge", "Hostname": "h", "MBits": 5, "DNS": {"Servers": ["1.1.1.1"], "Searches": ["x"], "Options": ["o"]},
        "ReservedPorts": [{"Label": "a", "Value": 8080, "To": -1, "HostNetwork": "n", "IgnoreCollision": true}],
        "DynamicPorts": [{"Label": "b", "To": 80, "HostNetwork": "default"}],
    });
    let identity = json!({
        "Name": "vault_default", "Audience": ["vault.io"], "ChangeMode": "signal", "ChangeSignal": "SIGHUP", "Env": true, "File": true,
        "Filepath": "f", "ServiceName": "s", "TTL": 3_600_000_000_000_i64, "ExtraClaims": {"k": "v"},
    });
    let check = json!({
        "Name": "c", "Type": "tcp", "Command": "/bin/c", "Args": ["1"], "Path": "/", "Protocol": "https", "PortLabel": "a", "Expose": true,
        "AddressMode": "alloc", "Advertise": "x", "Interval": 1, "Timeout": 2, "InitialStatus": "passing", "Notes": "n",
        "TLSServerName": "t", "TLSSkipVerify": true, "Header": {"H": ["1", "2"]}, "Method": "POST",
        "CheckRestart": {"Limit": 3, "Grace": 4, "IgnoreWarnings": true}, "GRPCService": "g", "GRPCUseTLS": true, "TaskName": "t",
        "SuccessBeforePassing": 1, "FailuresBeforeCritical": 2, "FailuresBeforeWarning": 3, "Body": "b", "OnUpdate": "ignore",
    });
    let service = json!({
        "Name": "s", "Tags": ["a"], "CanaryTags": ["b"], "EnableTagOverride": true, "PortLabel": "a", "AddressMode": "driver", "Address": "x",
        "Checks": [check], "Connect": {"Native": true}, "Meta": {"k": "v"}, "CanaryMeta": {"c": "m"}, "TaggedAddresses": {"lan": "1"},
        "TaskName": "t", "OnUpdate": "ignore", "Identity": identity, "Weights": {"Passing": 3, "Warning": 2}, "Provider": "nomad",
        "Cluster": "other", "Kind": "api-gateway",
    });
    let update = json!({
        "Stagger": 1, "MaxParallel": 2, "HealthCheck": "task_states", "MinHealthyTime": 3, "HealthyDeadline": 4, "ProgressDeadline": 5,
        "Canary": 6, "AutoRevert": true, "AutoPromote": true,
    });
    let restart = json!({"Attempts": 9, "Interval": 1, "Delay": 2, "Mode": "delay", "RenderTemplates": true});
    let consul = json!({"Namespace": "n", "Cluster": "c", "Partition": "p"});
    let template = json!({
        "SourcePath": "s", "DestPath": "d", "EmbeddedTmpl": "e", "ChangeMode": "script", "ChangeSignal": "SIGUSR1", "Splay": 0, "Perms": "0600",
        "ChangeScript": {"Command": "c", "Args": ["a"], "Timeout": 5, "FailOnError": true, "RunOnFirstRender": true}, "Uid": 1, "Gid": 2,
        "LeftDelim": "<<", "RightDelim": ">>", "Envvars": true, "VaultGrace": 1, "Wait": {"Min": 1, "Max": 2}, "ErrMissingKey": true,
        "Once": true, "Engine": "handlebars",
    });
    let task = json!({
        "Name": "t", "Driver": "raw_exec", "User": "u", "Lifecycle": {"Hook": "poststop", "Sidecar": true},
        "Config": {"command": "x", "none": null, "args": [1, {"a": null}]}, "Constraints": [constraint], "Affinities": [affinity],
        "Env": {"A": "b"}, "Services": [service],
        "Resources": {
            "CPU": 7, "Cores": 2, "MemoryMB": 8, "MemoryMaxMB": 9, "DiskMB": 10, "Networks": [network], "NUMA": {"Affinity": "prefer"},
            "Devices": [{"Name": "gpu", "Count": 2, "Constraints": [constraint], "Affinities": [affinity]}], "SecretsMB": 11, "IOPS": 12,
        },
        "RestartPolicy": restart, "Meta": {"m": "n"}, "KillTimeout": 1, "LogConfig": {"MaxFiles": 1, "MaxFileSizeMB": 2, "Disabled": true},
        "Artifacts": [{
            "GetterSource": "s", "GetterOptions": {"a": "b"}, "GetterHeaders": {"h": "v"}, "GetterMode": "file", "GetterInsecure": true,
            "RelativeDest": "d", "Chown": true,
        }],
        "Vault": {
            "Policies": ["p"], "Role": "r", "Namespace": "n", "Cluster": "c", "Env": false, "DisableFile": true, "ChangeMode": "noop",
            "ChangeSignal": "SIGHUP", "AllowTokenExpiration": true,
        },
        "Consul": consul, "Templates": [template], "DispatchPayload": {"File": "f"},
        "VolumeMounts": [{"Volume": "v", "Destination": "d", "ReadOnly": true, "PropagationMode": "private", "SELinuxLabel": "z"}],
        "CSIPluginConfig": {"ID": "p", "Type": "node"}, "Leader": true, "ShutdownDelay": 3, "KillSignal": "SIGINT", "Kind": "k",
        "ScalingPolicies": [{"ID": "s", "Min": 1, "Max": 2, "Policy": {"x": null}}], "Secrets": [{"Name": "s", "Provider": "vault", "Path": "p"}],
        "Identity": identity, "Identities": [identity], "Actions": [{"Name": "a", "Command": "c", "Args": ["1"]}],
        "Schedule": {"Cron": {"Start": "s", "End": "e"}},
    });
    let group = json!({
        "Name": "g", "Count": 3, "Constraints": [constraint], "Affinities": [affinity], "Tasks": [task],
        "Spreads": [{"Attribute": "${node.datacenter}", "Weight": 60, "SpreadTarget": [{"Value": "dc1", "Percent": 70}]}],
        "Volumes": {"v": {"Name": "v", "Type": "host", "Source": "s"}}, "RestartPolicy": restart,
        "Disconnect": {"LostAfter": 1, "StopOnClientAfter": 2, "Replace": false, "Reconcile": "keep_original"},
        "ReschedulePolicy": {
            "Attempts": 1, "Interval": 2, "Delay": 3, "DelayFunction": "fibonacci", "MaxDelay": 4, "Unlimited": false,
        },
        "EphemeralDisk": {"Sticky": true, "SizeMB": 101, "Migrate": true}, "Update": update,
        "Migrate": {"MaxParallel": 2, "HealthCheck": "task_states", "MinHealthyTime": 3, "HealthyDeadline": 4}, "Networks": [network],
        "Meta": {"g": "m"}, "Services": [service], "ShutdownDelay": 5, "StopAfterClientDisconnect": 6, "MaxClientDisconnect": 7,
        "MaxRunDuration": 8, "Scaling": {"Min": 1, "Max": 4, "Enabled": true}, "Consul": consul, "PreventRescheduleOnLost": true,
    });
    json!({
        "Region": "r", "Namespace": "n", "ID": "id", "ParentID": "p", "Name": "name", "Type": "batch", "Priority": 70, "AllAtOnce": true,
        "Datacenters": ["dc1"], "NodePool": "pool", "Constraints": [constraint], "Affinities": [affinity], "TaskGroups": [group],
        "Update": update, "Multiregion": {"Strategy": {"MaxParallel": 1}}, "Meta": {"k": "v"}, "UI": {"Description": "d"}, "Stop": true,
        "Spreads": [{"Attribute": "${node.class}", "Weight": 1}], "ConsulNamespace": "cn", "VaultNamespace": "vn",
        "Periodic": {"Enabled": true, "Spec": "s", "Specs": ["t"], "SpecType": "cron", "ProhibitOverlap": true, "TimeZone": "UTC"},
        "ParameterizedJob": {"Payload": "required", "MetaRequired": ["a"], "MetaOptional": ["b"]},
    })
}

/// Both forms of a job have the same keys, so JSON shows whether anything was lost or swapped on the way.
#[test]
fn every_field_finds_its_place() {
    let given = everything();
    let spec: JobSpec = serde_json::from_value(given.clone()).unwrap();
    let job = settle(spec).unwrap();
    let direct: Job = serde_json::from_value(given).unwrap();
    assert_eq!(job, direct);
}

#[test]
fn an_absent_value_leaves_the_default() {
    assert_eq!(settle(JobSpec::default()).unwrap(), Job::default());
}

#[test]
fn a_value_that_does_not_fit_is_named() {
    for (path, value, error) in [
        ("/TaskGroups/0/Count", json!(-1), "task_groups: count: -1 is not within 0 to 4294967295"),
        ("/TaskGroups/0/Tasks/0/Resources/MemoryMB", json!(1_i64 << 40), "task_groups: tasks: resources: memory_mb: 1099511627776 is not"),
        (
            "/TaskGroups/0/RestartPolicy/Mode",
            json!("never"),
            "task_groups: restart: mode: unknown variant `never`, expected `delay` or `fail`",
        ),
    ] {
        let mut given = everything();
        *given.pointer_mut(path).unwrap() = value;
        let misfit = settle(serde_json::from_value(given).unwrap()).unwrap_err().to_string();
        assert!(misfit.starts_with(error), "{misfit}");
    }
}
