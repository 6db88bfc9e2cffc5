//! The nodes that a job may be placed on, as columns: scoring walks over thousands of them and touches few fields of each.

use std::{collections::HashMap, sync::Arc};

use drover_model::{
    allocation::Allocation,
    ids::NodeId,
    job::Job,
    json::Map,
    node::Node,
    resources::{AllocatedResources, Amounts},
};

use crate::{
    Snapshot,
    feasible::{ALL_POOLS, in_scope},
    fit::{Misfit, Usage, exceeds, has_slot},
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
    class_of: Vec<u32>,
    /// Of each class its first node, which stands for all.
    classes: Vec<Row>,
    pub(crate) in_pool: u32,
    pub(crate) available: Map<u32>,
}

impl<'s> Fleet<'s> {
    pub(crate) fn new(snapshot: &'s dyn Snapshot, job: &Job) -> Self {
        let mut fleet = Self {
            nodes: Vec::new(),
            usage: Vec::new(),
            changed: Vec::new(),
            capacity: Vec::new(),
            used: Vec::new(),
            allocations: Vec::new(),
            class_of: Vec::new(),
            classes: Vec::new(),
            in_pool: 0,
            available: Map::default(),
        };
        let mut known: HashMap<&str, u32> = HashMap::new();
        for (node, usage) in snapshot.nodes() {
            if !node.is_schedulable() || (job.node_pool != node.node_pool && job.node_pool != ALL_POOLS) {
                continue;
            }
            fleet.in_pool += 1;
            if in_scope(job, node) {
                fleet.push(node, usage, &mut known);
            }
        }
        fleet
    }

    fn push(&mut self, node: &'s Arc<Node>, usage: &'s Usage, known: &mut HashMap<&'s str, u32>) {
        let row = self.nodes.len();
        match self.available.get_mut(&node.datacenter) {
            Some(count) => *count += 1,
            None => _ = self.available.insert(node.datacenter.clone(), 1),
        }
        let next = u32::try_from(self.classes.len()).unwrap_or(u32::MAX);
        // A node that has no class yet is one of its own.
        let class = if node.computed_class.is_empty() { next } else { *known.entry(&node.computed_class).or_insert(next) };
        if class == next {
            self.classes.push(row);
        }
        self.class_of.push(class);
        self.nodes.push(node);
        self.usage.push(usage);
        self.changed.push(None);
        self.capacity.push(node.capacity());
        self.used.push(usage.amounts);
        self.allocations.push(usage.allocations);
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

    /// One node of each class, by the class's number.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &'s Arc<Node>> + '_ {
        self.classes.iter().map(|row| self.nodes[*row])
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
        if !has_slot(self.nodes[row], self.allocations[row]) {
            return Some(Misfit::MaxAllocations);
        }
        exceeds(ask, &self.free(row))
    }

    pub(crate) fn add(&mut self, row: Row, allocation: &Allocation, amounts: Amounts) {
        self.used[row] = self.used[row].plus(amounts);
        self.allocations[row] += 1;
        if holds_exclusively(&allocation.resources) {
            self.change(row).add(allocation);
        }
    }

    pub(crate) fn remove(&mut self, row: Row, allocation: &Allocation) {
        self.used[row] = self.used[row].minus(allocation.resources.amounts());
        self.allocations[row] = self.allocations[row].saturating_sub(1);
        if holds_exclusively(&allocation.resources) {
            self.change(row).remove(allocation);
        }
    }

    fn change(&mut self, row: Row) -> &mut Usage {
        self.changed[row].get_or_insert_with(|| Box::new(self.usage[row].clone()))
    }
}

fn holds_exclusively(resources: &AllocatedResources) -> bool {
    let task_holds = |task: &drover_model::resources::AllocatedTask| {
        !task.networks.is_empty() || !task.devices.is_empty() || !task.cpu.reserved_cores.is_empty()
    };
    !resources.shared.ports.is_empty() || resources.tasks.values().any(task_holds)
}
