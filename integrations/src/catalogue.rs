//! The catalogue, read: which services there are, where their instances are, and how they are.

use std::{collections::BTreeMap, fmt};

use drover_model::{json::null_is_default, secret::SecretText, service::CheckStatus};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{Answer, Query, Result};

mod federation;

pub use federation::{Consumers, ExportedService, ImportedService, Partition, Peering, PeeringRemote, PeeringStream};

/// Reads services and nodes, and waits for them to change.
pub trait Catalogue: Send + Sync + fmt::Debug {
    /// Instances of a service, sorted by node and id. `passing` leaves out those of which any check does not pass; `tag` those without it.
    fn service<'a>(&'a self, name: &'a str, filter: &'a ServiceFilter, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Instance>>>>;

    /// Names and tags of all services, sorted.
    fn services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ServiceName>>>>;

    /// All nodes, sorted by name.
    fn nodes<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Node>>>>;

    /// One node with its services; no name: the one that the agent is on.
    fn node<'a>(&'a self, name: Option<&'a str>, query: &'a Query) -> BoxFuture<'a, Result<Answer<Option<NodeServices>>>>;

    fn datacenters(&self) -> BoxFuture<'_, Result<Vec<String>>>;

    /// The certificates that the mesh's certificates chain to.
    fn mesh_roots<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<MeshRoot>>>>;

    /// A certificate of the mesh for a service.
    fn mesh_leaf<'a>(&'a self, service: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<MeshLeaf>>>;

    /// All admin partitions, sorted by name. Like the three below: unsupported where the peer has none of it, and an answer may come at once whatever
    /// the query says, or without an index: then it has to be asked for again after a while.
    fn partitions<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Partition>>>>;

    /// The peerings of the query's partition, sorted by partition and name.
    fn peerings<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Peering>>>>;

    /// What the query's partition lets others use, sorted by namespace and name.
    fn exported_services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ExportedService>>>>;

    /// What the query's partition may use of others, sorted by namespace and name.
    fn imported_services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ImportedService>>>>;
}

/// Which instances of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFilter {
    pub tag: Option<String>,
    pub passing: bool,
    /// Instances (or their proxies) that speak the mesh's protocol.
    pub mesh: bool,
}

impl ServiceFilter {
    pub fn passing() -> Self {
        Self { passing: true, ..Self::default() }
    }
}

/// One instance of a service with its node and checks. Serde names are Consul's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Instance {
    pub node: Node,
    pub service: ServiceEntry,
    #[serde(deserialize_with = "null_is_default")]
    pub checks: Vec<CheckEntry>,
}

impl Instance {
    /// The service's address, else its node's.
    pub fn address(&self) -> &str {
        if self.service.address.is_empty() { &self.node.address } else { &self.service.address }
    }

    /// What all checks say together: the worst of them; passing when there are none.
    pub fn status(&self) -> CheckStatus {
        self.checks.iter().map(|check| check.status).max().unwrap_or(CheckStatus::Passing)
    }

    pub fn in_maintenance(&self) -> bool {
        self.checks.iter().any(|check| check.check_id == "_node_maintenance" || check.check_id.starts_with("_service_maintenance:"))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Node {
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub datacenter: String,
    #[serde(deserialize_with = "null_is_default")]
    pub tagged_addresses: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    pub meta: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceEntry {
    #[serde(rename = "ID")]
    pub id: String,
    pub service: String,
    #[serde(deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
    pub address: String,
    #[serde(deserialize_with = "null_is_default")]
    pub tagged_addresses: BTreeMap<String, TaggedAddress>,
    #[serde(deserialize_with = "null_is_default")]
    pub meta: BTreeMap<String, String>,
    pub port: u16,
    pub weights: EntryWeights,
    pub enable_tag_override: bool,
    pub namespace: String,
    #[serde(deserialize_with = "null_is_default")]
    pub kind: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaggedAddress {
    pub address: String,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EntryWeights {
    pub passing: i64,
    pub warning: i64,
}

impl Default for EntryWeights {
    fn default() -> Self {
        Self { passing: 1, warning: 1 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CheckEntry {
    pub node: String,
    #[serde(rename = "CheckID")]
    pub check_id: String,
    pub name: String,
    pub status: CheckStatus,
    pub notes: String,
    pub output: String,
    #[serde(rename = "ServiceID")]
    pub service_id: String,
    pub service_name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub service_tags: Vec<String>,
    #[serde(rename = "Type")]
    pub kind: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceName {
    pub name: String,
    /// Sorted.
    pub tags: Vec<String>,
}

/// A node and what is on it, sorted by service and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeServices {
    pub node: Node,
    pub services: Vec<ServiceEntry>,
}

/// A root certificate of the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MeshRoot {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    #[serde(rename = "RootCert")]
    pub root_cert_pem: String,
    pub active: bool,
}

/// A certificate of the mesh, with its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MeshLeaf {
    #[serde(rename = "CertPEM")]
    pub cert_pem: String,
    #[serde(rename = "PrivateKeyPEM")]
    pub private_key_pem: SecretText,
    pub service: String,
    pub valid_after: String,
    pub valid_before: String,
}
