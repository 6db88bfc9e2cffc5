//! Plans that are on their way into the state, for those who schedule meanwhile.
//!
//! Every worker looks for the best node, so workers that look at the same state find the same node. Each therefore announces its plan before it submits it, and looks at
//! the state with what the others announced counted in ([`Foresight`]). Plans that were computed at the very same time do not see each other: the second of them to be announced
//! is turned down at once where the two do not fit side by side, and computed again. All this only steers. What is committed is decided by the plan applier alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    ids::{AllocId, JobKey, Name, NodeId},
    job::Job,
    node::Node,
    plan::Plan,
    quota::QuotaUse,
    resources::AllocatedResources,
};
use drover_scheduler::{Claim, Config, Member, QuotaRoom, Snapshot, Usage, apply_check, claims};

use crate::state::{State, StateStore};

/// One placement of a plan.
#[derive(Clone, Debug)]
struct Coming {
    id: AllocId,
    resources: Arc<AllocatedResources>,
    claims: Vec<Claim>,
}

/// What a plan places.
#[derive(Clone, Debug, Default)]
struct Placements {
    /// Of its job.
    namespace: Name,
    by_node: BTreeMap<NodeId, Vec<Coming>>,
}

impl Placements {
    fn of(plan: &Plan) -> Arc<Self> {
        let namespace = plan.placements.first().map(|allocation| allocation.namespace.clone()).unwrap_or_default();
        let mut by_node: BTreeMap<NodeId, Vec<Coming>> = BTreeMap::new();
        for allocation in &plan.placements {
            let resources = Arc::clone(&allocation.resources);
            let coming = Coming { id: allocation.id, resources, claims: claims(allocation) };
            by_node.entry(allocation.node_id).or_default().push(coming);
        }
        Arc::new(Self { namespace, by_node })
    }

    /// Counts what the state does not have yet into what is used of a quota, if the namespace is under it.
    fn add_to_quota(&self, state: &State, room: &mut QuotaRoom) {
        if state.quota_of(&self.namespace) == Some(&room.name) {
            let coming = self.by_node.values().flatten().filter(|coming| state.allocation(coming.id).is_none());
            coming.for_each(|coming| room.used.add(&QuotaUse::of(&coming.resources)));
        }
    }
}

/// What the workers of one leader have announced.
#[derive(Debug, Default)]
pub struct InFlight {
    inner: Mutex<Inner>,
    turned_down: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the number under which each was announced.
    plans: BTreeMap<u64, Arc<Placements>>,
    newest: u64,
    /// Under which number something was last announced for each node. Also of plans that are in the state by now, since who computes may not have seen that state.
    touched: BTreeMap<NodeId, u64>,
    /// The same for each namespace: plans whose namespaces share a quota want the same room although they want other nodes.
    namespaces: BTreeMap<Name, u64>,
}

/// Nodes, and namespaces, whose last announcement is remembered. When there are more all are forgotten, which at worst lets the plan applier turn something down.
const MAX_TOUCHED: usize = 100_000;

/// An announced plan. It is forgotten when this is dropped: by then its outcome is in the state, or it came to nothing.
#[derive(Debug)]
pub struct Announced {
    ledger: Arc<InFlight>,
    number: u64,
    placements: Arc<Placements>,
}

impl Announced {
    /// The nodes whose room was spoken for by what did not become an allocation.
    pub fn given_up(&self, placed: &[AllocId]) -> BTreeSet<NodeId> {
        let placed: BTreeSet<AllocId> = placed.iter().copied().collect();
        let left = |coming: &[Coming]| coming.iter().any(|coming| !placed.contains(&coming.id));
        self.placements.by_node.iter().filter(|(_, coming)| left(coming)).map(|(node, _)| *node).collect()
    }

    pub fn namespace(&self) -> &Name {
        &self.placements.namespace
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.ledger.lock().plans.remove(&self.number);
    }
}

/// Another plan, announced since, wants the same room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beaten;

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many plans were computed again because another one was quicker.
    pub fn turned_down(&self) -> u64 {
        self.turned_down.load(Ordering::Relaxed)
    }

    /// The newest state, with what is announced counted in.
    pub fn foresee(&self, store: &StateStore) -> Foresight {
        // In this order: what is no longer announced is in the state that is taken after.
        let (plans, seen) = {
            let inner = self.lock();
            (inner.plans.values().cloned().collect::<Vec<_>>(), inner.newest)
        };
        let state = store.snapshot();
        let mut usage: BTreeMap<NodeId, Usage> = BTreeMap::new();
        for (node, coming) in plans.iter().flat_map(|plan| plan.by_node.iter()) {
            add_coming(&state, &mut usage, *node, coming);
        }
        Foresight { state, usage, plans, seen }
    }

    /// Announces a plan that was computed from a foresight, unless what others announced since then is in its way.
    pub fn announce(self: &Arc<Self>, plan: &Plan, seen: u64, store: &StateStore) -> Result<Announced, Beaten> {
        let placements = Placements::of(plan);
        let mut inner = self.lock();
        if !inner.lets_pass(plan, &placements, seen, store) {
            self.turned_down.fetch_add(1, Ordering::Relaxed);
            return Err(Beaten);
        }
        let number = inner.add(placements.clone());
        Ok(Announced { ledger: Arc::clone(self), number, placements })
    }

    /// Announces a plan whatever others have announced.
    pub fn insist(self: &Arc<Self>, plan: &Plan) -> Announced {
        let placements = Placements::of(plan);
        let number = self.lock().add(placements.clone());
        Announced { ledger: Arc::clone(self), number, placements }
    }
}

