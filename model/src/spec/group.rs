//! Task groups and what belongs to the group as a whole: networks, volumes, disk, disconnection.

use super::*;

spec! {
    TaskGroup {
        name: Option<String> = "Name",
        count: Option<i64> = "Count",
        constraints: List<Constraint> = "Constraints",
        affinities: List<Affinity> = "Affinities",
        tasks: List<Task> = "Tasks",
        spreads: List<Spread> = "Spreads",
        volumes: Map<Volume> = "Volumes",
        restart: Option<Restart> = "RestartPolicy",
        disconnect: Option<Disconnect> = "Disconnect",
        reschedule: Option<Reschedule> = "ReschedulePolicy",
        ephemeral_disk: Option<EphemeralDisk> = "EphemeralDisk",
        update: Option<Update> = "Update",
        migrate: Option<Migrate> = "Migrate",
        networks: List<Network> = "Networks",
        meta: Map<String> = "Meta",
        services: List<Service> = "Services",
        shutdown_delay: Option<Nanos> = "ShutdownDelay",
        stop_after_client_disconnect: Option<Nanos> = "StopAfterClientDisconnect",
        max_client_disconnect: Option<Nanos> = "MaxClientDisconnect",
        max_run_duration: Option<Nanos> = "MaxRunDuration",
        scaling: Option<Scaling> = "Scaling",
        consul: Option<Consul> = "Consul",
        prevent_reschedule_on_lost: Option<bool> = "PreventRescheduleOnLost",
    }
}

spec! {
    Restart {
        attempts: Option<i64> = "Attempts",
        interval: Option<Nanos> = "Interval",
        delay: Option<Nanos> = "Delay",
        mode: Option<String> = "Mode",
        render_templates: Option<bool> = "RenderTemplates",
    }
}

spec! {
    /// What happens while and after the client is out of reach.
    Disconnect {
        lost_after: Option<Nanos> = "LostAfter",
        stop_on_client_after: Option<Nanos> = "StopOnClientAfter",
        replace: Option<bool> = "Replace",
        reconcile: Option<String> = "Reconcile",
    }
}

spec! {
    EphemeralDisk {
        sticky: Option<bool> = "Sticky",
        size_mb: Option<i64> = "SizeMB",
        migrate: Option<bool> = "Migrate",
    }
}

spec! {
    Network {
        mode: String = "Mode",
        device: String = "Device",
        cidr: String = "CIDR",
        ip: String = "IP",
        hostname: String = "Hostname",
        mbits: Option<i64> = "MBits",
        dns: Option<Dns> = "DNS",
        cni: Option<Cni> = "CNI",
        reserved_ports: List<Port> = "ReservedPorts",
        dynamic_ports: List<Port> = "DynamicPorts",
    }
}

spec! {
    Dns {
        servers: List<String> = "Servers",
        searches: List<String> = "Searches",
        options: List<String> = "Options",
    }
}

spec! {
    Cni {
        args: Map<String> = "Args",
    }
}

spec! {
    Port {
        label: String = "Label",
        value: i64 = "Value",
        to: i64 = "To",
        host_network: String = "HostNetwork",
        ignore_collision: bool = "IgnoreCollision",
    }
}

spec! {
    /// A volume that the group asks for.
    Volume {
        name: String = "Name",
        kind: String = "Type",
        source: String = "Source",
        read_only: bool = "ReadOnly",
        sticky: bool = "Sticky",
        access_mode: String = "AccessMode",
        attachment_mode: String = "AttachmentMode",
        mount_options: Option<MountOptions> = "MountOptions",
        per_alloc: bool = "PerAlloc",
    }
}

spec! {
    MountOptions {
        fs_type: String = "FSType",
        mount_flags: List<String> = "MountFlags",
    }
}

spec! {
    /// Which Consul cluster, namespace and partition.
    Consul {
        namespace: String = "Namespace",
        cluster: String = "Cluster",
        partition: String = "Partition",
    }
}
