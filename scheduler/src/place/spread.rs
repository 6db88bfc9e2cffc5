//! Sharing a group out over the values of attributes (`spread` blocks).

use std::collections::HashMap;

use drover_model::{
    job::{Job, Spread, TaskGroup},
    node::Node,
};

use crate::feasible::{is_unique, resolve};

/// A number for each distinct value seen; 0 is "no value".
#[derive(Debug, Default)]
pub(crate) struct Values(HashMap<String, u32>);

impl Values {
    pub(crate) fn number(&mut self, value: Option<&str>) -> u32 {
        let Some(value) = value else { return 0 };
        if let Some(known) = self.0.get(value) {
            return *known;
        }
        let next = u32::try_from(self.0.len() + 1).unwrap_or(u32::MAX);
        self.0.insert(value.to_owned(), next);
        next
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len() + 1
    }

    pub(crate) fn value(&self, number: u32) -> &str {
        self.0.iter().find(|(_, known)| **known == number).map_or("", |(value, _)| value)
    }
}

/// The least and the most that run on nodes with one of the values. Nodes without a value (its number is 0) do not matter.
#[derive(Clone, Copy, Debug, Default)]
struct Extremes {
    least: u32,
    /// How many values have the least.
    holders: u32,
    most: u32,
}

impl Extremes {
    /// A value was seen for the first time.
    fn begin(&mut self, value: u32) {
        if value > 0 {
            let holders = if self.least == 0 { self.holders } else { 0 };
            (self.least, self.holders) = (0, holders + 1);
        }
    }

    /// One more has a value; `count` is how many it is now.
    fn add(&mut self, value: u32, count: u32, counts: &[u32]) {
        if value == 0 {
            return;
        }
        self.most = self.most.max(count);
        if count == self.least + 1 {
            self.holders -= 1;
        }
        if self.holders == 0 {
            let counts = || counts.iter().skip(1);
            self.least = counts().copied().min().unwrap_or(0);
            self.holders = u32::try_from(counts().filter(|count| **count == self.least).count()).unwrap_or(u32::MAX);
        }
    }
}

/// One `spread` block while a group is placed.
#[derive(Debug)]
struct Dimension<'a> {
    spread: &'a Spread,
    /// Its weight among all of the group's.
    share: f64,
    values: Values,
    /// How many of the group run on nodes with each value.
    counts: Vec<u32>,
    extremes: Extremes,
    /// How many of the group each value is to have that a target names, and how many values no target names.
    named: Vec<Option<f64>>,
    unnamed: u32,
}

/// All `spread` blocks of a group.
#[derive(Debug)]
pub(crate) struct Spreads<'a> {
    dimensions: Vec<Dimension<'a>>,
    group_count: u32,
}

impl<'a> Spreads<'a> {
    pub(crate) fn new(job: &'a Job, group: &'a TaskGroup) -> Self {
        let overridden = |spread: &&Spread| !group.spreads.iter().any(|other| other.attribute == spread.attribute);
        let spreads: Vec<_> = group.spreads.iter().chain(job.spreads.iter().filter(overridden)).collect();
        let total: f64 = spreads.iter().map(|spread| f64::from(spread.weight)).sum();
        let even_share = 1.0 / f64::from(u32::try_from(spreads.len()).unwrap_or(u32::MAX).max(1));
        let dimension = |spread: &'a Spread| Dimension {
            spread,
            share: if total > 0.0 { f64::from(spread.weight) / total } else { even_share },
            values: Values::default(),
            counts: Vec::new(),
            extremes: Extremes::default(),
            named: Vec::new(),
            unnamed: 0,
        };
        Self { dimensions: spreads.into_iter().map(dimension).collect(), group_count: group.count }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dimensions.is_empty()
    }

    pub(crate) fn escape_class(&self) -> bool {
        self.dimensions.iter().any(|dimension| is_unique(&dimension.spread.attribute))
    }

    /// The node's value in each dimension.
    pub(crate) fn values_of(&mut self, node: &Node) -> Vec<u32> {
        let count = self.group_count;
        self.dimensions.iter_mut().map(|dimension| dimension.value_of(node, count)).collect()
    }

    pub(crate) fn add(&mut self, values: &[u32]) {
        for (dimension, value) in self.dimensions.iter_mut().zip(values) {
            dimension.add(*value);
        }
    }

    /// What one more on a node with these values is worth; none when the job does not spread.
    pub(crate) fn score(&self, values: &[u32]) -> Option<f64> {
        if self.dimensions.is_empty() {
            return None;
        }
        Some(self.dimensions.iter().zip(values).map(|(dimension, value)| dimension.score(*value, self.group_count) * dimension.share).sum())
    }
}

