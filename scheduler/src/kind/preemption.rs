//! What a plan says of those who make way.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, DesiredStatus, description},
    evaluation::{EvalStatus, Evaluation, Trigger},
    ids::AllocId,
    job::Job,
    plan::{Outcome, PreemptedAllocation, Stop},
};

use super::Request;
use crate::inputs::Stream;

/// They are evicted, and their jobs are evaluated: what was taken from them may find room elsewhere.
pub(super) fn carry_over(request: &Request<'_>, outcome: &mut Outcome, evicted: Vec<(Arc<Allocation>, AllocId)>, stream: &mut Stream) {
    let mut jobs = BTreeMap::new();
    for (victim, by) in evicted {
        outcome.plan.stops.push(Stop {
            id: victim.id,
            node_id: victim.node_id,
            desired_status: DesiredStatus::Evict,
            description: format!("{}{by}", description::PREEMPTED).into(),
            client_status: None,
            followup_eval: None,
            preempted_by: Some(by),
        });
        let group = outcome.plan.placements.iter().find(|placed| placed.id == by).map(|placed| placed.task_group.clone());
        if let Some(annotations) = &mut outcome.plan.annotations {
            let (id, job_id, task_group) = (Some(victim.id), victim.job_id.clone(), victim.task_group.clone());
            annotations.preempted_allocations.push(PreemptedAllocation { id, job_id, task_group });
            if let Some(desired) = group.and_then(|group| annotations.desired_updates.get_mut(&group)) {
                desired.preemptions += 1;
            }
        }
        jobs.entry(victim.job_key()).or_insert_with(|| Arc::clone(&victim.job));
    }
    let evaluations: Vec<_> = jobs.into_values().map(|job| evaluation(request, &job, stream)).collect();
    outcome.followups.extend(evaluations);
}

fn evaluation(request: &Request<'_>, job: &Job, stream: &mut Stream) -> Evaluation {
    Evaluation {
        id: stream.eval_id(),
        namespace: job.namespace.clone(),
        priority: job.priority,
        kind: job.kind.into(),
        triggered_by: Trigger::Preemption,
        job_id: job.id.clone(),
        job_modify_index: job.job_modify_index,
        status: EvalStatus::Pending,
        previous_eval: Some(request.evaluation.id),
        create_time: request.inputs.now,
        modify_time: request.inputs.now,
        ..Evaluation::default()
    }
}
