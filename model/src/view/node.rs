//! Nodes as lists and pages show them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    ids::NodeId,
    node::{DriverInfo, Eligibility, HostVolume, LastDrain, Node, NodeResources, NodeStatus, ReservedResources},
};

/// A node in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStub {
    /// Without the port.
    #[serde(rename = "Address")]
    pub address: String,
    #[serde(rename = "ID")]
    pub id: NodeId,
    #[serde(rename = "Attributes", default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
    #[serde(rename = "Datacenter")]
    pub datacenter: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "NodePool")]
    pub node_pool: String,
    #[serde(rename = "NodeClass")]
    pub node_class: String,
    #[serde(rename = "Version")]
    pub version: String,
    #[serde(rename = "Drain")]
    pub drain: bool,
    #[serde(rename = "SchedulingEligibility")]
    pub eligibility: Eligibility,
    #[serde(rename = "Status")]
    pub status: NodeStatus,
    #[serde(rename = "StatusDescription")]
    pub status_description: String,
    #[serde(rename = "Drivers")]
    pub drivers: BTreeMap<String, DriverInfo>,
    #[serde(rename = "HostVolumes")]
    pub host_volumes: BTreeMap<String, HostVolume>,
    #[serde(rename = "NodeResources", default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<NodeResources>,
    #[serde(rename = "ReservedResources", default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<ReservedResources>,
    #[serde(rename = "LastDrain")]
    pub last_drain: Option<LastDrain>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
}

impl NodeStub {
    pub fn new(node: &Node, with_resources: bool, with_os: bool) -> Self {
        let os = || {
            let name = node.attributes.get("os.name").cloned();
            name.map(|name| ("os.name".to_owned(), name)).into_iter().collect()
        };
        Self {
            address: node.http_addr.rsplit_once(':').map_or(node.http_addr.as_str(), |(host, _)| host).to_owned(),
            id: node.id,
            attributes: with_os.then(os),
            datacenter: node.datacenter.clone(),
            name: node.name.clone(),
            node_pool: node.node_pool.clone(),
            node_class: node.node_class.clone(),
            version: node.attributes.get("nomad.version").cloned().unwrap_or_default(),
            drain: node.drain.is_some(),
            eligibility: node.eligibility,
            status: node.status,
            status_description: node.status_description.clone(),
            drivers: node.drivers.clone(),
            host_volumes: node.host_volumes.clone(),
            resources: with_resources.then(|| node.resources.clone()),
            reserved: with_resources.then(|| node.reserved.clone()),
            last_drain: node.last_drain.clone(),
            create_index: node.create_index,
            modify_index: node.modify_index,
        }
    }
}

/// A node with whether it is being emptied. Its secret is blank: servers clear it before a node leaves them.
#[derive(Clone, Debug, Serialize)]
pub struct NodeDetail {
    #[serde(flatten)]
    node: Arc<Node>,
    #[serde(rename = "Drain")]
    drain: bool,
}

impl From<Arc<Node>> for NodeDetail {
    fn from(node: Arc<Node>) -> Self {
        Self { drain: node.drain.is_some(), node }
    }
}
