//! What holds at every moment of a story, and what must hold at its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use drover_model::{
    allocation::{Allocation, ClientStatus, DesiredStatus, description},
    evaluation::{EvalStatus, Evaluation},
    job::{Job, JobType, TaskGroup},
    plan::Outcome,
    quota::QuotaUse,
};
use drover_scheduler::{Member, Profile, Usage};

use super::cluster::Cluster;
use crate::state::State;

pub(super) fn check(cluster: &Cluster) {
    let state = cluster.state();
    nodes_hold_what_they_can(state);
    quotas_are_kept(state);
    evaluations_are_not_forgotten(cluster);
    for job in state.jobs() {
        for group in &job.task_groups {
            let key = job.key();
            let allocations: Vec<_> = state.allocations_of_job(&key).filter(|row| row.task_group == group.name).cloned().collect();
            match job.kind {
                JobType::System | JobType::Sysbatch => one_on_each_node(&allocations),
                JobType::Service | JobType::Batch => names_are_unique(job, group, &allocations),
            }
            limits_hold(state, job, group, &allocations);
            if job.kind == JobType::Batch {
                what_is_done_is_not_done_again(&allocations);
            }
        }
    }
}

fn nodes_hold_what_they_can(state: &State) {
    for Member { node, profile, usage, .. } in state.members() {
        assert_eq!(profile, Profile::of(node), "what is kept beside {} is what it says", node.name);
        let here: Vec<_> = state.allocations_of_node(node.id).map(|row| &**row).collect();
        assert_eq!(*usage, Usage::of(here.iter().copied()), "the usage of {} is what its allocations use", node.name);
        // What is on its way out overlaps for a moment with what its own job put in its place, and counts against all others.
        let staying = || here.iter().copied().filter(|row| !row.is_terminal());
        assert_eq!(Usage::of(staying()).amounts.exceeds(&node.capacity()), None, "{} is oversubscribed", node.name);
        let ports: Vec<u16> = staying().flat_map(|row| row.resources.host_ports()).collect();
        assert_eq!(ports.len(), ports.iter().collect::<BTreeSet<_>>().len(), "a port of {} is given twice", node.name);
    }
}

fn quotas_are_kept(state: &State) {
    for quota in state.quotas().map(|quota| &quota.spec) {
        let of = |rows: &mut dyn Iterator<Item = &Arc<Allocation>>| {
            let mut sum = QuotaUse::default();
            rows.for_each(|row| sum.add(&QuotaUse::of(&row.resources)));
            sum
        };
        let under = || state.allocations().filter(|row| state.quota_of(&row.namespace) == Some(&quota.name));
        assert_eq!(state.quota_use(&quota.name), of(&mut under().filter(|row| row.holds_resources())), "what is used of {}", quota.name);
        // As on nodes: what is on its way out overlaps with what took its place.
        let staying = of(&mut under().filter(|row| !row.is_terminal()));
        let limit = quota.limits[0].region_limit.as_ref().map_or(0, |limit| limit.cpu_mhz);
        assert!(staying.cpu_mhz <= limit as u64, "{} of {limit} MHz of {} are in use", staying.cpu_mhz, quota.name);
    }
}

fn evaluations_are_not_forgotten(cluster: &Cluster) {
    let mut blocked = 0;
    for evaluation in cluster.state().evaluations() {
        match evaluation.status {
            EvalStatus::Blocked => blocked += 1,
            _ => continue,
        }
    }
    assert!(cluster.blocked.len() <= blocked + cluster.pending.len(), "what waits for room is in the state");
}

/// What is to run and has not been succeeded by another one.
fn is_live(allocation: &Allocation) -> bool {
    !allocation.is_terminal() && allocation.next_allocation.is_none()
}

/// Its servers and its client are of one mind about it.
fn was_never_lost(allocation: &Allocation) -> bool {
    allocation.client_status != ClientStatus::Unknown && allocation.alloc_states.is_empty()
}

