//! What a search knows before the first placement: who suits, what is liked, what runs already.

use std::collections::BinaryHeap;

use drover_model::{job::Job, node::Node};
use rustc_hash::FxHashMap;

use super::{Entry, Live, MOST_PARTS, Search};
use crate::{
    Snapshot,
    place::{fleet::Fleet, liking::Affinities},
};

impl Search<'_> {
    /// What does not change while the group is placed: feasibility, affinity, values of attributes.
    pub(super) fn survey(&mut self, fleet: &Fleet<'_>, job: &Job) {
        let affinities = Affinities::new(job, self.group);
        let by_class: Vec<_> = fleet.classes().map(|node| self.requirements.refused_by_class(node).is_none()).collect();
        let liked: Vec<_> = fleet.classes().map(|node| affinities.score(node)).collect();
        let mut known: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
        let mut of_class: Vec<Option<u32>> = vec![None; by_class.len()];
        // Where nothing tells nodes of a class apart, not one of them is fetched from memory.
        let closely = self.requirements.tell_nodes_apart() || !self.ask.is_plain();
        let (unique_affinity, unique_spread) = (affinities.escape_class(), self.spreads.escape_class());
        for row in 0..fleet.len() {
            let (node, class) = (fleet.node(row), fleet.class_of(row));
            self.feasible[row] = by_class[class] && !(closely && self.refused_by_node(node).is_some());
            self.affinity[row] = if unique_affinity { affinities.score(node) } else { liked[class] };
            self.combination[row] = match of_class[class] {
                Some(known) if !unique_spread => known,
                _ => self.combine(node, &mut known),
            };
            of_class[class] = Some(self.combination[row]);
            for property in &mut self.properties {
                property.note(row, node);
            }
        }
        if self.ask.has_device_affinities() {
            self.devices = (0..fleet.len()).map(|row| self.ask.device_liking(fleet.node(row))).collect();
        }
        self.heaps.resize_with(self.combinations.len().max(1) * MOST_PARTS, BinaryHeap::new);
    }

    fn combine(&mut self, node: &Node, known: &mut FxHashMap<Vec<u32>, u32>) -> u32 {
        let values = self.spreads.values_of(node);
        if let Some(known) = known.get(&values) {
            return *known;
        }
        let next = u32::try_from(self.combinations.len()).unwrap_or(u32::MAX);
        self.combinations.push(values.clone());
        known.insert(values, next);
        next
    }

    pub(super) fn count_live(&mut self, snapshot: &dyn Snapshot, fleet: &Fleet<'_>, live: &Live) {
        for (group, nodes) in live {
            let same_group = *group == self.group.name;
            for (id, count) in nodes {
                let lasting = count.all - if self.newest { count.passing } else { 0 };
                let row = fleet.row(*id);
                if let Some(row) = row {
                    self.of_job[row] += count.all;
                    self.of_group[row] += if same_group { count.all } else { 0 };
                    self.rivals[row] += if same_group { lasting } else { 0 };
                }
                let wanted = self.properties.iter().any(|property| property.of_whole_job() || same_group);
                if !wanted && (!same_group || self.spreads.is_empty()) {
                    continue;
                }
                // Allocations on nodes that take no new work count as well.
                if let Some(node) = row.map(|row| fleet.node(row)).or_else(|| snapshot.node(*id)) {
                    self.count_on(node, same_group, count.all, lasting);
                }
            }
        }
    }

    fn count_on(&mut self, node: &Node, same_group: bool, all: u32, lasting: u32) {
        for property in self.properties.iter_mut().filter(|property| property.of_whole_job() || same_group) {
            property.add(node, all);
        }
        if same_group {
            let values = self.spreads.values_of(node);
            (0..lasting).for_each(|_| self.spreads.add(&values));
        }
    }

    pub(super) fn fill(&mut self, fleet: &Fleet<'_>) {
        let mut entries: Vec<Vec<Entry>> = self.heaps.iter().map(|_| Vec::new()).collect();
        if self.spreads.is_empty() {
            // Nearly always all are in the first.
            entries[0].reserve(fleet.len());
        }
        for row in 0..fleet.len() {
            if let Some((heap, entry)) = self.entry(fleet, row) {
                entries[heap].push(entry);
            }
        }
        self.heaps = entries.into_iter().map(BinaryHeap::from).collect();
    }
}
