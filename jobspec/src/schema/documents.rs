//! Namespaces and node pools.

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