impl Inner {
    fn add(&mut self, placements: Arc<Placements>) -> u64 {
        self.newest += 1;
        if self.touched.len() > MAX_TOUCHED {
            self.touched.clear();
        }
        if self.namespaces.len() > MAX_TOUCHED {
            self.namespaces.clear();
        }
        self.touched.extend(placements.by_node.keys().map(|node| (*node, self.newest)));
        self.namespaces.insert(placements.namespace.clone(), self.newest);
        self.plans.insert(self.newest, placements);
        self.newest
    }

    /// Whether a plan still fits on those of its nodes that plans announced after `seen` touch. The others are as its worker saw them, or emptier.
    fn lets_pass(&self, plan: &Plan, placements: &Placements, seen: u64, store: &StateStore) -> bool {
        let is_contested = |node: &&NodeId| self.touched.get(*node).is_some_and(|number| *number > seen);
        let mut contested = placements.by_node.keys().filter(is_contested).peekable();
        let state = store.snapshot();
        if !self.quota_lets_pass(plan, placements, seen, &state) {
            return false;
        }
        if contested.peek().is_none() {
            return true;
        }
        // By node, once: a plan may have tens of thousands of placements, and all its nodes may be contested.
        let mut stopped: BTreeMap<NodeId, Vec<&Allocation>> = BTreeMap::new();
        for allocation in plan.stops.iter().filter_map(|stop| state.allocation(stop.id)).filter(|allocation| allocation.holds_resources()) {
            stopped.entry(allocation.node_id).or_default().push(allocation);
        }
        let mut placed: BTreeMap<NodeId, Vec<&Allocation>> = BTreeMap::new();
        for allocation in &plan.placements {
            placed.entry(allocation.node_id).or_default().push(allocation);
        }
        contested.all(|node| {
            let mut usage = BTreeMap::new();
            self.plans
                .values()
                .filter_map(|other| other.by_node.get(node))
                .for_each(|coming| add_coming(&state, &mut usage, *node, coming));
            let usage = usage.remove(node).unwrap_or_else(|| state.node_usage(*node).clone());
            let (stopped, placed) = (stopped.remove(node).unwrap_or_default(), placed.remove(node).unwrap_or_default());
            apply_check(state.node(*node).map(|node| &**node), &usage, stopped, placed).is_ok()
        })
    }
}

impl Inner {
    /// The same for the quota of the plan's namespace.
    fn quota_lets_pass(&self, plan: &Plan, placements: &Placements, seen: u64, state: &State) -> bool {
        let Some(mut room) = state.quota_room(&placements.namespace) else { return true };
        let shares = |namespace: &Name| state.quota_of(namespace) == Some(&room.name);
        if !self.namespaces.iter().any(|(namespace, number)| *number > seen && shares(namespace)) {
            return true;
        }
        self.plans.values().for_each(|other| other.add_to_quota(state, &mut room));
        let stops = plan.stops.iter().filter(|stop| stop.preempted_by.is_none()).filter_map(|stop| state.allocation(stop.id));
        let (mut asked, mut freed) = (QuotaUse::default(), QuotaUse::default());
        stops.filter(|allocation| allocation.holds_resources()).for_each(|allocation| freed.add(&QuotaUse::of(&allocation.resources)));
        room.used.remove(&freed);
        plan.placements.iter().for_each(|allocation| asked.add(&QuotaUse::of(&allocation.resources)));
        room.shortage(&asked, &freed).is_none()
    }
}

/// Counts in what the state does not have yet.
fn add_coming(state: &State, usage: &mut BTreeMap<NodeId, Usage>, node: NodeId, coming: &[Coming]) {
    for coming in coming.iter().filter(|coming| state.allocation(coming.id).is_none()) {
        usage.entry(node).or_insert_with(|| state.node_usage(node).clone()).add_resources(&coming.resources, &coming.claims);
    }
}

/// A state with what is announced counted in.
#[derive(Clone, Debug)]
pub struct Foresight {
    pub state: Arc<State>,
    /// Of the nodes on which something is announced.
    usage: BTreeMap<NodeId, Usage>,
    plans: Vec<Arc<Placements>>,
    /// Plans announced after this one are not in it.
    pub seen: u64,
}

impl Snapshot for Foresight {
    fn index(&self) -> u64 {
        self.state.index()
    }

    fn job(&self, key: &JobKey) -> Option<Arc<Job>> {
        Snapshot::job(&*self.state, key)
    }

    fn job_allocations(&self, key: &JobKey) -> Vec<Arc<Allocation>> {
        self.state.job_allocations(key)
    }

    fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.state.node(id)
    }

    /// Both are in the order of ids, so they are walked side by side.
    fn nodes(&self) -> Box<dyn Iterator<Item = Member<'_>> + '_> {
        let mut changed = self.usage.iter().peekable();
        Box::new(self.state.members().map(move |member| {
            while changed.next_if(|(id, _)| **id < member.id).is_some() {}
            match changed.next_if(|(id, _)| **id == member.id) {
                Some((_, usage)) => Member { usage, ..member },
                None => member,
            }
        }))
    }

    fn node_allocations(&self, id: NodeId) -> Vec<Arc<Allocation>> {
        self.state.node_allocations(id)
    }

    fn latest_deployment(&self, key: &JobKey) -> Option<Arc<Deployment>> {
        Snapshot::latest_deployment(&*self.state, key)
    }

    fn scheduler_config(&self, node_pool: &str) -> Config {
        Snapshot::scheduler_config(&*self.state, node_pool)
    }

    fn quota(&self, namespace: &str) -> Option<QuotaRoom> {
        let mut room = self.state.quota_room(namespace)?;
        self.plans.iter().for_each(|plan| plan.add_to_quota(&self.state, &mut room));
        Some(room)
    }
}

#[cfg(test)]
mod tests;