fn names_are_unique(job: &Job, group: &TaskGroup, allocations: &[Arc<Allocation>]) {
    let mut names = BTreeSet::new();
    let live = || allocations.iter().filter(|row| is_live(row) && was_never_lost(row));
    for allocation in live() {
        assert!(
            names.insert((&allocation.name, allocation.job.version)),
            "two of {} run version {}{}",
            allocation.name,
            allocation.job.version,
            listing(job, allocations)
        );
    }
    let current = live().filter(|row| row.job.version == job.version && !row.is_canary()).count();
    // More canaries than are wanted of the group are too many from their promotion to the next evaluation.
    let most = group.count.max(group.update.as_ref().map_or(0, |strategy| strategy.canary));
    assert!(job.stop || current <= most as usize, "{current} of {} run in {}", group.count, job.id);
}

/// What of a job a failure is about, a line each.
fn listing(job: &Job, allocations: &[Arc<Allocation>]) -> String {
    let mut lines = format!(" (newest version: {})", job.version);
    for row in allocations.iter().filter(|row| !row.is_server_terminal() || row.job.version == job.version) {
        let traits = [
            (row.is_canary(), "canary"),
            (!row.alloc_states.is_empty(), "was unknown"),
            (row.next_allocation.is_some(), "succeeded"),
            (row.followup_eval_id.is_some(), "waits for an evaluation"),
        ];
        let traits: Vec<_> = traits.into_iter().filter_map(|(has, name)| has.then_some(name)).collect();
        let (before, transition) = (row.previous_allocation, &row.desired_transition);
        let _ = write!(
            lines,
            "\n  {} {} of version {}: {:?}, {:?} ({}), healthy {:?}, after {before:?}, {}; {}; migrate {:?}",
            row.id,
            row.name,
            row.job.version,
            row.desired_status,
            row.client_status,
            row.desired_description,
            row.is_healthy(),
            row.node_name,
            traits.join(", "),
            transition.migrate
        );
    }
    lines
}

fn one_on_each_node(allocations: &[Arc<Allocation>]) {
    let mut nodes = BTreeSet::new();
    for allocation in allocations.iter().filter(|row| is_live(row)) {
        assert!(nodes.insert(allocation.node_id), "two of {} are on {}", allocation.name, allocation.node_name);
    }
}

/// Canaries, and allocations that an update replaced of which nobody knows yet whether they are healthy.
fn limits_hold(state: &State, job: &Job, group: &TaskGroup, allocations: &[Arc<Allocation>]) {
    let Some(strategy) = group.update.as_ref().filter(|strategy| strategy.rolls()) else { return };
    let Some(deployment) = state.latest_rollout(&job.key()).filter(|row| row.is_active() && row.job_version == job.version) else {
        return;
    };
    let Some(progress) = deployment.task_groups.get(&group.name) else { return };
    let ours = || allocations.iter().filter(|row| row.deployment_id == Some(deployment.id) && is_live(row) && was_never_lost(row));
    let canaries = ours().filter(|row| row.is_canary()).count();
    assert!(canaries <= progress.desired_canaries as usize, "{canaries} canaries of {} in {}", progress.desired_canaries, job.id);
    let was_updated = |id| {
        let before: Option<&Arc<Allocation>> = state.allocation(id);
        // What had failed anyhow is not missed.
        let served = |before: &Arc<Allocation>| before.job.version != job.version && before.client_status != ClientStatus::Failed;
        before.is_some_and(|before| &*before.desired_description == description::UPDATING && served(before))
    };
    let is_new = |row: &&Arc<Allocation>| row.create_index >= deployment.create_index && !row.is_canary();
    let replaced = ours().filter(is_new).filter(|row| row.is_healthy().is_none() && row.previous_allocation.is_some_and(was_updated));
    let canaries_before = progress.placed_canaries.len();
    assert!(
        replaced.count() <= strategy.max_parallel as usize + canaries_before,
        "more than {} of {} are replaced at a time",
        strategy.max_parallel,
        job.id
    );
    let waits = progress.desired_canaries > 0 && !progress.promoted;
    let changed = ours().filter(is_new).filter(|row| row.previous_allocation.is_some_and(was_updated)).count();
    assert!(!waits || changed == 0, "{changed} of {} were replaced before the promotion", job.id);
}

