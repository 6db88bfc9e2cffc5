//! A machine that runs a client.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{KeyId, Name, NodeId, optional},
    job::NetworkResource,
    json::List,
    resources::Amounts,
    secret::SecretText,
    time::{Rfc3339, nanos},
    volume::Capability,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    #[default]
    Initializing,
    Ready,
    Down,
    Disconnected,
}

impl NodeStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Ready => "ready",
            Self::Down => "down",
            Self::Disconnected => "disconnected",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Eligibility {
    #[default]
    Eligible,
    Ineligible,
}

impl Eligibility {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Ineligible => "ineligible",
        }
    }
}

/// The newest events of a node that are kept.
pub const MAX_NODE_EVENTS: usize = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    #[serde(rename = "ID")]
    pub id: NodeId,
    /// Known to the node alone; proves that a request comes from it.
    #[serde(rename = "SecretID")]
    pub secret_id: SecretText,
    #[serde(rename = "Datacenter")]
    pub datacenter: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "HTTPAddr")]
    pub http_addr: String,
    #[serde(rename = "TLSEnabled")]
    pub tls_enabled: bool,
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
    #[serde(rename = "NodeResources")]
    pub resources: NodeResources,
    #[serde(rename = "ReservedResources")]
    pub reserved: ReservedResources,
    #[serde(rename = "Links")]
    pub links: BTreeMap<String, String>,
    #[serde(rename = "Meta")]
    pub meta: BTreeMap<String, String>,
    #[serde(rename = "CgroupParent")]
    pub cgroup_parent: String,
    #[serde(rename = "NodeClass")]
    pub node_class: String,
    #[serde(rename = "NodePool")]
    pub node_pool: String,
    #[serde(rename = "NodeMaxAllocs")]
    pub max_allocs: u32,
    /// Equal for nodes that no constraint can tell apart, but by what is unique to a node.
    #[serde(rename = "ComputedClass")]
    pub computed_class: String,
    #[serde(rename = "DrainStrategy")]
    pub drain: Option<DrainStrategy>,
    #[serde(rename = "SchedulingEligibility")]
    pub eligibility: Eligibility,
    #[serde(rename = "Status")]
    pub status: NodeStatus,
    #[serde(rename = "StatusDescription")]
    pub status_description: String,
    /// Unix seconds.
    #[serde(rename = "StatusUpdatedAt")]
    pub status_updated_at: i64,
    #[serde(rename = "Events")]
    pub events: List<NodeEvent>,
    #[serde(rename = "Drivers")]
    pub drivers: BTreeMap<String, DriverInfo>,
    #[serde(rename = "HostVolumes")]
    pub host_volumes: BTreeMap<String, HostVolume>,
    #[serde(rename = "HostNetworks")]
    pub host_networks: Option<BTreeMap<String, HostNetwork>>,
    #[serde(rename = "LastDrain")]
    pub last_drain: Option<LastDrain>,
    #[serde(rename = "LastMissedHeartbeatIndex")]
    pub last_missed_heartbeat_index: u64,
    #[serde(rename = "LastAllocUpdateIndex")]
    pub last_alloc_update_index: u64,
    #[serde(rename = "IdentitySigningKeyID", with = "optional")]
    pub identity_signing_key_id: Option<KeyId>,
    #[serde(rename = "GCVolumesOnNodeGC")]
    pub gc_volumes_on_node_gc: bool,
    #[serde(rename = "CSIControllerPlugins")]
    pub csi_controller_plugins: BTreeMap<String, serde_json::Value>,
    #[serde(rename = "CSINodePlugins")]
    pub csi_node_plugins: BTreeMap<String, serde_json::Value>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            id: NodeId::from_random([0; 16]),
            secret_id: SecretText::default(),
            datacenter: "dc1".to_owned(),
            name: String::new(),
            http_addr: String::new(),
            tls_enabled: false,
            attributes: BTreeMap::new(),
            resources: NodeResources::default(),
            reserved: ReservedResources::default(),
            links: BTreeMap::new(),
            meta: BTreeMap::new(),
            cgroup_parent: String::new(),
            node_class: String::new(),
            node_pool: "default".to_owned(),
            max_allocs: 0,
            computed_class: String::new(),
            drain: None,
            eligibility: Eligibility::Eligible,
            status: NodeStatus::Initializing,
            status_description: String::new(),
            status_updated_at: 0,
            events: List::default(),
            drivers: BTreeMap::new(),
            host_volumes: BTreeMap::new(),
            host_networks: None,
            last_drain: None,
            last_missed_heartbeat_index: 0,
            last_alloc_update_index: 0,
            identity_signing_key_id: None,
            gc_volumes_on_node_gc: false,
            csi_controller_plugins: BTreeMap::new(),
            csi_node_plugins: BTreeMap::new(),
            create_index: 0,
            modify_index: 0,
        }
    }
}

impl Node {
    /// Whether new work may be placed here.
    pub fn is_schedulable(&self) -> bool {
        self.status == NodeStatus::Ready && self.drain.is_none() && self.eligibility == Eligibility::Eligible
    }

