//! An allocation that was out of reach is heard again, and its replacement runs: one of the two stops.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::AllocId,
    job::{Job, TaskGroup},
    time::UnixNanos,
};

use super::{
    group::Member,
    standing::{Standing, is_current, was_unknown},
};

/// Those that stop.
pub(super) fn losers(job: &Job, group: &TaskGroup, running: &[Arc<Allocation>]) -> Vec<AllocId> {
    let returned = running.iter().filter(|allocation| allocation.client_status != ClientStatus::Unknown && was_unknown(allocation));
    let strategy = group.disconnect.as_ref().map_or("best_score", |strategy| strategy.reconcile.as_str());
    returned
        .filter_map(|original| {
            // The one that has its name now: its replacement, or what followed that one.
            let takes_place = |other: &&Arc<Allocation>| other.name == original.name && other.create_index > original.create_index;
            let replacement = running.iter().find(takes_place)?;
            Some(if keeps_original(strategy, job, original, replacement) { replacement.id } else { original.id })
        })
        .collect()
}

/// Those that were out of reach and would be replaced now, or done once more, although what took their place then is there already or has done it.
pub(super) fn superfluous(members: &[Member]) -> Vec<AllocId> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    for member in members {
        let name = &*member.allocation.name;
        if member.standing == Standing::Done {
            done.insert(name);
        }
        if member.standing != Standing::Lost {
            let newest = latest.entry(name).or_default();
            *newest = member.allocation.create_index.max(*newest);
        }
    }
    let is_superfluous = |member: &&Member| {
        let allocation = &*member.allocation;
        match member.standing {
            Standing::Runs => done.contains(&*allocation.name),
            Standing::Migrate | Standing::RescheduleNow { .. } | Standing::RescheduleLater { .. } | Standing::Held | Standing::Renews => {
                was_unknown(allocation) && latest.get(&*allocation.name).is_some_and(|newest| *newest > allocation.create_index)
            }
            _ => false,
        }
    };
    members.iter().filter(is_superfluous).map(|member| member.allocation.id).collect()
}

/// What was done twice, since nobody saw that it was being done, is done once.
pub(super) fn count_once(members: &mut Vec<Member>) {
    let mut done = BTreeSet::new();
    members.retain(|member| member.standing != Standing::Done || done.insert(member.allocation.name.clone()));
}

fn keeps_original(strategy: &str, job: &Job, original: &Allocation, replacement: &Allocation) -> bool {
    // An update in the meantime reached only the replacement.
    if !is_current(original, job) && is_current(replacement, job) {
        return false;
    }
    // One that was lost sight of before it ran serves nobody yet.
    if original.client_status == ClientStatus::Pending && replacement.client_status == ClientStatus::Running {
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
