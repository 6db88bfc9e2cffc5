//! Forgets what has ended long ago: evaluations with their allocations, deployments, jobs, nodes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use drover_model::{
    allocation::Allocation,
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, EvalId, JobKey, NodeId},
    job::{Job, JobStatus},
    node::{Node, NodeStatus},
    rpc::Error,
    time::UnixNanos,
};
use drover_runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::GcConfig,
    fsm::command::Command,
    propose::Propose,
    state::{State, StateStore},
};

#[cfg(test)]
mod tests;

/// Rows that one command forgets.
const ROWS_PER_COMMAND: usize = 2000;

/// What there is to forget.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    pub allocations: Vec<AllocId>,
    pub evaluations: Vec<EvalId>,
    pub deployments: Vec<DeploymentId>,
    pub jobs: Vec<JobKey>,
    pub nodes: Vec<NodeId>,
}

impl Garbage {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What belongs to a job goes before the job, and what runs on a node before the node.
    pub fn into_commands(self) -> Vec<Command> {
        let Self { allocations, evaluations, deployments, jobs, nodes } = self;
        let chunks = |count: usize| count.div_ceil(ROWS_PER_COMMAND);
        let mut commands = Vec::new();
        for chunk in 0..chunks(allocations.len()).max(chunks(evaluations.len())) {
            let part = |len: usize| (chunk * ROWS_PER_COMMAND).min(len)..((chunk + 1) * ROWS_PER_COMMAND).min(len);
            commands.push(Command::EvaluationsForget {
                allocations: allocations[part(allocations.len())].to_vec(),
                evaluations: evaluations[part(evaluations.len())].to_vec(),
            });
        }
        commands.extend(deployments.chunks(ROWS_PER_COMMAND).map(|ids| Command::DeploymentsForget { ids: ids.to_vec() }));
        commands.extend(jobs.chunks(ROWS_PER_COMMAND).map(|keys| Command::JobsForget { keys: keys.to_vec() }));
        commands.extend(nodes.chunks(ROWS_PER_COMMAND).map(|ids| Command::NodesForget { ids: ids.to_vec(), evaluations: Vec::new() }));
        commands
    }
}

/// Finds what ended longer ago than the thresholds say. With `force`, everything that has ended.
pub fn garbage(state: &State, config: &GcConfig, now: UnixNanos, force: bool) -> Garbage {
    let old = |at: UnixNanos, threshold: Duration| force || now.since(at) >= threshold;
    let mut garbage = Garbage::default();
    let jobs: BTreeSet<JobKey> =
        state.jobs().filter(|job| is_over(state, job) && old(changed(state, job), config.job_threshold)).map(|job| job.key()).collect();
    let goes = |key: &JobKey| jobs.contains(key);
    for allocation in state.allocations() {
        let key = allocation.job_key();
        if has_ended(state, allocation)
            && (goes(&key) || (!is_needed(state, &key, allocation) && old(allocation.modify_time, config.eval_threshold)))
        {
            garbage.allocations.push(allocation.id);
        }
    }
    let going: BTreeSet<AllocId> = garbage.allocations.iter().copied().collect();
    let leaves = |evaluation: &Evaluation| state.allocations_of_evaluation(evaluation.id).all(|allocation| going.contains(&allocation.id));
    for evaluation in state.evaluations().filter(|evaluation| evaluation.status.is_terminal()) {
        if leaves(evaluation) && (goes(&evaluation.job_key()) || old(evaluation.modify_time, config.eval_threshold)) {
            garbage.evaluations.push(evaluation.id);
        }
    }
    for deployment in
        state.deployments().filter(|deployment| !deployment.is_active() && old(deployment.modify_time, config.deployment_threshold))
    {
        // What still runs of it speaks of it.
        if state.allocations_of_deployment(deployment.id).all(|allocation| allocation.is_terminal()) {
            garbage.deployments.push(deployment.id);
        }
    }
    let all_go = |key: &JobKey| state.allocations_of_job(key).all(|allocation| going.contains(&allocation.id));
    garbage.jobs = jobs.into_iter().filter(all_go).collect();
    let nodes = state
        .nodes()
        .filter(|node| is_away(state, node) && old(UnixNanos(node.status_updated_at.saturating_mul(1_000_000_000)), config.node_threshold));
    garbage.nodes = nodes.map(|node| node.id).collect();
    garbage
}

/// Whether nothing more comes of a job. A service that merely failed stays: somebody wants it to run.
fn is_over(state: &State, job: &Job) -> bool {
    let counts = state.job_counts(&job.key());
    let done = job.stop || (job.kind.runs_to_completion() && job.has_allocations());
    let tagged = state.job_versions(&job.key()).iter().any(|version| version.version_tag.is_some());
    done && !tagged && job.status == JobStatus::Dead && counts.live_allocations == 0 && counts.open_evaluations == 0
}

/// When something last happened to it.
fn changed(state: &State, job: &Job) -> UnixNanos {
    let key = job.key();
    let allocations = state.allocations_of_job(&key).map(|allocation| allocation.modify_time);
    let evaluations = state.evaluations_of_job(&key).map(|evaluation| evaluation.modify_time);
    allocations.chain(evaluations).max().unwrap_or(UnixNanos::NEVER).max(job.submit_time)
}

fn has_ended(state: &State, allocation: &Allocation) -> bool {
    allocation.is_client_terminal() || (allocation.is_server_terminal() && state.node(allocation.node_id).is_none())
}

/// Whether the job's scheduler still counts on knowing this ended allocation: what a batch job has done, and failures that wait for a replacement.
fn is_needed(state: &State, key: &JobKey, allocation: &Allocation) -> bool {
    let Some(job) = state.job(key).filter(|job| !job.stop) else { return false };
    if job.kind.runs_to_completion() {
        return job.create_index == allocation.job.create_index;
    }
    !allocation.is_server_terminal() && allocation.next_allocation.is_none()
}

fn is_away(state: &State, node: &Node) -> bool {
    node.status == NodeStatus::Down && state.allocations_of_node(node.id).all(|allocation| allocation.is_terminal())
}

/// Collects once. Returns how many commands it took.
pub async fn collect(store: &StateStore, config: &GcConfig, now: UnixNanos, force: bool, proposer: &dyn Propose) -> Result<usize, Error> {
    let commands = garbage(&store.snapshot(), config, now, force).into_commands();
    let count = commands.len();
    for command in commands {
        proposer.propose(command).await?.accepted()?;
    }
    Ok(count)
}

/// Collects every so often until `stop`.
pub async fn run(store: Arc<StateStore>, config: GcConfig, proposer: Arc<dyn Propose>, runtime: Runtime, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(config.interval) => {}
        }
        match collect(&store, &config, runtime.clock.now(), false, &*proposer).await {
            Ok(0) => {}
            Ok(commands) => info!(commands, "forgot what had ended"),
            Err(error) => warn!(%error, "cannot forget what has ended; trying again later"),
        }
    }
}
