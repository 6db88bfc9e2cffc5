//! What a task asks for.

use serde::{Deserialize, Serialize};

use super::{Affinity, Constraint, NetworkResource};
use crate::{json::List, spec};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    #[serde(rename = "CPU")]
    pub cpu_mhz: u32,
    /// Whole cores for this task alone; `cpu_mhz` then counts for nothing.
    #[serde(rename = "Cores")]
    pub cores: u32,
    #[serde(rename = "MemoryMB")]
    pub memory_mib: u32,
    /// What the task may use when the node has it to spare; 0 is the same as `memory_mib`.
    #[serde(rename = "MemoryMaxMB")]
    pub memory_max_mib: u32,
    #[serde(rename = "DiskMB")]
    pub disk_mib: u32,
    #[serde(rename = "IOPS")]
    pub iops: u32,
    #[serde(rename = "Networks")]
    pub networks: List<NetworkResource>,
    #[serde(rename = "Devices")]
    pub devices: List<RequestedDevice>,
    #[serde(rename = "NUMA")]
    pub numa: Option<spec::Numa>,
    #[serde(rename = "SecretsMB")]
    pub secrets_mib: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpu_mhz: 100,
            cores: 0,
            memory_mib: 300,
            memory_max_mib: 0,
            disk_mib: 0,
            iops: 0,
            networks: List::default(),
            devices: List::default(),
            numa: None,
            secrets_mib: 0,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestedDevice {
    /// `type`, `vendor/type` or `vendor/type/name`.
    pub name: String,
    pub count: u64,
    pub constraints: List<Constraint>,
    pub affinities: List<Affinity>,
}
