//! Tasks and their blocks.

use super::*;

spec! {
    Task {
        name: String = "Name",
        driver: String = "Driver",
        user: String = "User",
        lifecycle: Option<Lifecycle> = "Lifecycle",
        config: Map<Value> = "Config",
        constraints: List<Constraint> = "Constraints",
        affinities: List<Affinity> = "Affinities",
        env: Map<String> = "Env",
        services: List<Service> = "Services",
        resources: Option<Resources> = "Resources",
        restart: Option<Restart> = "RestartPolicy",
        meta: Map<String> = "Meta",
        kill_timeout: Option<Nanos> = "KillTimeout",
        log_config: Option<LogConfig> = "LogConfig",
        artifacts: List<Artifact> = "Artifacts",
        vault: Option<Vault> = "Vault",
        consul: Option<Consul> = "Consul",
        templates: List<Template> = "Templates",
        dispatch_payload: Option<DispatchPayload> = "DispatchPayload",
        volume_mounts: List<VolumeMount> = "VolumeMounts",
        #[serde(skip_serializing_if = "Option::is_none")]
        csi_plugin: Option<CsiPlugin> = "CSIPluginConfig",
        leader: bool = "Leader",
        shutdown_delay: Nanos = "ShutdownDelay",
        kill_signal: String = "KillSignal",
        kind: String = "Kind",
        scaling_policies: List<Scaling> = "ScalingPolicies",
        secrets: List<Secret> = "Secrets",
        identity: Option<Identity> = "Identity",
        identities: List<Identity> = "Identities",
        actions: List<Action> = "Actions",
        schedule: Option<Schedule> = "Schedule",
    }
}

spec! {
    Lifecycle {
        hook: String = "Hook",
        sidecar: bool = "Sidecar",
    }
}

spec! {
    Resources {
        cpu: Option<i64> = "CPU",
        cores: Option<i64> = "Cores",
        memory_mb: Option<i64> = "MemoryMB",
        memory_max_mb: Option<i64> = "MemoryMaxMB",
        disk_mb: Option<i64> = "DiskMB",
        networks: List<Network> = "Networks",
        devices: List<Device> = "Devices",
        numa: Option<Numa> = "NUMA",
        secrets_mb: Option<i64> = "SecretsMB",
        iops: Option<i64> = "IOPS",
    }
}

spec! {
    Device {
        name: String = "Name",
        count: Option<i64> = "Count",
        constraints: List<Constraint> = "Constraints",
        affinities: List<Affinity> = "Affinities",
    }
}

spec! {
    Numa {
        affinity: String = "Affinity",
        devices: List<String> = "Devices",
    }
}

spec! {
    LogConfig {
        max_files: Option<i64> = "MaxFiles",
        max_file_size_mb: Option<i64> = "MaxFileSizeMB",
        enabled: Option<bool> = "Enabled",
        disabled: Option<bool> = "Disabled",
    }
}

spec! {
    Artifact {
        source: Option<String> = "GetterSource",
        options: Map<String> = "GetterOptions",
        headers: Map<String> = "GetterHeaders",
        mode: Option<String> = "GetterMode",
        insecure: Option<bool> = "GetterInsecure",
        destination: Option<String> = "RelativeDest",
        chown: bool = "Chown",
    }
}

spec! {
    Vault {
        policies: List<String> = "Policies",
        role: String = "Role",
        namespace: Option<String> = "Namespace",
        cluster: String = "Cluster",
        env: Option<bool> = "Env",
        disable_file: Option<bool> = "DisableFile",
        change_mode: Option<String> = "ChangeMode",
        change_signal: Option<String> = "ChangeSignal",
        allow_token_expiration: Option<bool> = "AllowTokenExpiration",
    }
}

spec! {
    Template {
        source: Option<String> = "SourcePath",
        destination: Option<String> = "DestPath",
        data: Option<String> = "EmbeddedTmpl",
        change_mode: Option<String> = "ChangeMode",
        change_script: Option<ChangeScript> = "ChangeScript",
        change_signal: Option<String> = "ChangeSignal",
        splay: Option<Nanos> = "Splay",
        perms: Option<String> = "Perms",
        uid: Option<i64> = "Uid",
        gid: Option<i64> = "Gid",
        left_delimiter: Option<String> = "LeftDelim",
        right_delimiter: Option<String> = "RightDelim",
        env: Option<bool> = "Envvars",
        vault_grace: Option<Nanos> = "VaultGrace",
        wait: Option<Wait> = "Wait",
        error_on_missing_key: Option<bool> = "ErrMissingKey",
        once: Option<bool> = "Once",
        /// The language of the text; `gotemplate` when absent. Not part of the incumbent's job, so it is printed only when given.
        #[serde(skip_serializing_if = "Option::is_none")]
        engine: Option<String> = "Engine",
    }
}

spec! {
    ChangeScript {
        command: Option<String> = "Command",
        args: List<String> = "Args",
        timeout: Option<Nanos> = "Timeout",
        fail_on_error: bool = "FailOnError",
        run_on_first_render: bool = "RunOnFirstRender",
    }
}

spec! {
    Wait {
        min: Option<Nanos> = "Min",
        max: Option<Nanos> = "Max",
    }
}

spec! {
    DispatchPayload {
        file: String = "File",
    }
}

spec! {
    VolumeMount {
        volume: Option<String> = "Volume",
        destination: Option<String> = "Destination",
        read_only: Option<bool> = "ReadOnly",
        propagation_mode: Option<String> = "PropagationMode",
        selinux_label: Option<String> = "SELinuxLabel",
    }
}

spec! {
    CsiPlugin {
        id: String = "ID",
        kind: String = "Type",
        mount_dir: String = "MountDir",
        stage_publish_base_dir: String = "StagePublishBaseDir",
        health_timeout: Nanos = "HealthTimeout",
    }
}

spec! {
    Secret {
        name: String = "Name",
        provider: String = "Provider",
        path: String = "Path",
        config: Map<Value> = "Config",
        env: Map<String> = "Env",
    }
}

spec! {
    /// A workload identity: a signed token that says who the task or service is.
    Identity {
        name: String = "Name",
        audience: List<String> = "Audience",
        change_mode: String = "ChangeMode",
        change_signal: String = "ChangeSignal",
        env: bool = "Env",
        file: bool = "File",
        filepath: String = "Filepath",
        service_name: String = "ServiceName",
        ttl: Nanos = "TTL",
        extra_claims: Map<String> = "ExtraClaims",
    }
}

spec! {
    Action {
        name: String = "Name",
        command: String = "Command",
        args: List<String> = "Args",
    }
}

spec! {
    Schedule {
        cron: Option<ScheduleCron> = "Cron",
    }
}

spec! {
    ScheduleCron {
        start: String = "Start",
        end: String = "End",
        time_zone: String = "Timezone",
    }
}
