//! The nodes that a job may be placed on, as columns: scoring walks over thousands of them and touches few fields of each.

use std::sync::Arc;

use drover_model::{allocation::Allocation, ids::NodeId, job::Job, json::Map, node::Node, resources::Amounts};
use rustc_hash::FxHashMap;

use crate::{
    Member, Snapshot,
    feasible::{in_pool, in_scope},
    fit::{Misfit, Usage, exceeds},
    volumes,
};

/// A node's row in a [`Fleet`].
pub(crate) type Row = usize;

#[derive(Debug)]
pub(crate) struct Fleet<'s> {
    nodes: Vec<&'s Arc<Node>>,
    /// As the snapshot has it; amounts are in `used` and ports and the like in `changed` once a plan touches them.
    usage: Vec<&'s Usage>,
    changed: Vec<Option<Box<Usage>>>,
    capacity: Vec<Amounts>,
    used: Vec<Amounts>,
    allocations: Vec<u32>,
    /// The most allocations that each may have.
    slots: Vec<u32>,
    class_of: Vec<u32>,
    classes: Vec<Class<'s>>,
    pub(crate) in_pool: u32,
    pub(crate) available: Map<u32>,
    has_bound: bool,
}

/// Nodes that no constraint tells apart.
#[derive(Debug)]
struct Class<'s> {
    /// The first of them, which stands for all.
    node: &'s Arc<Node>,
    in_pool: bool,
    in_scope: bool,
    ready: u32,
}

impl<'s> Fleet<'s> {
    pub(crate) fn new(snapshot: &'s dyn Snapshot, job: &Job) -> Self {
        let members = snapshot.nodes();
        let most = members.size_hint().1.unwrap_or(0);
        let mut fleet = Self {
            nodes: Vec::with_capacity(most),
            usage: Vec::with_capacity(most),
            changed: Vec::with_capacity(most),
            capacity: Vec::with_capacity(most),
            used: Vec::with_capacity(most),
            allocations: Vec::with_capacity(most),
            slots: Vec::with_capacity(most),
            class_of: Vec::with_capacity(most),
            classes: Vec::new(),
            in_pool: 0,
            available: Map::default(),
            has_bound: false,
        };
        let mut known = FxHashMap::default();
        for member in members.filter(|member| member.profile.schedulable) {
            let class = *known.entry(member.profile.class).or_insert_with(|| fleet.begin_class(job, member.node));
            let members = &mut fleet.classes[class as usize];
            members.ready += 1;
            if members.in_scope {
                fleet.push(member, class);
            }
        }
        for class in fleet.classes.iter().filter(|class| class.in_pool) {
            fleet.in_pool += class.ready;
            if class.in_scope {
                *fleet.available.entry(class.node.datacenter.clone()).or_default() += class.ready;
            }
        }
        fleet
    }

    /// Scope is a matter of pool and datacenter, in which nodes of a class are equal.
    fn begin_class(&mut self, job: &Job, node: &'s Arc<Node>) -> u32 {
        let class = u32::try_from(self.classes.len()).unwrap_or(u32::MAX);
        let in_pool = in_pool(job, node);
        self.classes.push(Class { node, in_pool, in_scope: in_pool && in_scope(job, node), ready: 0 });
        class
    }

    fn push(&mut self, member: Member<'s>, class: u32) {
        let Member { node, profile, usage, .. } = member;
        self.class_of.push(class);
        self.nodes.push(node);
        self.usage.push(usage);
        self.changed.push(None);
        self.capacity.push(profile.capacity);
        self.used.push(usage.amounts);
        self.has_bound |= usage.bound != Amounts::default();
        self.allocations.push(usage.allocations);
        self.slots.push(profile.slots);
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, row: Row) -> &'s Arc<Node> {
        self.nodes[row]
    }

    /// Rows are in the order of ids.
    pub(crate) fn row(&self, id: NodeId) -> Option<Row> {
        self.nodes.binary_search_by(|node| node.id.cmp(&id)).ok()
    }

    pub(crate) fn class_of(&self, row: Row) -> usize {
        self.class_of[row] as usize
    }

    /// One node of each class, by the class's number. Also of those out of scope.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &'s Arc<Node>> + '_ {
        self.classes.iter().map(|class| class.node)
    }

    /// The same, with whether the class is in the job's pool and datacenters.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = (&'s Arc<Node>, bool)> + '_ {
        self.classes.iter().map(|class| (class.node, class.in_scope))
    }

    /// Whether some nodes run what suits a part of the nodes only.
    pub(crate) fn has_bound(&self) -> bool {
        self.has_bound
    }

    pub(crate) fn capacity(&self, row: Row) -> &Amounts {
        &self.capacity[row]
    }

    pub(crate) fn used(&self, row: Row) -> &Amounts {
        &self.used[row]
    }

    pub(crate) fn allocations(&self, row: Row) -> u32 {
        self.allocations[row]
    }

    pub(crate) fn free(&self, row: Row) -> Amounts {
        self.capacity[row].minus(self.used[row])
    }

    /// Ports, cores and devices in use. The amounts in it are not those of the plan: see [`Self::used`].
    pub(crate) fn exclusive(&self, row: Row) -> &Usage {
        self.changed[row].as_deref().unwrap_or(self.usage[row])
    }

    pub(crate) fn lacks_room(&self, row: Row, ask: &Amounts) -> Option<Misfit> {
        if self.allocations[row] >= self.slots[row] {
            return Some(Misfit::MaxAllocations);
        }
        exceeds(ask, &self.free(row))
    }

    pub(crate) fn add(&mut self, row: Row, allocation: &Allocation, amounts: Amounts) {
        self.used[row] = self.used[row].plus(amounts);
        self.allocations[row] += 1;
        if holds_exclusively(allocation) {
            self.change(row).add(allocation);
        }
    }

    pub(crate) fn remove(&mut self, row: Row, allocation: &Allocation) {
        self.used[row] = self.used[row].minus(allocation.resources.amounts());
        self.allocations[row] = self.allocations[row].saturating_sub(1);
        if holds_exclusively(allocation) {
            self.change(row).remove(allocation);
        }
    }

    fn change(&mut self, row: Row) -> &mut Usage {
        self.changed[row].get_or_insert_with(|| Box::new(self.usage[row].clone()))
    }
}

fn holds_exclusively(allocation: &Allocation) -> bool {
    let resources = &allocation.resources;
    let task_holds = |task: &drover_model::resources::AllocatedTask| {
        !task.networks.is_empty() || !task.devices.is_empty() || !task.cpu.reserved_cores.is_empty()
    };
    let mounts = || allocation.group().is_some_and(volumes::has_mounts);
    !resources.shared.ports.is_empty() || resources.tasks.values().any(task_holds) || mounts()
}
