//! Service and batch jobs: so many allocations of each group, anywhere.

use std::sync::Arc;

use drover_model::{
    allocation::description,
    plan::{Outcome, PlanAnnotations},
};

use super::{JobScheduler, Request, blocked, queued, replaced};
use crate::{
    inputs::Stream,
    place::{Placed, Placer, Want},
    reconcile::{self, Case, Reconciled, reconcile},
};

pub(crate) struct Counted;

impl JobScheduler for Counted {
    fn schedule(&self, request: Request<'_>) -> Outcome {
        let Request { snapshot, evaluation, ref job, inputs } = request;
        let mut stream = Stream::new(inputs, evaluation);
        let mut todo = reconcile(Case { snapshot, evaluation, job: job.as_ref(), now: inputs.now }, &mut stream);
        let mut outcome = Outcome::default();
        outcome.plan = request.plan();
        let Some(job) = job else {
            carry_over(&mut outcome, todo);
            return outcome;
        };
        let mut placer = Placer::new(snapshot, evaluation, job, inputs, stream.fork());
        todo.kept.iter().filter(|kept| kept.holds_resources()).for_each(|kept| placer.keep(kept));
        todo.stops.iter().for_each(|stopped| placer.release(&stopped.allocation));
        let wants = std::mem::take(&mut todo.wants);
        let placed = placer.place(&wants);
        carry_over(&mut outcome, todo);
        take(&mut outcome, &wants, placed);
        if job.all_at_once && !placer.failed.is_empty() {
            take_nothing(&mut outcome, &wants, &mut placer);
        }
        outcome.followups.extend(blocked(&request, &placer, &mut stream));
        outcome.queued = queued(Some(job), &placer);
        outcome.failed = placer.failed.into_iter().map(|(group, metric)| (group, Arc::new(metric))).collect();
        outcome
    }
}

fn carry_over(outcome: &mut Outcome, todo: Reconciled) {
    let plan = &mut outcome.plan;
    plan.stops = todo.stops.into_iter().map(|stopped| stopped.stop).collect();
    plan.updates = todo.updates;
    plan.deployment = todo.deployment;
    plan.deployment_updates = todo.deployment_updates;
    plan.annotations = Some(PlanAnnotations { desired_updates: todo.desired, ..PlanAnnotations::default() });
    outcome.followups = todo.followups;
}

fn take(outcome: &mut Outcome, wants: &[Want], placed: Vec<Placed>) {
    for (want, placed) in wants.iter().zip(placed) {
        let Placed::Yes(allocation) = placed else { continue };
        if let Some(old) = replaced(want) {
            outcome.plan.stops.push(reconcile::stop(old, description::UPDATING).stop);
        }
        outcome.plan.placements.push(*allocation);
    }
}

/// The job is to run as a whole or not at all.
fn take_nothing(outcome: &mut Outcome, wants: &[Want], placer: &mut Placer<'_>) {
    outcome.plan.placements.clear();
    outcome.plan.stops.retain(|stop| !wants.iter().filter_map(replaced).any(|old| old.id == stop.id));
    placer.queued.clear();
    for want in wants {
        *placer.queued.entry(want.group.clone()).or_default() += 1;
    }
}
