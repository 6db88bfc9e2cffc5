//! Which part of a plan is within the quota of its namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    allocation::Allocation,
    ids::{AllocId, NodeId},
    plan::Stop,
    quota::QuotaUse,
};
use drover_scheduler::QuotaRoom;

use super::check::{UnderWay, is_kept_back};
use crate::state::State;

/// A plan as far as it has been checked.
pub(super) struct Proposal<'a> {
    pub(super) state: &'a State,
    pub(super) stops: &'a [Stop],
    pub(super) by_node: &'a BTreeMap<NodeId, Vec<Arc<Allocation>>>,
    /// Nodes that were found not to take what is placed there.
    pub(super) rejected: &'a BTreeSet<NodeId>,
    /// What goes on running for that.
    pub(super) kept: &'a BTreeSet<AllocId>,
}

impl Proposal<'_> {
    /// Further nodes on which nothing can be placed because of the quota: without them the rest is within it. Empty where that is so already.
    pub(super) fn beyond_quota(&self, under_way: &BTreeMap<u64, UnderWay>) -> BTreeSet<NodeId> {
        let Some(room) = self.room(under_way) else { return BTreeSet::new() };
        let asked = of(self.left().flat_map(|(_, placed)| placed));
        let freed = of(self.stopped());
        let mut whole = room.clone();
        whole.used.remove(&freed);
        if asked.is_empty() || whole.shortage(&asked, &freed).is_none() {
            return BTreeSet::new();
        }
        self.one_by_one(room)
    }

    /// The quota of the plan's namespace, with what is in use of it and on its way.
    fn room(&self, under_way: &BTreeMap<u64, UnderWay>) -> Option<QuotaRoom> {
        let namespace = &self.by_node.values().flatten().next()?.namespace;
        let mut room = self.state.quota_room(namespace)?;
        for allocation in under_way.values().flat_map(UnderWay::placements) {
            let shares = self.state.quota_of(&allocation.namespace) == Some(&room.name);
            // A plan that the state has already is under way until its worker was told: not to be counted twice.
            if shares && self.state.allocation(allocation.id).is_none() {
                room.take(allocation);
            }
        }
        Some(room)
    }

    fn left(&self) -> impl Iterator<Item = (NodeId, &Vec<Arc<Allocation>>)> {
        self.by_node.iter().filter(|(node, _)| !self.rejected.contains(node)).map(|(node, placed)| (*node, placed))
    }

    /// What the plan stops of its own job. What it evicts of others makes no room in a quota: nobody is stopped for its sake.
    fn stopped(&self) -> impl Iterator<Item = &Arc<Allocation>> {
        let goes = |stop: &&Stop| stop.preempted_by.is_none() && !is_kept_back(stop, self.kept);
        let stopped = self.stops.iter().filter(goes).filter_map(|stop| self.state.allocation(stop.id));
        stopped.filter(|allocation| allocation.holds_resources())
    }

    /// Takes node after node as long as there is room. What is placed on one leaves in exchange for what it replaces, so that neither counts without the other.
    fn one_by_one(&self, mut room: QuotaRoom) -> BTreeSet<NodeId> {
        let replaced: BTreeSet<AllocId> = self.left().flat_map(|(_, placed)| placed).filter_map(|row| row.previous_allocation).collect();
        let (exchanged, gone): (Vec<_>, Vec<_>) = self.stopped().partition(|allocation| replaced.contains(&allocation.id));
        gone.into_iter().for_each(|allocation| room.give_back(allocation));
        let exchanged: BTreeMap<AllocId, &Arc<Allocation>> = exchanged.into_iter().map(|allocation| (allocation.id, allocation)).collect();
        let mut beyond = BTreeSet::new();
        for (node, placed) in self.left() {
            let mut after = room.clone();
            let freed = of(placed.iter().filter_map(|row| exchanged.get(&row.previous_allocation?).copied()));
            let asked = of(placed);
            after.used.remove(&freed);
            if after.shortage(&asked, &freed).is_some() {
                beyond.insert(node);
                continue;
            }
            after.used.add(&asked);
            room = after;
        }
        beyond
    }
}

fn of<'a>(allocations: impl IntoIterator<Item = &'a Arc<Allocation>>) -> QuotaUse {
    let mut sum = QuotaUse::default();
    allocations.into_iter().for_each(|allocation| sum.add(&QuotaUse::of(&allocation.resources)));
    sum
}
