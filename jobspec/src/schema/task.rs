//! Tasks.

use super::{group::*, job::*, *};

pub(super) static TASK: Schema = Schema {
    arguments: &[
        text("driver", "Driver"),
        text("user", "User"),
        text("kind", "Kind"),
        boolean("leader", "Leader"),
        duration("kill_timeout", "KillTimeout"),
        text("kill_signal", "KillSignal"),
        duration("shutdown_delay", "ShutdownDelay"),
    ],
    blocks: &[
        free("config", "Config"),
        text_map("env", "Env"),
        text_map("meta", "Meta"),
        many("constraint", "Constraints", &CONSTRAINT),
        many("affinity", "Affinities", &AFFINITY),
        one("resources", "Resources", &RESOURCES),
        one("logs", "LogConfig", &LOGS),
        one("restart", "RestartPolicy", &RESTART),
        many("template", "Templates", &TEMPLATE),
        many("artifact", "Artifacts", &ARTIFACT),
        one("vault", "Vault", &VAULT),
        one("consul", "Consul", &CONSUL),
        many("identity", "@identities", &IDENTITY),
        many("service", "Services", &service::SERVICE),
        many("volume_mount", "VolumeMounts", &VOLUME_MOUNT),
        one("lifecycle", "Lifecycle", &LIFECYCLE),
        one("dispatch_payload", "DispatchPayload", &DISPATCH_PAYLOAD),
        one("csi_plugin", "CSIPluginConfig", &CSI_PLUGIN),
        labelled("scaling", "ScalingPolicies", "@resource", &TASK_SCALING),
        labelled("action", "Actions", "Name", &ACTION),
        one("schedule", "Schedule", &SCHEDULE),
        labelled("secret", "Secrets", "Name", &SECRET),
    ],
    finish: Some(finish::task),
};

pub(super) static RESOURCES: Schema = block(
    &[
        int("cpu", "CPU"),
        int("cores", "Cores"),
        int("memory", "MemoryMB"),
        int("memory_max", "MemoryMaxMB"),
        int("disk", "DiskMB"),
        int("secrets", "SecretsMB"),
        int("iops", "IOPS"),
    ],
    &[many("network", "Networks", &NETWORK), labelled("device", "Devices", "Name", &DEVICE), one("numa", "NUMA", &NUMA)],
);

static DEVICE: Schema =
    block(&[int("count", "Count")], &[many("constraint", "Constraints", &CONSTRAINT), many("affinity", "Affinities", &AFFINITY)]);

static NUMA: Schema = block(&[text("affinity", "Affinity"), texts("devices", "Devices")], &[]);

pub(super) static LOGS: Schema = block(
    &[int("max_files", "MaxFiles"), int("max_file_size", "MaxFileSizeMB"), boolean("enabled", "Enabled"), boolean("disabled", "Disabled")],
    &[],
);

static TEMPLATE: Schema = Schema {
    arguments: &[
        text("source", "SourcePath"),
        text("destination", "DestPath"),
        text("data", "EmbeddedTmpl"),
        text("change_mode", "ChangeMode"),
        text("change_signal", "ChangeSignal"),
        duration("splay", "Splay"),
        text("perms", "Perms"),
        int("uid", "Uid"),
        int("gid", "Gid"),
        text("left_delimiter", "LeftDelim"),
        text("right_delimiter", "RightDelim"),
        boolean("env", "Envvars"),
        duration("vault_grace", "VaultGrace"),
        boolean("error_on_missing_key", "ErrMissingKey"),
        boolean("once", "Once"),
        text("engine", "Engine"),
    ],
    blocks: &[one("change_script", "ChangeScript", &CHANGE_SCRIPT), one("wait", "Wait", &WAIT)],
    finish: Some(finish::template),
};

static CHANGE_SCRIPT: Schema = block(
    &[
        text("command", "Command"),
        texts("args", "Args"),
        duration("timeout", "Timeout"),
        boolean("fail_on_error", "FailOnError"),
        boolean("run_on_first_render", "RunOnFirstRender"),
    ],
    &[],
);

static WAIT: Schema = block(&[duration("min", "Min"), duration("max", "Max")], &[]);

static ARTIFACT: Schema = block(
    &[
        text("source", "GetterSource"),
        text("destination", "RelativeDest"),
        text("mode", "GetterMode"),
        boolean("insecure", "GetterInsecure"),
        boolean("chown", "Chown"),
    ],
    &[text_map("options", "GetterOptions"), text_map("headers", "GetterHeaders")],
);

pub(super) static VAULT: Schema = Schema {
    arguments: &[
        text("role", "Role"),
        texts("policies", "Policies"),
        text("namespace", "Namespace"),
        text("cluster", "Cluster"),
        boolean("env", "Env"),
        boolean("disable_file", "DisableFile"),
        text("change_mode", "ChangeMode"),
        text("change_signal", "ChangeSignal"),
        boolean("allow_token_expiration", "AllowTokenExpiration"),
    ],
    blocks: &[],
    finish: Some(finish::vault),
};

pub(super) static IDENTITY: Schema = block(
    &[
        text("name", "Name"),
        texts("aud", "Audience"),
        text("change_mode", "ChangeMode"),
        text("change_signal", "ChangeSignal"),
        boolean("env", "Env"),
        boolean("file", "File"),
        text("filepath", "Filepath"),
        text("service_name", "ServiceName"),
        duration("ttl", "TTL"),
    ],
    &[text_map("extra_claims", "ExtraClaims")],
);

pub(super) static VOLUME_MOUNT: Schema = block(
    &[
        text("volume", "Volume"),
        text("destination", "Destination"),
        boolean("read_only", "ReadOnly"),
        text("propagation_mode", "PropagationMode"),
        text("selinux_label", "SELinuxLabel"),
    ],
    &[],
);

static LIFECYCLE: Schema = block(&[text("hook", "Hook"), boolean("sidecar", "Sidecar")], &[]);

static DISPATCH_PAYLOAD: Schema = block(&[text("file", "File")], &[]);

static CSI_PLUGIN: Schema = block(
    &[
        text("id", "ID"),
        text("type", "Type"),
        text("mount_dir", "MountDir"),
        text("stage_publish_base_dir", "StagePublishBaseDir"),
        duration("health_timeout", "HealthTimeout"),
    ],
    &[],
);

static TASK_SCALING: Schema = Schema {
    arguments: &[boolean("enabled", "Enabled"), int("min", "Min"), int("max", "Max"), text("type", "Type")],
    blocks: &[free("policy", "Policy")],
    finish: Some(finish::task_scaling),
};

static ACTION: Schema = block(&[text("command", "Command"), texts("args", "Args")], &[]);

static SCHEDULE: Schema = block(&[], &[one("cron", "Cron", &SCHEDULE_CRON)]);

static SCHEDULE_CRON: Schema = block(&[text("start", "Start"), text("end", "End"), text("timezone", "Timezone")], &[]);

pub(super) static SECRET: Schema =
    block(&[text("provider", "Provider"), text("path", "Path")], &[free("config", "Config"), text_map("env", "Env")]);
