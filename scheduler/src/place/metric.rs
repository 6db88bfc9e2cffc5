//! Why an allocation stands where it stands, or nowhere.

use drover_model::{
    allocation::{AllocMetric, NodeScore},
    job::{Job, Resources},
    json::{List, Map},
    node::Node,
};

use super::{
    fleet::{Fleet, Row},
    search::{Pick, Search, refusal},
};
use crate::{feasible::reason, fit::Misfit};

/// How many nodes a metric names.
pub(crate) const SHOWN_NODES: usize = 5;

/// What is the same for all allocations of a group: the nodes looked at, and why some were out of the question.
pub(crate) fn survey(search: &Search<'_>, fleet: &Fleet<'_>, job: &Job) -> AllocMetric {
    let mut metric = AllocMetric {
        nodes_evaluated: u32::try_from(fleet.len()).unwrap_or(u32::MAX),
        nodes_in_pool: fleet.in_pool,
        node_pool: job.node_pool.clone(),
        nodes_available: fleet.available.clone(),
        ..AllocMetric::default()
    };
    for row in (0..fleet.len()).filter(|row| !search.is_feasible(*row)) {
        filtered(&mut metric, fleet.node(row), &refusal(search, fleet.node(row)));
    }
    metric
}

fn filtered(metric: &mut AllocMetric, node: &Node, reason: &str) {
    metric.nodes_filtered += 1;
    count(&mut metric.constraint_filtered, reason);
    if !node.node_class.is_empty() {
        count(&mut metric.class_filtered, &node.node_class);
    }
}

fn count(counts: &mut Map<u32>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => _ = counts.insert(key.to_owned(), 1),
    }
}

/// The same with what nodes lack at this moment: for one that could not be placed on any of `rows`.
pub(crate) fn failure(search: &Search<'_>, fleet: &Fleet<'_>, job: &Job, rows: impl Iterator<Item = Row>) -> AllocMetric {
    let mut metric = survey(search, fleet, job);
    let mut lacking = Vec::new();
    for row in rows.filter(|row| search.is_feasible(*row)) {
        let node = fleet.node(row);
        if search.shares_host(row) {
            filtered(&mut metric, node, reason::DISTINCT_HOSTS);
        } else if let Some(property) = search.violates(row) {
            filtered(&mut metric, node, &property);
        } else if let Some(misfit) = search.misfit(fleet, row) {
            metric.nodes_exhausted += 1;
            count(&mut metric.dimension_exhausted, &misfit.to_string());
            if !node.node_class.is_empty() {
                count(&mut metric.class_exhausted, &node.node_class);
            }
            lacking.push(misfit);
        }
    }
    lacking.sort();
    lacking.dedup();
    metric.resources_exhausted = asked_in(search, &lacking);
    metric
}

/// What each task asks for in the dimensions that ran out.
fn asked_in(search: &Search<'_>, lacking: &[Misfit]) -> Map<Resources> {
    let (cpu, memory, cores) = (lacking.contains(&Misfit::Cpu), lacking.contains(&Misfit::Memory), lacking.contains(&Misfit::Cores));
    if !(cpu || memory || cores) {
        return Map::default();
    }
    let of_task = |(name, asked): (&str, &Resources)| {
        let resources = Resources {
            cpu_mhz: if cpu { asked.cpu_mhz } else { 0 },
            memory_mib: if memory { asked.memory_mib } else { 0 },
            cores: if cores { asked.cores } else { 0 },
            ..Resources::default()
        };
        (name.to_owned(), resources)
    };
    search.ask.tasks().map(of_task).collect()
}

/// One more of the group failed as the first did.
pub(crate) fn coalesce(metric: &mut AllocMetric) {
    metric.coalesced_failures += 1;
    for resources in metric.resources_exhausted.values_mut() {
        let times = |amount: u32, failures: u32| (amount / failures).saturating_mul(failures + 1);
        resources.cpu_mhz = times(resources.cpu_mhz, metric.coalesced_failures);
        resources.memory_mib = times(resources.memory_mib, metric.coalesced_failures);
        resources.cores = times(resources.cores, metric.coalesced_failures);
    }
}

/// The scores of the best nodes and of the one that was chosen.
pub(crate) fn scores(fleet: &Fleet<'_>, chosen: Pick, best: &[Pick]) -> List<NodeScore> {
    let others = best.iter().filter(|pick| pick.row != chosen.row).take(SHOWN_NODES - 1);
    let mut shown: Vec<_> = std::iter::once(&chosen).chain(others).collect();
    shown.sort_by(|a, b| b.parts.norm().total_cmp(&a.parts.norm()));
    let score = |pick: &&Pick| NodeScore { node_id: fleet.node(pick.row).id, scores: pick.parts.named(), norm_score: pick.parts.norm() };
    List(shown.iter().map(score).collect())
}