impl Dimension<'_> {
    fn value_of(&mut self, node: &Node, group_count: u32) -> u32 {
        let value = resolve(node, &self.spread.attribute);
        let number = self.values.number(value.as_deref());
        if self.counts.len() < self.values.count() {
            self.counts.resize(self.values.count(), 0);
            self.extremes.begin(number);
            let named = value.and_then(|value| self.spread.spread_target.iter().find(|target| target.value == value));
            self.named.resize(self.values.count(), None);
            self.named[number as usize] = named.map(|target| f64::from(target.percent) / 100.0 * f64::from(group_count));
            self.unnamed += u32::from(named.is_none() && number > 0);
        }
        number
    }

    fn add(&mut self, value: u32) {
        let count = &mut self.counts[value as usize];
        *count += 1;
        self.extremes.add(value, *count, &self.counts);
    }

    /// How many of the group a value is to have; none where all are just to be even. What the targets leave over is shared by the values that they do
    /// not name.
    fn desired(&self, value: u32, group_count: u32) -> Option<f64> {
        let targets = &self.spread.spread_target;
        if targets.is_empty() {
            return None;
        }
        self.named[value as usize].or_else(|| {
            let named: u32 = targets.iter().map(|target| u32::from(target.percent)).sum();
            let rest = f64::from(100_u32.saturating_sub(named)) / 100.0 * f64::from(group_count);
            Some(rest / f64::from(self.unnamed.max(1)))
        })
    }

    fn score(&self, value: u32, group_count: u32) -> f64 {
        if value == 0 {
            return -1.0;
        }
        let count = self.counts[value as usize];
        match self.desired(value, group_count) {
            Some(desired) if desired <= 0.0 => -1.0,
            Some(desired) => ((desired - f64::from(count) - 1.0) / desired).clamp(-1.0, 1.0),
            None => self.evenness(count),
        }
    }

    fn evenness(&self, count: u32) -> f64 {
        let Extremes { least, most, .. } = self.extremes;
        if count == least {
            return if most > least { 1.0 } else { 0.0 };
        }
        -f64::from(count - least) / f64::from(most.max(1))
    }
}

#[cfg(test)]
mod tests {
    use drover_model::{job::SpreadTarget, json::List};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn node(dc: &str) -> Node {
        Node { datacenter: dc.to_owned(), ..Node::default() }
    }

    fn place(spreads: &mut Spreads<'_>, nodes: &[Node], count: u32) -> Vec<u32> {
        let values: Vec<_> = nodes.iter().map(|node| spreads.values_of(node)).collect();
        let mut placed = vec![0; nodes.len()];
        for _ in 0..count {
            let scores: Vec<_> = values.iter().map(|values| spreads.score(values).unwrap()).collect();
            let best = (0..nodes.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            spreads.add(&values[best]);
            placed[best] += 1;
        }
        placed
    }

    proptest! {
        /// Values come up one after another, also after some have been placed.
        #[test]
        fn the_extremes_are_those_of_the_counts(steps in vec((0u32..8, any::<bool>()), 1..80)) {
            let spread = Spread { attribute: "${node.datacenter}".to_owned(), weight: 100, ..Spread::default() };
            let job = Job { spreads: List(vec![spread]), ..Job::default() };
            let group = TaskGroup::default();
            let mut spreads = Spreads::new(&job, &group);
            for (dc, places) in steps {
                let name = if dc == 0 { String::new() } else { format!("dc{dc}") };
                let values = spreads.values_of(&node(&name));
                if places {
                    spreads.add(&values);
                }
                let Dimension { counts, extremes, .. } = &spreads.dimensions[0];
                let counts = || counts.iter().skip(1).copied();
                prop_assert_eq!((extremes.least, extremes.most), (counts().min().unwrap_or(0), counts().max().unwrap_or(0)));
            }
        }
    }

    #[test]
    fn targets_and_evenness_are_met() {
        let target = |value: &str, percent| SpreadTarget { value: value.to_owned(), percent };
        for (name, targets, count, want) in [
            ("even", vec![], 9, vec![3, 3, 3]),
            ("as told", vec![target("dc1", 70), target("dc2", 30)], 10, vec![7, 3, 0]),
            ("rest to the others", vec![target("dc1", 50)], 8, vec![4, 2, 2]),
        ] {
            let spread = Spread { attribute: "${node.datacenter}".to_owned(), weight: 100, spread_target: List(targets) };
            let job = Job { spreads: List(vec![spread]), ..Job::default() };
            let group = TaskGroup { count, ..TaskGroup::default() };
            let nodes = [node("dc1"), node("dc2"), node("dc3")];
            let placed = place(&mut Spreads::new(&job, &group), &nodes, count);
            assert_eq!(placed, want, "{name}");
        }
    }
}
