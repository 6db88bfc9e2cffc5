//! What a Consul shares with others: its admin partitions, its peerings, and the services that go across.

use std::collections::BTreeMap;

use drover_model::json::null_is_default;
use serde::{Deserialize, Serialize};

/// An admin partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Partition {
    pub name: String,
    pub description: String,
}

/// A peering with another cluster. The times of its heartbeats are left out: who watches peerings would be woken by each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Peering {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub partition: String,
    #[serde(deserialize_with = "null_is_default")]
    pub meta: BTreeMap<String, String>,
    /// `PENDING`, `ESTABLISHING`, `ACTIVE`, `FAILING`, `DELETING`, `TERMINATED`.
    pub state: String,
    #[serde(rename = "PeerID")]
    pub peer_id: String,
    pub peer_server_name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub peer_server_addresses: Vec<String>,
    pub stream_status: PeeringStream,
    pub create_index: u64,
    pub modify_index: u64,
    pub remote: PeeringRemote,
}

/// Names of the services that cross a peering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeeringStream {
    #[serde(deserialize_with = "null_is_default")]
    pub imported_services: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub exported_services: Vec<String>,
}

/// Where the other side of a peering is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeeringRemote {
    pub partition: String,
    pub datacenter: String,
}

/// A service that others may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExportedService {
    pub service: String,
    pub partition: String,
    pub namespace: String,
    pub consumers: Consumers,
}

/// Who may use an exported service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Consumers {
    #[serde(deserialize_with = "null_is_default")]
    pub peers: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub partitions: Vec<String>,
}

/// A service of another partition or cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImportedService {
    pub service: String,
    pub namespace: String,
    pub source_partition: String,
    pub source_peer: String,
}
