//! What people ask about nodes, and what they do with them. What a node says itself is in [`super::node`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    allocation::AllocationBatch,
    ids::{AllocId, EvalId, NodeId},
    json::List,
    method,
    node::{Eligibility, Node},
    stream_method,
    view::NodeStub,
};

/// Lists nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeList {
    pub options: ReadOptions,
    pub resources: bool,
    pub os: bool,
    /// Only those of this pool.
    pub pool: Option<String>,
}
method!(NodeList, "nodes.list", Read<Vec<NodeStub>>);

/// Reads one node, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeGet {
    pub options: ReadOptions,
    pub id: NodeId,
}
method!(NodeGet, "nodes.get", Read<Option<Arc<Node>>>);

/// The allocations of a node, as people may read them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeAllocationList {
    pub options: ReadOptions,
    pub id: NodeId,
}
method!(NodeAllocationList, "nodes.allocations", Read<AllocationBatch>);

/// Empties a node, or ends that.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeDrain {
    pub id: NodeId,
    /// None ends a drain.
    pub drain: Option<DrainRequest>,
    /// When a drain is ended: take new work again.
    pub mark_eligible: bool,
    pub meta: BTreeMap<String, String>,
}
method!(NodeDrain, "nodes.drain", NodeChanged);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainRequest {
    /// Zero: wait as long as it takes.
    #[serde(with = "crate::time::nanos")]
    pub deadline: Duration,
    /// Stop everything at once.
    pub force: bool,
    pub ignore_system_jobs: bool,
}

/// Lets a node take new work, or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeEligibility {
    pub id: NodeId,
    pub eligibility: Eligibility,
}
method!(NodeEligibility, "nodes.eligibility", NodeChanged);

/// Forgets a node. One that still runs registers again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodePurge {
    pub id: NodeId,
}
method!(NodePurge, "nodes.purge", NodeChanged);

/// Makes evaluations for every job that has allocations on a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeEvaluate {
    pub id: NodeId,
}
method!(NodeEvaluate, "nodes.evaluate", NodeChanged);

/// Answers every change of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeChanged {
    #[serde(rename = "EvalIDs")]
    pub eval_ids: List<EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    pub eval_create_index: u64,
    #[serde(rename = "NodeModifyIndex")]
    pub node_modify_index: u64,
    #[serde(rename = "Index")]
    pub index: u64,
}

/// Whose client is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientTarget {
    Node(NodeId),
    /// The one of the node that runs this allocation.
    Allocation(AllocId),
}

/// Passes a call on to a client. Servers do so over the connection that the client holds to one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientCall {
    pub target: ClientTarget,
    /// A method of [`super::client`] with its message, encoded.
    pub method: String,
    pub body: Vec<u8>,
    /// Another server has passed it on already: it must not go round.
    pub is_passed_on: bool,
}
method!(ClientCall, "nodes.call", ClientReply);

/// A reply or item of a client, encoded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientReply {
    pub body: Vec<u8>,
}

/// The same for a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientStream {
    pub call: ClientCall,
}
stream_method!(ClientStream, "nodes.stream", ClientReply);
