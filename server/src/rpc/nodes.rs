//! Nodes: reading, draining, eligibility, forgetting.

use std::sync::Arc;

use drover_model::{
    allocation::AllocationBatch,
    evaluation::{Evaluation, Trigger},
    ids::NodeId,
    json::List,
    node::{DrainStrategy, Eligibility, LastDrain, Node, NodeEvent},
    rpc::{
        Error,
        nodes::{DrainRequest, NodeAllocationList, NodeChanged, NodeDrain, NodeEligibility, NodeEvaluate, NodeGet, NodeList, NodePurge},
    },
    secret::SecretText,
    view::NodeStub,
};

use super::{
    Desk, Found,
    page::{ById, page},
};
use crate::{
    evaluations,
    fsm::command::Command,
    state::{IdPrefix, State},
};

pub(super) fn list(state: &State, message: &NodeList) -> Result<Found<Vec<NodeStub>>, Error> {
    let options = &message.options;
    let mut rows: Vec<(ById, &Arc<Node>)> = if options.prefix.is_empty() {
        state.nodes().map(|node| (ById(node.id.as_uuid()), node)).collect()
    } else {
        let prefix = IdPrefix::parse(&options.prefix);
        prefix.map(|prefix| state.nodes_with_prefix(prefix)).into_iter().flatten().map(|node| (ById(node.id.as_uuid()), node)).collect()
    };
    if let Some(pool) = &message.pool {
        rows.retain(|(_, node)| node.node_pool == *pool);
    }
    page(rows, options, |node| NodeStub::new(node, message.resources, message.os))
}

pub(super) fn get(state: &State, message: &NodeGet) -> Result<Found<Option<Arc<Node>>>, Error> {
    let Some(node) = state.node(message.id) else { return Ok(Found::new(None)) };
    // What proves that a node is itself never leaves the servers.
    let node = Arc::new(Node { secret_id: SecretText::default(), ..Node::clone(node) });
    let index = Some(node.modify_index);
    Ok(Found::at(Some(node), index))
}

pub(super) fn allocations(state: &State, message: &NodeAllocationList) -> Result<Found<AllocationBatch>, Error> {
    Ok(Found::new(state.allocations_of_node(message.id).collect()))
}

fn node(state: &State, id: NodeId) -> Result<&Arc<Node>, Error> {
    state.node(id).ok_or_else(|| Error::not_found("node not found"))
}

fn event(desk: &Desk<'_>, subsystem: &str, message: &str) -> Option<NodeEvent> {
    let timestamp = desk.runtime.clock.now().into();
    Some(NodeEvent { message: message.to_owned(), subsystem: subsystem.to_owned(), timestamp, ..NodeEvent::default() })
}

async fn commit(desk: Desk<'_>, command: Command, evaluations: &[Evaluation]) -> Result<NodeChanged, Error> {
    let eval_ids: Vec<_> = evaluations.iter().map(|evaluation| evaluation.id).collect();
    let index = desk.proposer.propose(command).await?.accepted()?;
    let eval_create_index = if eval_ids.is_empty() { 0 } else { index };
    Ok(NodeChanged { eval_ids: List(eval_ids), eval_create_index, node_modify_index: index, index })
}

pub(super) async fn drain(desk: Desk<'_>, message: NodeDrain) -> Result<NodeChanged, Error> {
    let state = desk.store.snapshot();
    let known = node(&state, message.id)?;
    let now = desk.runtime.clock.now();
    let strategy = message.drain.map(|asked| {
        let started_at = known.drain.as_ref().map_or_else(|| now.into(), |drain| drain.started_at);
        let force_deadline = if asked.deadline.is_zero() { Default::default() } else { now.plus(asked.deadline).into() };
        let DrainRequest { deadline, force, ignore_system_jobs } = asked;
        DrainStrategy { deadline, force, ignore_system_jobs, force_deadline, started_at }
    });
    let (word, status) = match (&strategy, &known.drain) {
        (Some(_), None) => ("Node drain strategy set", "draining"),
        (Some(_), Some(_)) => ("Node drain strategy updated", "draining"),
        (None, _) => ("Node drain strategy disabled", "canceled"),
    };
    let was_draining = known.drain.is_some();
    let before = known.last_drain.clone().filter(|_| was_draining);
    let last_drain = (strategy.is_some() || was_draining).then(|| LastDrain {
        started_at: before.as_ref().map_or_else(|| now.into(), |before| before.started_at),
        updated_at: now.into(),
        status: status.to_owned(),
        accessor_id: String::new(),
        meta: if message.meta.is_empty() { before.map(|before| before.meta).unwrap_or_default() } else { message.meta.into() },
    });
    // A node that takes work again may be what some jobs wait for.
    let evaluations = match strategy.is_none() && message.mark_eligible {
        true => evaluations::for_node(&state, message.id, Trigger::NodeUpdate, &*desk.runtime.random),
        false => Vec::new(),
    };
    let command = Command::NodeDrain {
        id: message.id,
        drain: strategy,
        mark_eligible: message.mark_eligible,
        last_drain,
        event: event(&desk, "Drain", word),
        evaluations: evaluations.clone(),
    };
    commit(desk, command, &evaluations).await
}

pub(super) async fn eligibility(desk: Desk<'_>, message: NodeEligibility) -> Result<NodeChanged, Error> {
    let state = desk.store.snapshot();
    let known = node(&state, message.id)?;
    let (word, becomes_eligible) = match message.eligibility {
        Eligibility::Eligible if known.drain.is_some() => {
            return Err(Error::internal("can not set node's scheduling eligibility to eligible while it is draining"));
        }
        Eligibility::Eligible => ("Node marked as eligible for scheduling", known.eligibility == Eligibility::Ineligible),
        Eligibility::Ineligible => ("Node marked as ineligible for scheduling", false),
    };
    let evaluations = match becomes_eligible {
        true => evaluations::for_node(&state, message.id, Trigger::NodeUpdate, &*desk.runtime.random),
        false => Vec::new(),
    };
    let command = Command::NodeEligibility {
        id: message.id,
        eligibility: message.eligibility,
        event: event(&desk, "Cluster", word),
        evaluations: evaluations.clone(),
    };
    commit(desk, command, &evaluations).await
}

pub(super) async fn purge(desk: Desk<'_>, message: NodePurge) -> Result<NodeChanged, Error> {
    let state = desk.store.snapshot();
    node(&state, message.id)?;
    let evaluations = evaluations::for_node(&state, message.id, Trigger::NodeUpdate, &*desk.runtime.random);
    commit(desk, Command::NodesForget { ids: vec![message.id], evaluations: evaluations.clone() }, &evaluations).await
}

pub(super) async fn evaluate(desk: Desk<'_>, message: NodeEvaluate) -> Result<NodeChanged, Error> {
    let state = desk.store.snapshot();
    let known = node(&state, message.id)?;
    let evaluations = evaluations::for_node(&state, message.id, Trigger::NodeUpdate, &*desk.runtime.random);
    if evaluations.is_empty() {
        return Ok(NodeChanged { node_modify_index: known.modify_index, index: state.index(), ..NodeChanged::default() });
    }
    let reply = commit(desk, Command::EvaluationsUpsert { evaluations: evaluations.clone() }, &evaluations).await?;
    Ok(NodeChanged { node_modify_index: known.modify_index, ..reply })
}
