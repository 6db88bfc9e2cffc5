//! Namespaces, node pools, quotas and volumes.

use super::*;

pub(crate) static NAMESPACE: Schema = block(
    &[text("name", "Name"), text("description", "Description"), text("quota", "Quota")],
    &[
        text_map("meta", "Meta"),
        one("capabilities", "Capabilities", &CAPABILITIES),
        one("node_pool_config", "NodePoolConfiguration", &CHOICE),
        one("vault", "VaultConfiguration", &CHOICE),
        one("consul", "ConsulConfiguration", &CHOICE),
    ],
);

static CAPABILITIES: Schema = block(
    &[
        texts("enabled_task_drivers", "EnabledTaskDrivers"),
        texts("disabled_task_drivers", "DisabledTaskDrivers"),
        texts("enabled_network_modes", "EnabledNetworkModes"),
        texts("disabled_network_modes", "DisabledNetworkModes"),
    ],
    &[],
);

static CHOICE: Schema = block(&[text("default", "Default"), texts("allowed", "Allowed"), texts("denied", "Denied")], &[]);

/// A file, in which there is one.
pub(crate) static NODE_POOLS: Schema = block(&[], &[labelled("node_pool", "Pools", "Name", &NODE_POOL)]);

static NODE_POOL: Schema = block(
    &[text("description", "Description"), duration("node_identity_ttl", "NodeIdentityTTL")],
    &[text_map("meta", "Meta"), one("scheduler_config", "SchedulerConfiguration", &POOL_SCHEDULER)],
);

static POOL_SCHEDULER: Schema = block(
    &[text("scheduler_algorithm", "SchedulerAlgorithm"), boolean("memory_oversubscription_enabled", "MemoryOversubscriptionEnabled")],
    &[],
);

pub(crate) static QUOTA: Schema =
    block(&[text("name", "Name"), text("description", "Description")], &[many("limit", "Limits", &QUOTA_LIMIT)]);

static QUOTA_LIMIT: Schema =
    block(&[text("region", "Region"), int("variables_limit", "VariablesLimit")], &[one("region_limit", "RegionLimit", &REGION_LIMIT)]);

static REGION_LIMIT: Schema = block(
    &[int("cpu", "CPU"), int("cores", "Cores"), int("memory", "MemoryMB"), int("memory_max", "MemoryMaxMB")],
    &[labelled("device", "Devices", "Name", &DEVICE_LIMIT), one("storage", "Storage", &STORAGE_LIMIT)],
);

static DEVICE_LIMIT: Schema = block(&[int("count", "Count")], &[]);

static STORAGE_LIMIT: Schema = block(&[int("variables", "VariablesMB")], &[]);

pub(crate) static HOST_VOLUME: Schema = block(
    &[
        text("id", "ID"),
        text("name", "Name"),
        text("type", "Type"),
        text("namespace", "Namespace"),
        text("plugin_id", "PluginID"),
        text("node_id", "NodeID"),
        text("node_pool", "NodePool"),
        text("host_path", "HostPath"),
        text("capacity", "@capacity"),
        text("capacity_min", "@capacity_min"),
        text("capacity_max", "@capacity_max"),
    ],
    &[
        many("capability", "RequestedCapabilities", &CAPABILITY),
        many("constraint", "Constraints", &job::CONSTRAINT),
        text_map("parameters", "Parameters"),
    ],
);

/// What is written as a size, and where it goes as bytes.
pub(crate) const CAPACITIES: [(&str, &str); 3] =
    [("@capacity", "CapacityBytes"), ("@capacity_min", "RequestedCapacityMinBytes"), ("@capacity_max", "RequestedCapacityMaxBytes")];

static CAPABILITY: Schema = block(&[text("access_mode", "AccessMode"), text("attachment_mode", "AttachmentMode")], &[]);
