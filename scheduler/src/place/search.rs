//! The best node for the next allocation of a group, among all of them.
//!
//! Every node is scored once; a placement changes the score of one node and, where the job spreads, adds the same to all nodes that have the same
//! values of the spread attributes. So nodes lie in heaps by these values (and by how many parts their score is the mean of), in an order that
//! placements elsewhere do not change, and the next best is the best of the heaps' tops.

use std::collections::{BTreeMap, BinaryHeap};

use drover_model::{
    ids::{Name, NodeId},
    job::{Job, TaskGroup},
    node::Node,
};

use super::{
    ask::Ask,
    balance,
    fleet::{Fleet, Row},
    property::Property,
    score::{Parts, fit, mean},
    spread::Spreads,
    ties::Ties,
};
use crate::{
    Algorithm, Snapshot,
    feasible::{Requirements, reason},
    fit::Misfit,
};

mod build;

/// How many allocations of each group of the job will be on each node, as the plan stands.
pub(crate) type Live = BTreeMap<Name, BTreeMap<NodeId, Count>>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) all: u32,
    /// Those of them that the newest version will replace.
    pub(crate) passing: u32,
}

/// A score is the mean of at most so many parts beside the spread.
const MOST_PARTS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    score: i32,
    /// Chance decides between equals.
    tie: u32,
    row: u32,
    /// Older than the row's stamp: the row has another entry by now, or none.
    stamp: u32,
}

/// A node that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pick {
    pub(crate) row: Row,
    pub(crate) parts: Parts,
}

