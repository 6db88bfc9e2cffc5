//! An allocation that was out of reach is heard again, and its replacement runs: one of the two stops.

use std::sync::Arc;

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::AllocId,
    job::{Job, TaskGroup},
    time::UnixNanos,
};

use super::standing::{is_current, was_unknown};

/// Those that stop.
pub(super) fn losers(job: &Job, group: &TaskGroup, running: &[Arc<Allocation>]) -> Vec<AllocId> {
    let returned = running.iter().filter(|allocation| allocation.client_status == ClientStatus::Running && was_unknown(allocation));
    let strategy = group.disconnect.as_ref().map_or("best_score", |strategy| strategy.reconcile.as_str());
    returned
        .filter_map(|original| {
            // The one that has its name now: its replacement, or what followed that one.
            let replacement = running.iter().find(|other| other.name == original.name && !was_unknown(other))?;
            Some(if keeps_original(strategy, job, original, replacement) { replacement.id } else { original.id })
        })
        .collect()
}

fn keeps_original(strategy: &str, job: &Job, original: &Allocation, replacement: &Allocation) -> bool {
    // An update in the meantime reached only the replacement.
    if !is_current(original, job) && is_current(replacement, job) {
        return false;
    }
    match strategy {
        "keep_original" => true,
        "keep_replacement" => false,
        "longest_running" => started(original) <= started(replacement),
        _ => score(original) >= score(replacement),
    }
}

fn started(allocation: &Allocation) -> UnixNanos {
    let started = allocation.task_states.values().map(|state| state.started_at.0).filter(|at| !at.is_never()).min();
    started.unwrap_or(UnixNanos(i64::MAX))
}

fn score(allocation: &Allocation) -> f64 {
    let own = allocation.metrics.score_meta_data.iter().find(|score| score.node_id == allocation.node_id);
    own.map_or(0.0, |score| score.norm_score)
}
