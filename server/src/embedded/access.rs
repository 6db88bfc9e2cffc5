//! Who asks, and for which workload.

use std::sync::Arc;

use drover_model::{
    allocation::Allocation,
    node::Node,
    rpc::{
        Error,
        node::{NodeAuth, WorkloadAuth},
    },
};

use crate::state::State;

/// The node that a client says it is, if it knows that node's secret.
pub fn authenticate<'a>(state: &'a State, auth: &NodeAuth) -> Result<&'a Arc<Node>, Error> {
    state.node(auth.id).filter(|node| !auth.secret.is_empty() && node.secret_id.matches(&auth.secret)).ok_or_else(Error::forbidden)
}

/// The allocation on whose behalf a client asks: it must run on that client's node, and have the task.
pub(super) fn workload<'a>(state: &'a State, auth: &WorkloadAuth) -> Result<(&'a Arc<Node>, &'a Arc<Allocation>), Error> {
    let node = authenticate(state, &auth.node)?;
    let allocation = state.allocation(auth.alloc_id).filter(|allocation| allocation.node_id == node.id && !allocation.is_client_terminal());
    let allocation = allocation.ok_or_else(Error::forbidden)?;
    let group = allocation.job.task_groups.iter().find(|group| group.name == allocation.task_group);
    let has_task = group.is_some_and(|group| group.tasks.iter().any(|task| task.name == auth.task));
    if has_task { Ok((node, allocation)) } else { Err(Error::forbidden()) }
}