#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) group: &'a TaskGroup,
    pub(crate) ask: &'a Ask<'a>,
    pub(crate) requirements: &'a Requirements<'a>,
    algorithm: Algorithm,
    ties: Ties,
    /// Whether the newest version is placed: then what it will replace is as good as gone.
    newest: bool,
    feasible: Vec<bool>,
    /// What each node's score is made from, the spread apart; current where the row has an entry.
    sums: Vec<f64>,
    affinity: Vec<f64>,
    /// How much each node's devices are liked; empty where the group has no opinion.
    devices: Vec<f64>,
    /// The classes that are better left to others; empty where there are none.
    crowded: Vec<bool>,
    combination: Vec<u32>,
    /// The values of each combination in each dimension of the spread.
    combinations: Vec<Vec<u32>>,
    spreads: Spreads<'a>,
    properties: Vec<Property<'a>>,
    of_group: Vec<u32>,
    of_job: Vec<u32>,
    /// Those of the group that the next one would stand beside for long.
    rivals: Vec<u32>,
    stamps: Vec<u32>,
    heaps: Vec<BinaryHeap<Entry>>,
    /// Rows whose ports or devices turned out to be used up.
    pub(crate) exhausted: BTreeMap<Row, Misfit>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        context: Context<'_, '_>,
        job: &'a Job,
        group: &'a TaskGroup,
        ask: &'a Ask<'a>,
        requirements: &'a Requirements<'a>,
    ) -> Self {
        let Context { snapshot, fleet, live, algorithm, ties, newest } = context;
        let rows = fleet.len();
        let mut search = Self {
            group,
            ask,
            requirements,
            algorithm,
            ties,
            newest,
            feasible: vec![false; rows],
            sums: vec![0.0; rows],
            affinity: vec![0.0; rows],
            devices: Vec::new(),
            crowded: Vec::new(),
            combination: vec![0; rows],
            combinations: Vec::new(),
            spreads: Spreads::new(job, group),
            properties: requirements.distinct_properties.iter().map(|rule| Property::new(rule, rows)).collect(),
            of_group: vec![0; rows],
            of_job: vec![0; rows],
            rivals: vec![0; rows],
            stamps: vec![0; rows],
            heaps: Vec::new(),
            exhausted: BTreeMap::new(),
        };
        search.survey(fleet, job);
        search.count_live(snapshot, fleet, live);
        search.crowded = search.crowded_classes(fleet);
        search.fill(fleet);
        search
    }

    pub(crate) fn refused_by_node(&self, node: &Node) -> Option<String> {
        self.requirements.refused_by_node(node).or_else(|| self.ask.refused_by(node))
    }

    fn entry(&mut self, fleet: &Fleet<'_>, row: Row) -> Option<(usize, Entry)> {
        let parts = self.admits(fleet, row).then(|| self.parts(fleet, row))?;
        let (sum, count) = parts.base();
        self.sums[row] = sum;
        let heap = self.combination[row] as usize * MOST_PARTS + (usize::from(count) - 1).min(MOST_PARTS - 1);
        let entry = Entry {
            score: self.ties.quantized(sum / f64::from(count)),
            tie: self.ties.rank(row, fleet.node(row)),
            row: u32::try_from(row).unwrap_or(u32::MAX),
            stamp: self.stamps[row],
        };
        Some((heap, entry))
    }

    /// Whether one more could go there now, properties apart: those are looked at when a row comes up, since they change for many rows at once.
    pub(crate) fn admits(&self, fleet: &Fleet<'_>, row: Row) -> bool {
        self.feasible[row] && !self.shares_host(row) && self.misfit(fleet, row).is_none()
    }

    pub(crate) fn shares_host(&self, row: Row) -> bool {
        let Requirements { distinct_hosts_of_job, distinct_hosts_of_group, .. } = self.requirements;
        (*distinct_hosts_of_job && self.of_job[row] > 0) || (*distinct_hosts_of_group && self.of_group[row] > 0)
    }

    pub(crate) fn misfit(&self, fleet: &Fleet<'_>, row: Row) -> Option<Misfit> {
        if let Some(misfit) = self.exhausted.get(&row) {
            return Some(misfit.clone());
        }
        if self.ask.is_plain() {
            return fleet.lacks_room(row, self.ask.amounts());
        }
        let node = fleet.node(row);
        fleet.lacks_room(row, &self.ask.amounts_on(node)).or_else(|| self.ask.taken(node, fleet.exclusive(row)))
    }

    /// The property that has been used up, as the metrics put it.
    pub(crate) fn violates(&self, row: Row) -> Option<String> {
        self.properties.iter().find_map(|property| property.violation(row))
    }

    fn breaks_property(&self, row: Row) -> bool {
        self.properties.iter().any(|property| property.is_violated(row))
    }

    pub(crate) fn is_feasible(&self, row: Row) -> bool {
        self.feasible[row]
    }

    pub(crate) fn parts(&self, fleet: &Fleet<'_>, row: Row) -> Parts {
        let asked = if self.ask.is_plain() { *self.ask.amounts() } else { self.ask.amounts_on(fleet.node(row)) };
        let others = self.rivals[row];
        let anti_affinity = if others == 0 { 0.0 } else { -f64::from(others + 1) / f64::from(self.group.count.max(1)) };
        Parts {
            fit: fit(self.algorithm, fleet.capacity(row), &fleet.used(row).plus(asked)),
            anti_affinity: anti_affinity.max(-1.0),
            penalty: 0.0,
            affinity: self.affinity[row],
            balance: if self.is_unbalanced(fleet, row) { -1.0 } else { 0.0 },
            devices: self.devices.get(row).copied(),
            spread: self.spread(row),
            ..Parts::default()
        }
    }

    /// Whether the row is better left to others. One that would stand beside its own kind is no better.
    fn is_unbalanced(&self, fleet: &Fleet<'_>, row: Row) -> bool {
        !self.crowded.is_empty() && (self.crowded[fleet.class_of(row)] || self.rivals[row] > 0)
    }

    /// Looks again at which classes are better left to others.
    pub(crate) fn balance(&mut self, fleet: &Fleet<'_>) {
        let crowded = self.crowded_classes(fleet);
        if crowded != self.crowded {
            self.crowded = crowded;
            self.fill(fleet);
        }
    }

    /// Jobs that say themselves which nodes they like are taken at their word.
    fn crowded_classes(&self, fleet: &Fleet<'_>) -> Vec<bool> {
        // Nearly always nothing is bound, so that is asked first: the likings are as many as there are nodes.
        if !fleet.has_bound() || self.algorithm == Algorithm::Spread || !self.spreads.is_empty() {
            return Vec::new();
        }
        let has_opinion = self.affinity.iter().any(|liking| *liking != 0.0);
        if has_opinion { Vec::new() } else { balance::crowded(fleet, &self.feasible) }
    }

    fn spread(&self, row: Row) -> Option<f64> {
        self.spreads.score(&self.combinations[self.combination[row] as usize])
    }

    /// The best node. Those in `penalized` are worth less; `preferred` is taken if it is possible at all.
    pub(crate) fn pick(&mut self, fleet: &Fleet<'_>, penalized: &[Row], preferred: Option<Row>) -> Option<Pick> {
        let possible = |search: &Self, row: Row| search.admits(fleet, row) && !search.breaks_property(row);
        if let Some(row) = preferred.filter(|row| possible(self, *row)) {
            return Some(Pick { row, parts: self.parts(fleet, row) });
        }
        let mut aside = Vec::new();
        let mut best: Option<((i32, u32), Pick)> = None;
        for heap in 0..self.heaps.len() {
            let Some(entry) = self.top(heap, penalized, &mut aside) else { continue };
            let row = entry.row as usize;
            let score = match self.spread(row) {
                None => entry.score,
                spread => self.with_spread(heap, row, spread),
            };
            if best.as_ref().is_none_or(|(key, _)| (score, entry.tie) > *key) {
                best = Some(((score, entry.tie), Pick { row, parts: Parts::default() }));
            }
        }
        for row in penalized.iter().copied().filter(|row| possible(self, *row)) {
            let parts = Parts { penalty: -1.0, ..self.parts(fleet, row) };
            let key = (self.ties.quantized(parts.norm()), self.ties.rank(row, fleet.node(row)));
            if best.as_ref().is_none_or(|(other, _)| key > *other) {
                best = Some((key, Pick { row, parts }));
            }
        }
        aside.into_iter().for_each(|(heap, entry)| self.heaps[heap].push(entry));
        best.map(|(_, pick)| match pick.parts.penalty {
            0.0 => Pick { parts: self.parts(fleet, pick.row), ..pick },
            _ => pick,
        })
    }

    fn with_spread(&self, heap: usize, row: Row, spread: Option<f64>) -> i32 {
        let count = u8::try_from(heap % MOST_PARTS + 1).unwrap_or(1);
        self.ties.quantized(mean(self.sums[row], count, spread))
    }

    /// The best entry of a heap that still holds, with what is in its way put aside or dropped.
    fn top(&mut self, heap: usize, penalized: &[Row], aside: &mut Vec<(usize, Entry)>) -> Option<Entry> {
        loop {
            let entry = *self.heaps[heap].peek()?;
            let row = entry.row as usize;
            if self.stamps[row] == entry.stamp && !penalized.contains(&row) && !self.breaks_property(row) {
                return Some(entry);
            }
            self.heaps[heap].pop();
            if self.stamps[row] == entry.stamp && penalized.contains(&row) {
                aside.push((heap, entry));
            }
        }
    }

    /// The best rows, at most `limit`, best first: what the metrics show.
    pub(crate) fn best(&self, fleet: &Fleet<'_>, limit: usize) -> Vec<Pick> {
        // Of many combinations only the tops can be among the few that are shown.
        let depth = if self.heaps.len() > 16 * MOST_PARTS { 1 } else { limit };
        let rows = self.heaps.iter().flat_map(|heap| self.descend(heap).take(depth));
        let mut picks: Vec<_> = rows.map(|row| Pick { row, parts: self.parts(fleet, row) }).collect();
        picks.sort_by(|a, b| b.parts.norm().total_cmp(&a.parts.norm()).then(a.row.cmp(&b.row)));
        picks.truncate(limit);
        picks
    }

    /// The rows of a heap, best first, without taking them out: what is below an entry is never better than it.
    fn descend<'h>(&'h self, heap: &'h BinaryHeap<Entry>) -> impl Iterator<Item = Row> + use<'h, 'a> {
        let entries = heap.as_slice();
        let mut next: BinaryHeap<(Entry, usize)> = entries.first().map(|entry| (*entry, 0)).into_iter().collect();
        let in_order = std::iter::from_fn(move || {
            let (entry, at) = next.pop()?;
            next.extend([2 * at + 1, 2 * at + 2].into_iter().filter_map(|below| Some((*entries.get(below)?, below))));
            Some(entry)
        });
        let holds = |entry: &Entry| self.stamps[entry.row as usize] == entry.stamp && !self.breaks_property(entry.row as usize);
        in_order.filter(holds).map(|entry| entry.row as usize)
    }

    /// One of the group was added to the row.
    pub(crate) fn placed(&mut self, fleet: &Fleet<'_>, row: Row) {
        self.rivals[row] += 1;
        if !self.spreads.is_empty() {
            self.spreads.add(&self.combinations[self.combination[row] as usize]);
        }
        self.count_in(fleet, row);
    }

    fn count_in(&mut self, fleet: &Fleet<'_>, row: Row) {
        self.of_group[row] += 1;
        self.of_job[row] += 1;
        for property in &mut self.properties {
            property.add_on(row);
        }
        self.touch(fleet, row);
    }

    /// One of the group leaves a node, which may be out of the fleet, for its replacement. It was passing, so nothing was spread around it.
    pub(crate) fn removed(&mut self, fleet: &Fleet<'_>, node: &Node, row: Option<Row>) {
        for property in &mut self.properties {
            property.remove(node);
        }
        if let Some(row) = row {
            self.of_group[row] = self.of_group[row].saturating_sub(1);
            self.of_job[row] = self.of_job[row].saturating_sub(1);
            self.exhausted.remove(&row);
            self.touch(fleet, row);
        }
        // Rows that were dropped for a property may be possible again.
        if !self.properties.is_empty() {
            self.fill(fleet);
        }
    }

    /// The inverse of [`Self::removed`]: its replacement found no place.
    pub(crate) fn restored(&mut self, fleet: &Fleet<'_>, row: Row) {
        self.count_in(fleet, row);
    }

    /// The row's ports or devices are used up.
    pub(crate) fn exclude(&mut self, row: Row, misfit: Misfit) {
        self.exhausted.insert(row, misfit);
        self.stamps[row] += 1;
    }

    /// The row's room has changed.
    pub(crate) fn touch(&mut self, fleet: &Fleet<'_>, row: Row) {
        self.stamps[row] += 1;
        if let Some((heap, entry)) = self.entry(fleet, row) {
            self.heaps[heap].push(entry);
        }
    }
}

/// What a search is made from beside the group.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c, 's> {
    pub(crate) snapshot: &'s dyn Snapshot,
    pub(crate) fleet: &'c Fleet<'s>,
    pub(crate) live: &'c Live,
    pub(crate) algorithm: Algorithm,
    pub(crate) ties: Ties,
    /// Whether the job is placed in its newest version.
    pub(crate) newest: bool,
}

/// Why a row is not feasible, whatever runs there.
pub(crate) fn refusal(search: &Search<'_>, node: &Node) -> String {
    let refused = search.requirements.refused_by_class(node).or_else(|| search.refused_by_node(node));
    refused.unwrap_or_else(|| reason::DISTINCT_HOSTS.to_owned())
}