    /// What jobs may use in all: the machine's resources less what its operator reserved.
    pub fn capacity(&self) -> Amounts {
        let all = Amounts {
            cpu_mhz: self.resources.cpu.cpu_mhz,
            memory_mib: self.resources.memory.memory_mib,
            memory_max_mib: self.resources.memory.memory_mib,
            disk_mib: self.resources.disk.disk_mib,
        };
        all.minus(Amounts {
            cpu_mhz: self.reserved.cpu.cpu_mhz,
            memory_mib: self.reserved.memory.memory_mib,
            memory_max_mib: self.reserved.memory.memory_mib,
            disk_mib: self.reserved.disk.disk_mib,
        })
    }

    /// The class that nodes share which differ only in what is unique to them. Set by the servers at registration.
    pub fn compute_class(&mut self) {
        let mut hash = Fnv::default();
        for text in [&self.datacenter, &self.node_class, &self.node_pool] {
            hash.write(text);
        }
        for (prefix, map) in [("attr", &self.attributes), ("meta", &self.meta)] {
            for (key, value) in map.iter().filter(|(key, _)| !key.starts_with("unique.")) {
                hash.write(prefix);
                hash.write(key);
                hash.write(value);
            }
        }
        for (name, driver) in &self.drivers {
            hash.write(name);
            hash.write(if driver.detected && driver.healthy { "1" } else { "0" });
        }
        for (name, volume) in self.host_volumes.iter().filter(|(_, volume)| !volume.is_dynamic()) {
            hash.write(name);
            hash.write(if volume.read_only { "ro" } else { "rw" });
        }
        self.computed_class = format!("v1:{}", hash.0);
    }
}

/// FNV-1a: the class has to be the same on every server and in every version, which std's hasher does not promise.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeResources {
    pub cpu: NodeCpu,
    pub memory: NodeMemory,
    pub disk: NodeDisk,
    pub networks: List<NetworkResource>,
    pub node_networks: List<NodeNetwork>,
    pub devices: List<serde_json::Value>,
    pub processors: Processors,
    pub min_dynamic_port: u16,
    pub max_dynamic_port: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeCpu {
    #[serde(rename = "CpuShares")]
    pub cpu_mhz: u64,
    #[serde(rename = "TotalCpuCores")]
    pub total_cores: u16,
    #[serde(rename = "ReservableCpuCores")]
    pub reservable_cores: List<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeMemory {
    #[serde(rename = "MemoryMB")]
    pub memory_mib: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeDisk {
    #[serde(rename = "DiskMB")]
    pub disk_mib: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeNetwork {
    pub mode: String,
    pub device: String,
    pub mac_address: String,
    pub speed: u32,
    pub addresses: List<NodeAddress>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeAddress {
    pub family: String,
    pub alias: String,
    pub address: String,
    pub reserved_ports: String,
    pub gateway: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Processors {
    pub topology: serde_json::Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReservedResources {
    pub cpu: ReservedCpu,
    pub memory: NodeMemory,
    pub disk: NodeDisk,
    pub networks: ReservedNetworks,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReservedCpu {
    #[serde(rename = "CpuShares")]
    pub cpu_mhz: u64,
    #[serde(rename = "ReservedCpuCores")]
    pub reserved_cores: List<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReservedNetworks {
    /// `22,80,8000-8080`.
    pub reserved_host_ports: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DriverInfo {
    pub attributes: BTreeMap<String, String>,
    pub detected: bool,
    pub healthy: bool,
    pub health_description: String,
    pub update_time: Rfc3339,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostVolume {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Path")]
    pub path: String,
    #[serde(rename = "ReadOnly")]
    pub read_only: bool,
    /// Whose jobs may use it; empty: all.
    #[serde(rename = "Namespace", skip_serializing_if = "is_empty_name")]
    pub namespace: Name,
    /// How it may be used. Empty for those of the client's configuration, which anybody may use in any way.
    #[serde(rename = "Capabilities", skip_serializing_if = "no_capabilities")]
    pub capabilities: List<Capability>,
}

fn no_capabilities(capabilities: &List<Capability>) -> bool {
    capabilities.is_empty()
}

fn is_empty_name(name: &Name) -> bool {
    name.is_empty()
}

impl HostVolume {
    /// Whether it was made or registered while the cluster runs, and is not of the client's configuration.
    pub fn is_dynamic(&self) -> bool {
        !self.id.is_empty()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostNetwork {
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "CIDR")]
    pub cidr: String,
    #[serde(rename = "Interface")]
    pub interface: String,
    #[serde(rename = "ReservedPorts")]
    pub reserved_ports: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeEvent {
    pub message: String,
    pub subsystem: String,
    pub details: crate::json::Map<String>,
    pub timestamp: Rfc3339,
    pub create_index: u64,
}

/// How a node is emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DrainStrategy {
    #[serde(with = "nanos")]
    pub deadline: Duration,
    /// Stop everything at once, without waiting for replacements.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    pub ignore_system_jobs: bool,
    pub force_deadline: Rfc3339,
    pub started_at: Rfc3339,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastDrain {
    #[serde(rename = "StartedAt")]
    pub started_at: Rfc3339,
    #[serde(rename = "UpdatedAt")]
    pub updated_at: Rfc3339,
    #[serde(rename = "Status")]
    pub status: String,
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    #[serde(rename = "Meta")]
    pub meta: crate::json::Map<String>,
}
