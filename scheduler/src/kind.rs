//! One scheduler for each kind of job.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, description},
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::Name,
    job::Job,
    plan::{Outcome, Plan, PlanAnnotations},
};

use crate::{
    Inputs, Snapshot,
    inputs::Stream,
    place::{Placed, Placer, Want},
    reconcile::{self, Reconciled},
};

mod counted;
mod every_node;
mod preemption;

/// Schedules the jobs of one kind.
pub(crate) trait JobScheduler {
    fn schedule(&self, request: Request<'_>) -> Outcome;
}

pub(crate) struct Request<'a> {
    pub(crate) snapshot: &'a dyn Snapshot,
    pub(crate) evaluation: &'a Evaluation,
    /// None when it was purged.
    pub(crate) job: Option<Arc<Job>>,
    pub(crate) inputs: Inputs,
}

/// None for what is not about a job.
pub(crate) fn scheduler(kind: EvalType) -> Option<&'static dyn JobScheduler> {
    match kind {
        EvalType::Service | EvalType::Batch => Some(&counted::Counted),
        EvalType::System | EvalType::Sysbatch => Some(&every_node::EveryNode),
        EvalType::Core => None,
    }
}

impl Request<'_> {
    /// A plan without changes.
    fn plan(&self) -> Plan {
        Plan {
            eval_id: Some(self.evaluation.id),
            priority: self.evaluation.priority,
            all_at_once: self.job.as_ref().is_some_and(|job| job.all_at_once),
            job: self.job.clone(),
            snapshot_index: self.snapshot.index(),
            ..Plan::default()
        }
    }
}

pub(crate) const REMAINING: &str = "created to place remaining allocations";

/// The evaluation that waits for room for what was not placed; none when all was.
fn blocked(request: &Request<'_>, placer: &Placer<'_>, stream: &mut Stream) -> Option<Evaluation> {
    if placer.failed.is_empty() {
        return None;
    }
    let evaluation = request.evaluation;
    Some(Evaluation {
        id: stream.eval_id(),
        namespace: evaluation.namespace.clone(),
        priority: evaluation.priority,
        kind: evaluation.kind,
        triggered_by: Trigger::QueuedAllocs,
        job_id: evaluation.job_id.clone(),
        job_modify_index: request.job.as_ref().map_or(evaluation.job_modify_index, |job| job.job_modify_index),
        status: EvalStatus::Blocked,
        status_description: REMAINING.to_owned(),
        previous_eval: Some(evaluation.id),
        failed_tg_allocs: placer.failed.iter().map(|(group, metric)| (group.clone(), Arc::new(metric.clone()))).collect(),
        class_eligibility: placer.class_eligibility.clone(),
        escaped_computed_class: placer.escaped,
        quota_limit_reached: placer.quota_reached().unwrap_or_default().to_owned(),
        snapshot_index: request.snapshot.index(),
        create_time: request.inputs.now,
        modify_time: request.inputs.now,
        ..Evaluation::default()
    })
}

/// Every group of the job has a count of what waits, also of nothing.
fn queued(job: Option<&Arc<Job>>, unplaced: &BTreeMap<Name, u32>) -> BTreeMap<Name, u32> {
    let groups = job.iter().flat_map(|job| job.task_groups.iter());
    let mut queued: BTreeMap<_, _> = groups.map(|group| (group.name.clone(), 0)).collect();
    queued.extend(unplaced.iter().map(|(group, count)| (group.clone(), *count)));
    queued
}

/// Takes over what needs no placing.
fn carry_over(outcome: &mut Outcome, todo: Reconciled) {
    let plan = &mut outcome.plan;
    plan.stops = todo.stops.into_iter().map(|stopped| stopped.stop).collect();
    plan.updates = todo.updates;
    plan.deployment = todo.deployment;
    plan.deployment_updates = todo.deployment_updates;
    plan.annotations = Some(PlanAnnotations { desired_updates: todo.desired, ..PlanAnnotations::default() });
    outcome.followups = todo.followups;
}

/// What was placed, with the stops of what it replaces.
fn take<'a>(outcome: &mut Outcome, placed: impl IntoIterator<Item = (&'a Want, Placed)>) {
    for (want, placed) in placed {
        let Placed::Yes(allocation) = placed else { continue };
        if let Some(old) = replaced(want) {
            outcome.plan.stops.push(reconcile::stop(old, description::UPDATING).stop);
        }
        outcome.plan.placements.push(*allocation);
    }
}

/// The last of an outcome: who made way, and what was not placed.
fn account(request: &Request<'_>, outcome: &mut Outcome, mut placer: Placer<'_>, stream: &mut Stream) {
    preemption::carry_over(request, outcome, std::mem::take(&mut placer.evicted), stream);
    outcome.followups.extend(blocked(request, &placer, stream));
    outcome.queued = queued(request.job.as_ref(), &placer.queued);
    outcome.failed = placer.failed.into_iter().map(|(group, metric)| (group, Arc::new(metric))).collect();
}

/// Those of the wants whose old allocation leaves only for a new one.
fn replaced(want: &Want) -> Option<&Arc<Allocation>> {
    want.previous.as_ref().filter(|_| want.replaces)
}
