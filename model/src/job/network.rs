//! Networks and ports, as asked for (in a job) and as given (in an allocation).

use serde::{Deserialize, Serialize};

use crate::json::List;

fn is_zero(value: &i64) -> bool {
    *value == 0
}
fn is_zero_u16(value: &u16) -> bool {
    *value == 0
}
fn is_false(value: &bool) -> bool {
    !value
}
fn none<T>(list: &List<T>) -> bool {
    list.is_empty()
}

/// How tasks see the network, by its submitted word: empty or `host`, `bridge`, `none`, `cni/NAME`.
pub type NetworkMode = String;

/// A network of a group (asked for) or of a node or allocation (given). Absent parts are left out, as the API does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkResource {
    #[serde(rename = "Mode", skip_serializing_if = "String::is_empty")]
    pub mode: NetworkMode,
    #[serde(rename = "Device", skip_serializing_if = "String::is_empty")]
    pub device: String,
    #[serde(rename = "CIDR", skip_serializing_if = "String::is_empty")]
    pub cidr: String,
    #[serde(rename = "IP", skip_serializing_if = "String::is_empty")]
    pub ip: String,
    #[serde(rename = "Hostname", skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    #[serde(rename = "MBits", skip_serializing_if = "is_zero")]
    pub mbits: i64,
    #[serde(rename = "DNS", skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsConfig>,
    /// Ports that the job names by number.
    #[serde(rename = "ReservedPorts", skip_serializing_if = "none")]
    pub reserved_ports: List<Port>,
    /// Ports that the scheduler chooses.
    #[serde(rename = "DynamicPorts", skip_serializing_if = "none")]
    pub dynamic_ports: List<Port>,
}

impl NetworkResource {
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.reserved_ports.iter().chain(self.dynamic_ports.iter())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DnsConfig {
    pub servers: List<String>,
    pub searches: List<String>,
    pub options: List<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Port {
    pub label: String,
    /// The host's port; 0 while the scheduler has not chosen.
    #[serde(skip_serializing_if = "is_zero_u16")]
    pub value: u16,
    /// The port inside the task's network; 0 means the same as outside, -1 the one that was chosen.
    #[serde(skip_serializing_if = "is_zero")]
    pub to: i64,
    pub host_network: String,
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_collision: bool,
}
