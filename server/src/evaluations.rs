//! Making evaluations: for what happened to jobs and nodes.

use std::collections::BTreeSet;

use drover_model::{
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::{EvalId, JobKey, NodeId},
    job::{Job, JobType},
};
use drover_runtime::Random;

use crate::state::State;

/// A pending evaluation of a job. Its indexes and times are given when it is applied.
pub fn for_job(job: &Job, trigger: Trigger, random: &dyn Random) -> Evaluation {
    Evaluation {
        id: EvalId::from_random(random.id_bytes()),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        priority: job.priority,
        kind: EvalType::from(job.kind),
        triggered_by: trigger,
        job_modify_index: job.job_modify_index,
        status: EvalStatus::Pending,
        ..Evaluation::default()
    }
}

/// The evaluations that a change of a node calls for: of every job that has something there, and of those that want to be on every node.
pub fn for_node(state: &State, node: NodeId, trigger: Trigger, random: &dyn Random) -> Vec<Evaluation> {
    let here: BTreeSet<JobKey> = state.allocations_of_node(node).map(|allocation| allocation.job_key()).collect();
    let everywhere =
        state.jobs().filter(|job| matches!(job.kind, JobType::System | JobType::Sysbatch) && !job.stop && job.has_allocations());
    let mut keys = here;
    keys.extend(everywhere.map(|job| job.key()));
    let jobs = keys.iter().filter_map(|key| state.job(key));
    jobs.map(|job| Evaluation { node_id: Some(node), ..for_job(job, trigger, random) }).collect()
}
