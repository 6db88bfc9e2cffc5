//! What a client says to the servers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    allocation::{AllocationBatch, AllocationReport},
    ids::{AllocId, Name, NodeId},
    kv::{KvEntry, SecretVersion},
    method,
    node::{Node, NodeStatus},
    secret::SecretText,
    service::ServiceRegistration,
    stream_method,
    time::nanos,
};

/// Who calls: every message of a client carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAuth {
    pub id: NodeId,
    pub secret: SecretText,
}

/// A node is there, with these properties. Sent at start and whenever a fingerprint changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeRegister {
    pub node: Node,
}
method!(NodeRegister, "node.register", NodeWelcome);

/// Answers a registration and a heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeWelcome {
    /// The next heartbeat must come before this has passed.
    #[serde(with = "nanos")]
    pub heartbeat_ttl: Duration,
    pub index: u64,
    /// RPC addresses of all servers.
    pub servers: Vec<String>,
}

/// A node is still there. The first one after its registration makes it `ready`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeHeartbeat {
    pub auth: NodeAuth,
    pub status: NodeStatus,
}
method!(NodeHeartbeat, "node.heartbeat", NodeWelcome);

/// The allocations of a node, pushed: the first item is all of them, the later ones what changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeAllocations {
    pub auth: NodeAuth,
    /// What the node has seen already: a server whose state is older must not answer, lest what is new be taken for forgotten. Only the leader may, who
    /// knows best however old its state is.
    #[serde(default)]
    pub min_index: u64,
}
stream_method!(NodeAllocations, "node.allocations", NodeAllocationsItem);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeAllocationsItem {
    /// The state's index that this item is up to.
    pub index: u64,
    /// Whether `allocations` is all there is, so that the client forgets what is not among them.
    pub complete: bool,
    pub allocations: AllocationBatch,
    /// Allocations that the servers have forgotten: what is left of them on disk can go.
    pub removed: Vec<AllocId>,
}

/// What became of a node's allocations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeReport {
    pub auth: NodeAuth,
    pub allocations: Vec<AllocationReport>,
}
method!(NodeReport, "node.report", NodeReportReply);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReportReply {
    pub index: u64,
}

/// A workload identity that a task of this node needs signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdentityRequest {
    pub alloc_id: AllocId,
    /// Empty for the identity of a group's service.
    pub task: String,
    /// The service whose identity it is, by its name in the job; empty: the task's.
    #[serde(default)]
    pub service: String,
    /// The identity's name: `default`, `vault_default`, `consul_default`, or one of the job's.
    pub identity: String,
    /// Who shall accept it, when the job does not say.
    pub audience: Vec<String>,
    #[serde(with = "nanos")]
    pub ttl: Duration,
}

/// Signs identities of allocations that run on the calling node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignIdentities {
    pub auth: NodeAuth,
    pub requests: Vec<IdentityRequest>,
}
method!(SignIdentities, "identity.sign", SignedIdentities);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SignedIdentities {
    /// In the order of the requests; an error says why one was refused.
    pub identities: Vec<Result<SignedIdentity, String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIdentity {
    pub jwt: SecretText,
    /// Unix seconds; 0 when it does not expire.
    pub expires: i64,
}

/// Registers (or changes) instances in the servers' own catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServicesUpsert {
    pub auth: NodeAuth,
    pub services: Vec<ServiceRegistration>,
}
method!(ServicesUpsert, "services.upsert", NodeReportReply);

/// Takes instances of this node out of the servers' own catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServicesRemove {
    pub auth: NodeAuth,
    pub ids: Vec<String>,
}
method!(ServicesRemove, "services.remove", NodeReportReply);

/// The workload on whose behalf a client reads: the servers check it against what that workload may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadAuth {
    pub node: NodeAuth,
    pub alloc_id: AllocId,
    pub task: String,
}

/// Reads the instances of a service from the servers' own catalogue. Waits like any read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceInstances {
    pub options: ReadOptions,
    pub name: String,
    /// Only those whose checks pass.
    pub healthy: bool,
}
method!(ServiceInstances, "services.instances", Read<Vec<Arc<ServiceRegistration>>>);

/// Lists the names and tags of all services of a namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceNames {
    pub options: ReadOptions,
}
method!(ServiceNames, "services.names", Read<Vec<ServiceName>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceName {
    pub namespace: Name,
    pub name: Name,
    pub tags: Vec<String>,
}

/// Reads one key of the embedded key-value store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KvGet {
    pub options: ReadOptions,
    pub key: String,
}
method!(KvGet, "kv.get", Read<Option<Arc<KvEntry>>>);

/// Reads all keys of the embedded key-value store below a prefix, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KvList {
    pub options: ReadOptions,
    pub prefix: String,
}
method!(KvList, "kv.list", Read<Vec<Arc<KvEntry>>>);

/// Reads a secret of the embedded store for a task. The path must name the task's own namespace and job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadSecretGet {
    pub auth: WorkloadAuth,
    pub options: ReadOptions,
    pub path: String,
    /// 0 is the newest.
    pub version: u64,
}
method!(WorkloadSecretGet, "secret.workload", Read<Option<SecretVersion>>);

/// Lists what is directly below a folder of the embedded store, for a task. The folder must be that of the task's own namespace and job, or below it. Names of
/// folders end in `/`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadSecretList {
    pub auth: WorkloadAuth,
    pub options: ReadOptions,
    pub path: String,
}
method!(WorkloadSecretList, "secret.workload_list", Read<Vec<String>>);

/// Issues a certificate from the embedded CA for a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CertificateIssue {
    pub auth: WorkloadAuth,
    /// As in `pki/issue/ROLE`.
    pub role: String,
    /// The parameters of the call (`common_name`, `alt_names`, `ip_sans`, `ttl`), as in Vault's PKI.
    pub parameters: BTreeMap<String, String>,
}
method!(CertificateIssue, "ca.issue", IssuedCertificate);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    pub certificate_pem: String,
    pub private_key_pem: SecretText,
    pub ca_pem: String,
    pub ca_chain_pem: Vec<String>,
    pub serial: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
}
