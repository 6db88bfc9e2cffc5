//! Task groups.

use super::{job::*, *};

pub(super) static GROUP: Schema = Schema {
    arguments: &[
        int("count", "Count"),
        duration("shutdown_delay", "ShutdownDelay"),
        duration("stop_after_client_disconnect", "StopAfterClientDisconnect"),
        duration("max_client_disconnect", "MaxClientDisconnect"),
        duration("max_run_duration", "MaxRunDuration"),
        boolean("prevent_reschedule_on_lost", "PreventRescheduleOnLost"),
    ],
    blocks: &[
        text_map("meta", "Meta"),
        many("constraint", "Constraints", &CONSTRAINT),
        many("affinity", "Affinities", &AFFINITY),
        many("spread", "Spreads", &SPREAD),
        one("restart", "RestartPolicy", &RESTART),
        one("reschedule", "ReschedulePolicy", &RESCHEDULE),
        one("update", "Update", &UPDATE),
        one("migrate", "Migrate", &MIGRATE),
        one("disconnect", "Disconnect", &DISCONNECT),
        one("ephemeral_disk", "EphemeralDisk", &EPHEMERAL_DISK),
        many("network", "Networks", &NETWORK),
        many("service", "Services", &service::SERVICE),
        Nested { name: "volume", key: "Volumes", arity: Arity::Named, label: Some("Name"), shape: Shape::Block(&VOLUME) },
        one("consul", "Consul", &CONSUL),
        one("scaling", "Scaling", &SCALING),
        labelled("task", "Tasks", "Name", &task::TASK),
        one("vault", "@vault", &task::VAULT),
        labelled("secret", "@secrets", "Name", &task::SECRET),
    ],
    finish: Some(finish::group),
};

pub(super) static RESTART: Schema = block(
    &[
        int("attempts", "Attempts"),
        duration("interval", "Interval"),
        duration("delay", "Delay"),
        text("mode", "Mode"),
        boolean("render_templates", "RenderTemplates"),
    ],
    &[],
);

static DISCONNECT: Schema = block(
    &[
        duration("lost_after", "LostAfter"),
        duration("stop_on_client_after", "StopOnClientAfter"),
        boolean("replace", "Replace"),
        text("reconcile", "Reconcile"),
    ],
    &[],
);

static EPHEMERAL_DISK: Schema = block(&[int("size", "SizeMB"), boolean("sticky", "Sticky"), boolean("migrate", "Migrate")], &[]);

pub(super) static NETWORK: Schema = Schema {
    arguments: &[
        text("mode", "Mode"),
        text("device", "Device"),
        text("cidr", "CIDR"),
        text("ip", "IP"),
        text("hostname", "Hostname"),
        int("mbits", "MBits"),
    ],
    blocks: &[one("dns", "DNS", &DNS), one("cni", "CNI", &CNI), labelled("port", "@ports", "Label", &PORT)],
    finish: Some(finish::network),
};

static DNS: Schema = block(&[texts("servers", "Servers"), texts("searches", "Searches"), texts("options", "Options")], &[]);

static CNI: Schema = block(&[], &[text_map("args", "Args")]);

static PORT: Schema = block(
    &[int("static", "Value"), int("to", "To"), text("host_network", "HostNetwork"), boolean("ignore_collision", "IgnoreCollision")],
    &[],
);

static VOLUME: Schema = block(
    &[
        text("type", "Type"),
        text("source", "Source"),
        boolean("read_only", "ReadOnly"),
        boolean("sticky", "Sticky"),
        text("access_mode", "AccessMode"),
        text("attachment_mode", "AttachmentMode"),
        boolean("per_alloc", "PerAlloc"),
    ],
    &[one("mount_options", "MountOptions", &MOUNT_OPTIONS)],
);

static MOUNT_OPTIONS: Schema = block(&[text("fs_type", "FSType"), texts("mount_flags", "MountFlags")], &[]);

pub(super) static CONSUL: Schema =
    block(&[text("namespace", "Namespace"), text("cluster", "Cluster"), text("partition", "Partition")], &[]);

static SCALING: Schema = Schema {
    arguments: &[boolean("enabled", "Enabled"), int("min", "Min"), int("max", "Max"), text("type", "Type")],
    blocks: &[free("policy", "Policy")],
    finish: Some(finish::group_scaling),
};
