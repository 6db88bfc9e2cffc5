//! What is asked about allocations, and what is done with them by the servers. What only the node can tell is in [`super::client`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    allocation::Allocation,
    ids::{AllocId, EvalId, NodeId, optional},
    method,
    service::ServiceRegistration,
    view::AllocationStub,
};

/// Lists allocations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocationList {
    pub options: ReadOptions,
    pub resources: bool,
    pub task_states: bool,
}
method!(AllocationList, "allocation.list", Read<Vec<AllocationStub>>);

/// Reads one allocation with its job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocationGet {
    pub options: ReadOptions,
    pub id: AllocId,
}
method!(AllocationGet, "allocation.get", Read<Option<Arc<Allocation>>>);

/// Stops an allocation, so that another takes its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocationStop {
    pub id: AllocId,
    pub no_shutdown_delay: bool,
    /// Let its reschedule policy decide about the replacement.
    pub reschedule: bool,
}
method!(AllocationStop, "allocation.stop", AllocationStopped);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationStopped {
    #[serde(rename = "EvalID", with = "optional")]
    pub eval_id: Option<EvalId>,
    #[serde(rename = "Index")]
    pub index: u64,
}

/// An allocation's instances in the servers' own catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocationServices {
    pub options: ReadOptions,
    pub id: AllocId,
}
method!(AllocationServices, "allocation.services", Read<Vec<Arc<ServiceRegistration>>>);

/// Which node runs an allocation: whoever wants to speak with its client asks this first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocationNode {
    pub id: AllocId,
}
method!(AllocationNode, "allocation.node", Option<NodeId>);
