//! Which part of a plan fits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    allocation::Allocation,
    evaluation::Evaluation,
    ids::{AllocId, JobKey, NodeId},
    plan::{Plan, Stop},
};
use drover_scheduler::apply_check;

use super::quota::Proposal;
use crate::{fsm::command::PlanApply, state::State};

/// The placements of a plan that is being committed, by node.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    placements: BTreeMap<NodeId, Vec<Arc<Allocation>>>,
}

impl UnderWay {
    pub(super) fn placements(&self) -> impl Iterator<Item = &Arc<Allocation>> {
        self.placements.values().flatten()
    }
}

/// What came of a check.
pub(crate) struct Checked {
    pub(crate) apply: PlanApply,
    pub(crate) under_way: UnderWay,
    pub(crate) placed: Vec<AllocId>,
    pub(crate) rejected_nodes: Vec<NodeId>,
    /// There was more than one command may hold: the rest is for the planner's next look.
    pub(crate) deferred: bool,
}

/// Placements in one command.
pub(crate) const MAX_PLACEMENTS: usize = 10_000;

pub(crate) fn is_nothing(apply: &PlanApply) -> bool {
    apply.stops.is_empty()
        && apply.allocations.is_empty()
        && apply.deployment.is_none()
        && apply.deployment_updates.is_empty()
        && apply.evaluations.is_empty()
}

/// Those of the evaluations whose jobs lose an allocation to what is applied.
pub(crate) fn robbed(state: &State, apply: &PlanApply, victims: Vec<Evaluation>) -> Vec<Evaluation> {
    let evicted = apply.stops.iter().filter(|stop| stop.preempted_by.is_some()).filter_map(|stop| state.allocation(stop.id));
    let jobs: BTreeSet<JobKey> = evicted.map(|allocation| allocation.job_key()).collect();
    victims.into_iter().filter(|evaluation| jobs.contains(&evaluation.job_key())).collect()
}

/// Splits a plan into what fits beside the state and the plans under way, and the nodes that turned placements away.
pub(crate) fn check(state: &State, under_way: &BTreeMap<u64, UnderWay>, plan: Plan) -> Checked {
    let Plan { eval_id, all_at_once, stops, updates, mut placements, deployment, deployment_updates, .. } = plan;
    let deferred = placements.len() > MAX_PLACEMENTS && !all_at_once;
    let later: Vec<_> = if deferred { placements.split_off(MAX_PLACEMENTS) } else { Vec::new() }.into_iter().map(Arc::new).collect();
    let mut by_node: BTreeMap<NodeId, Vec<Arc<Allocation>>> = BTreeMap::new();
    for allocation in placements {
        by_node.entry(allocation.node_id).or_default().push(Arc::new(allocation));
    }
    let rejected_nodes = rejected_nodes(state, under_way, &stops, &by_node, &later);
    let mut apply = PlanApply { eval_id, ..PlanApply::default() };
    if all_at_once && !rejected_nodes.is_empty() {
        let rejected_nodes = by_node.into_keys().collect();
        return Checked { apply, under_way: UnderWay::default(), placed: Vec::new(), rejected_nodes, deferred: false };
    }
    let turned_away = rejected_nodes.iter().filter_map(|node| by_node.remove(node)).flatten();
    let rejected: Vec<Arc<Allocation>> = turned_away.chain(later).collect();
    let kept_back = kept_back(&rejected);
    apply.stops = stops.into_iter().filter(|stop| !is_kept_back(stop, &kept_back)).collect();
    let rejected: BTreeSet<AllocId> = rejected.iter().map(|allocation| allocation.id).collect();
    apply.stops.retain(|stop| !stop.preempted_by.is_some_and(|by| rejected.contains(&by)));
    let updates = updates.into_iter().filter(|allocation| state.allocation(allocation.id).is_some()).map(Arc::new);
    let updates: Vec<Arc<Allocation>> = updates.collect();
    apply.allocations = updates.iter().chain(by_node.values().flatten()).collect();
    apply.deployment = deployment;
    apply.deployment_updates = deployment_updates;
    let placed = by_node.values().flatten().map(|allocation| allocation.id).collect();
    Checked { apply, under_way: UnderWay { placements: by_node }, placed, rejected_nodes, deferred }
}

