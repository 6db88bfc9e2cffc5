//! `distinct_property`: at most so many allocations for each value of an attribute.

use drover_model::node::Node;

use super::{fleet::Row, spread::Values};
use crate::feasible::{DistinctProperty, resolve};

/// One such rule while a group is placed.
#[derive(Debug)]
pub(crate) struct Property<'a> {
    rule: &'a DistinctProperty<'a>,
    values: Values,
    of_row: Vec<u32>,
    counts: Vec<u32>,
}

impl<'a> Property<'a> {
    pub(crate) fn new(rule: &'a DistinctProperty<'a>, rows: usize) -> Self {
        Self { rule, values: Values::default(), of_row: vec![0; rows], counts: vec![0] }
    }

    pub(crate) fn of_whole_job(&self) -> bool {
        self.rule.whole_job
    }

    fn number(&mut self, node: &Node) -> u32 {
        let number = self.values.number(resolve(node, self.rule.target).as_deref());
        self.counts.resize(self.values.count(), 0);
        number
    }

    pub(crate) fn note(&mut self, row: Row, node: &Node) {
        self.of_row[row] = self.number(node);
    }

    pub(crate) fn add(&mut self, node: &Node, count: u32) {
        let number = self.number(node) as usize;
        self.counts[number] += count;
    }

    pub(crate) fn add_on(&mut self, row: Row) {
        self.counts[self.of_row[row] as usize] += 1;
    }

    pub(crate) fn remove(&mut self, node: &Node) {
        let number = self.number(node) as usize;
        self.counts[number] = self.counts[number].saturating_sub(1);
    }

    pub(crate) fn is_violated(&self, row: Row) -> bool {
        let value = self.of_row[row];
        value == 0 || self.counts[value as usize] >= self.rule.limit
    }

    /// The same in the metrics' words.
    pub(crate) fn violation(&self, row: Row) -> Option<String> {
        let (value, target) = (self.of_row[row], self.rule.target);
        if value == 0 {
            return Some(format!("missing property {target:?}"));
        }
        let used = self.counts[value as usize];
        (used >= self.rule.limit).then(|| format!("distinct_property: {target}={} used by {used} allocs", self.values.value(value)))
    }
}
