//! Empties nodes that operators drain: allocations move away at the pace of their group's `migrate` block, and all that are left at the deadline.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{
    allocation::{Allocation, ClientStatus, DesiredTransition},
    evaluation::Trigger,
    ids::{AllocId, JobKey, Name, NodeId},
    job::{Job, JobType},
    node::{DrainStrategy, LastDrain, Node, NodeEvent},
    time::UnixNanos,
};
use drover_runtime::{Random, Runtime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    evaluations,
    fsm::command::Command,
    propose::Propose,
    state::{State, StateStore, TableId},
};

#[cfg(test)]
mod tests;

/// How often drains are looked at while there are any and nothing changes: health may come from time alone.
const LOOK: Duration = Duration::from_secs(1);
/// Changes within this time are seen together.
const GATHER: Duration = Duration::from_millis(100);

/// The leader's service that drains nodes.
pub async fn run(
    store: Arc<StateStore>,
    proposer: Arc<dyn Propose>,
    runtime: Runtime,
    nodes_changed: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut allocations = store.watch(TableId::Allocations);
    loop {
        let (draining, commands) = {
            let state = store.snapshot();
            let draining = state.nodes().any(|node| node.drain.is_some());
            (draining, if draining { decide(&state, runtime.clock.now(), &*runtime.random) } else { Vec::new() })
        };
        if draining {
            for command in commands {
                if let Err(error) = proposer.propose(command).await.and_then(|applied| applied.accepted()) {
                    warn!(%error, "a drain could not go on; trying again");
                }
            }
            tokio::time::sleep(GATHER).await;
        }
        allocations.mark_unchanged();
        tokio::select! {
            () = stop.cancelled() => return,
            () = nodes_changed.notified() => {}
            _ = allocations.changed(), if draining => {}
            () = tokio::time::sleep(LOOK), if draining => {}
        }
    }
}

/// What has to be done now about all nodes that drain.
pub fn decide(state: &State, now: UnixNanos, random: &dyn Random) -> Vec<Command> {
    let draining: BTreeMap<NodeId, (&Arc<Node>, &DrainStrategy)> =
        state.nodes().filter_map(|node| node.drain.as_ref().map(|drain| (node.id, (node, drain)))).collect();
    let mut commands = Vec::new();
    let mut move_away: BTreeSet<AllocId> = BTreeSet::new();
    let mut paced: BTreeMap<(JobKey, Name), Vec<Arc<Allocation>>> = BTreeMap::new();
    for (id, (node, drain)) in &draining {
        let left: Vec<_> = state.allocations_of_node(*id).filter(|allocation| is_left(allocation, drain)).cloned().collect();
        if left.is_empty() {
            commands.push(complete(node, now));
            continue;
        }
        let forced = drain.force || (!drain.force_deadline.is_never() && drain.force_deadline.0 <= now);
        let others_left = left.iter().any(|allocation| !is_system(allocation));
        for allocation in
            left.into_iter().filter(|allocation| !allocation.desired_transition.should_migrate() && !allocation.is_server_terminal())
        {
            match allocation.job.kind {
                _ if forced => drop(move_away.insert(allocation.id)),
                // What a batch job has begun may end by itself until the deadline.
                JobType::Batch => {}
                // Those that are on every node serve the others until they are gone.
                JobType::System | JobType::Sysbatch => {
                    if !others_left {
                        move_away.insert(allocation.id);
                    }
                }
                JobType::Service => paced.entry((allocation.job_key(), allocation.task_group.clone())).or_default().push(allocation),
            }
        }
    }
    for ((key, group), candidates) in paced {
        let room = room_to_move(state, &key, &group, now);
        move_away.extend(candidates.iter().take(room).map(|allocation| allocation.id));
    }
    commands.extend(migrate(state, &move_away, random));
    commands
}

fn is_system(allocation: &Allocation) -> bool {
    matches!(allocation.job.kind, JobType::System | JobType::Sysbatch)
}

/// Whether a node is not drained yet because of this allocation.
fn is_left(allocation: &Allocation, drain: &DrainStrategy) -> bool {
    let is_ignored = drain.ignore_system_jobs && is_system(allocation);
    !is_ignored && !allocation.is_client_terminal()
}

/// How many allocations of a group may be taken away now so that no more than its `migrate` block allows are missing.
fn room_to_move(state: &State, key: &JobKey, group: &str, now: UnixNanos) -> usize {
    let Some(job) = state.job(key).filter(|job| !job.stop) else { return usize::MAX };
    let Some(group) = job.group(group) else { return usize::MAX };
    let migrate = group.migrate.clone().unwrap_or_default();
    let serves =
        |allocation: &&Arc<Allocation>| allocation.task_group == group.name && is_serving(allocation, job, migrate.min_healthy_time, now);
    let serving = state.allocations_of_job(key).filter(serves).count();
    let needed = (group.count as usize).saturating_sub(migrate.max_parallel.max(1) as usize);
    serving.saturating_sub(needed)
}

/// Whether an allocation does its work and will go on doing it.
fn is_serving(allocation: &Allocation, job: &Job, min_healthy_time: Duration, now: UnixNanos) -> bool {
    if allocation.is_terminal() || allocation.desired_transition.should_migrate() || allocation.client_status != ClientStatus::Running {
        return false;
    }
    match allocation.is_healthy() {
        Some(healthy) => healthy,
        // Nobody judged it (it is not part of a deployment): its time tells. One of another version is on its way out.
        None => allocation.job.version <= job.version && now.since(allocation.create_time) >= min_healthy_time,
    }
}

fn complete(node: &Node, now: UnixNanos) -> Command {
    let last = node.last_drain.clone().unwrap_or_default();
    Command::NodeDrain {
        id: node.id,
        drain: None,
        mark_eligible: false,
        last_drain: Some(LastDrain { updated_at: now.into(), status: "complete".to_owned(), ..last }),
        event: Some(NodeEvent {
            message: "Node drain complete".to_owned(),
            subsystem: "Drain".to_owned(),
            timestamp: now.into(),
            ..NodeEvent::default()
        }),
        evaluations: Vec::new(),
    }
}

fn migrate(state: &State, ids: &BTreeSet<AllocId>, random: &dyn Random) -> Option<Command> {
    if ids.is_empty() {
        return None;
    }
    let keys: BTreeSet<JobKey> = ids.iter().filter_map(|id| state.allocation(*id)).map(|allocation| allocation.job_key()).collect();
    let jobs = keys.iter().filter_map(|key| state.job(key));
    let evaluations = jobs.map(|job| evaluations::for_job(job, Trigger::NodeDrain, random)).collect();
    let transition = DesiredTransition { migrate: Some(true), ..DesiredTransition::default() };
    Some(Command::AllocationsTransition { transitions: ids.iter().map(|id| (*id, transition)).collect(), evaluations })
}