fn what_is_done_is_not_done_again(allocations: &[Arc<Allocation>]) {
    let mut done = BTreeSet::new();
    let complete = |row: &&Arc<Allocation>| row.client_status == ClientStatus::Complete && row.desired_status == DesiredStatus::Run;
    for allocation in allocations.iter().filter(complete) {
        let lost_sight = !allocation.alloc_states.is_empty();
        assert!(lost_sight || done.insert((&allocation.name, allocation.job.version)), "{} was run twice", allocation.name);
    }
}

/// Of what a scheduler answers.
pub(super) fn check_outcome(state: &State, evaluation: &Evaluation, outcome: &Outcome) {
    let blocked = outcome.followups.iter().filter(|followup| followup.status == EvalStatus::Blocked).count();
    let unplaced: u32 = outcome.queued.values().sum();
    assert_eq!(blocked, usize::from(unplaced > 0), "what is not placed waits, in one evaluation");
    assert_eq!(outcome.failed.is_empty(), unplaced == 0, "what is not placed has a reason");
    for stop in outcome.plan.stops.iter().filter(|stop| stop.desired_status == DesiredStatus::Evict) {
        let victim = state.allocation(stop.id).map_or(0, |victim| victim.job.priority);
        assert!(victim + 10 <= evaluation.priority, "{} evicts one of priority {victim}", evaluation.job_id);
    }
}

/// After the faults: every job has what it asks for, or waits for room that there is not, and nobody would do anything else.
pub(super) fn check_end(cluster: &Cluster) {
    let state = cluster.state();
    for job in state.jobs() {
        let mut missing = BTreeMap::new();
        for group in &job.task_groups {
            let live = live_names(state, job, group);
            let wanted = if job.stop { 0 } else { wanted(state, job, group) };
            assert!(live.len() <= wanted, "{} of {wanted} run in {}", live.len(), job.id);
            if live.len() < wanted {
                missing.insert(group.name.clone(), (live, wanted));
            }
        }
        if missing.is_empty() {
            continue;
        }
        let waits = state.blocked_evaluations_of_job(&job.key()).next().is_some();
        let listed = || listing(job, &state.allocations_of_job(&job.key()).cloned().collect::<Vec<_>>());
        assert!(waits, "{} misses {missing:?}, and nothing waits for room{}", job.id, listed());
        for reason in drover_scheduler::why(state, job).iter().filter(|reason| missing.contains_key(&reason.group)) {
            // One more may fit where all together do not, or elsewhere than on the node that misses it.
            let other = job.all_at_once || matches!(job.kind, JobType::System | JobType::Sysbatch);
            let can = if other { usize::MAX } else { 0 };
            assert!(reason.fits <= can, "{} waits for room that is there: {}", job.id, reason.sentence);
        }
    }
}

/// Names (for system jobs: nodes) of what runs in the newest version, or has done what it was to do.
fn live_names(state: &State, job: &Job, group: &TaskGroup) -> BTreeSet<String> {
    let key = job.key();
    let batch = matches!(job.kind, JobType::Batch | JobType::Sysbatch);
    let counts = |row: &&Arc<Allocation>| {
        let ended =
            batch && row.is_client_terminal() && row.client_status != ClientStatus::Lost && row.desired_status == DesiredStatus::Run;
        row.task_group == group.name && row.job.version == job.version && (!row.is_terminal() || (ended && !job.stop))
    };
    let name = |row: &Arc<Allocation>| match job.kind {
        JobType::System | JobType::Sysbatch => row.node_id.to_string(),
        _ => row.name.to_string(),
    };
    state.allocations_of_job(&key).filter(counts).map(name).collect()
}

fn wanted(state: &State, job: &Job, group: &TaskGroup) -> usize {
    match job.kind {
        JobType::Service | JobType::Batch => group.count as usize,
        JobType::System | JobType::Sysbatch if group.count == 0 => 0,
        _ => state.nodes().filter(|node| node.is_schedulable()).count(),
    }
}