/// The nodes that do not take what the plan places there. What one of them turns away keeps something running, maybe on another node, where it was to make room.
fn rejected_nodes(
    state: &State,
    under_way: &BTreeMap<u64, UnderWay>,
    stops: &[Stop],
    by_node: &BTreeMap<NodeId, Vec<Arc<Allocation>>>,
    later: &[Arc<Allocation>],
) -> Vec<NodeId> {
    let mut stopped: BTreeMap<NodeId, Vec<&Stop>> = BTreeMap::new();
    for stop in stops {
        if let Some(allocation) = state.allocation(stop.id) {
            stopped.entry(allocation.node_id).or_default().push(stop);
        }
    }
    let mut rejected: BTreeSet<NodeId> = BTreeSet::new();
    let mut kept = kept_back(later);
    let mut in_question: BTreeSet<NodeId> = by_node.keys().copied().collect();
    loop {
        // What a node turns away keeps something running, which may take the plan beyond its quota; and what is beyond that keeps something running on its node.
        let beyond = Proposal { state, stops, by_node, rejected: &rejected, kept: &kept }.beyond_quota(under_way);
        if in_question.is_empty() && beyond.is_empty() {
            break;
        }
        let kept_for_it: BTreeSet<AllocId> =
            beyond.iter().filter_map(|node| by_node.get(node)).flat_map(|placed| kept_back(placed)).collect();
        in_question.extend(kept_for_it.iter().filter_map(|id| state.allocation(*id)).map(|allocation| allocation.node_id));
        in_question.retain(|node| by_node.contains_key(node) && !rejected.contains(node) && !beyond.contains(node));
        rejected.extend(beyond);
        kept.extend(kept_for_it);
        let mut kept_now = BTreeSet::new();
        for node in std::mem::take(&mut in_question) {
            let placed = by_node.get(&node).map(Vec::as_slice).unwrap_or_default();
            let stops = stopped.get(&node).map(Vec::as_slice).unwrap_or_default();
            let gone = stops.iter().filter(|stop| !is_kept_back(stop, &kept)).filter_map(|stop| state.allocation(stop.id));
            let gone: Vec<_> = gone.filter(|allocation| allocation.holds_resources()).cloned().collect();
            if !node_takes(state, under_way, node, &gone, placed) {
                rejected.insert(node);
                kept_now.extend(kept_back(placed));
            }
        }
        in_question = kept_now.iter().filter_map(|id| state.allocation(*id)).map(|allocation| allocation.node_id).collect();
        in_question.retain(|node| by_node.contains_key(node) && !rejected.contains(node));
        kept.extend(kept_now);
    }
    rejected.into_iter().collect()
}

/// What goes on running because that which was to take its place was turned away.
fn kept_back(rejected: &[Arc<Allocation>]) -> BTreeSet<AllocId> {
    rejected.iter().filter_map(|allocation| allocation.previous_allocation).collect()
}

/// What is lost anyhow is not kept.
pub(super) fn is_kept_back(stop: &Stop, kept: &BTreeSet<AllocId>) -> bool {
    stop.client_status.is_none() && kept.contains(&stop.id)
}

fn node_takes(
    state: &State,
    under_way: &BTreeMap<u64, UnderWay>,
    id: NodeId,
    stopped: &[Arc<Allocation>],
    placed: &[Arc<Allocation>],
) -> bool {
    let mut coming = under_way.values().filter_map(|plan| plan.placements.get(&id)).flatten();
    let mut usage = None;
    // A plan that the state has already is under way until its worker was told: not to be counted twice.
    for allocation in coming.by_ref().filter(|allocation| state.allocation(allocation.id).is_none()) {
        usage.get_or_insert_with(|| state.node_usage(id).clone()).add(allocation);
    }
    let usage = usage.as_ref().unwrap_or_else(|| state.node_usage(id));
    let node = state.node(id).map(|node| &**node);
    apply_check(node, usage, stopped.iter().map(|allocation| &**allocation), placed.iter().map(|allocation| &**allocation)).is_ok()
}
