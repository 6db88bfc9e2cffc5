//! Service and batch jobs: so many allocations of each group, anywhere.

use std::collections::BTreeMap;

use drover_model::plan::Outcome;

use super::{JobScheduler, Request, account, carry_over, queued, replaced, take};
use crate::{
    inputs::Stream,
    place::{Placer, Want},
    reconcile::{Case, reconcile},
};

pub(crate) struct Counted;

impl JobScheduler for Counted {
    fn schedule(&self, request: Request<'_>) -> Outcome {
        let Request { snapshot, evaluation, ref job, inputs } = request;
        let mut stream = Stream::new(inputs, evaluation);
        let mut todo = reconcile(Case { snapshot, evaluation, job: job.as_ref(), now: inputs.now }, &mut stream);
        let mut outcome = Outcome { plan: request.plan(), ..Outcome::default() };
        let wants = std::mem::take(&mut todo.wants);
        // Looking at the nodes is most of the work: not where nothing is to be placed.
        let Some(job) = job.as_ref().filter(|_| !wants.is_empty()) else {
            carry_over(&mut outcome, todo);
            outcome.queued = queued(job.as_ref(), &BTreeMap::new());
            return outcome;
        };
        let mut placer = Placer::new(snapshot, evaluation, job, inputs, stream.fork());
        for kept in todo.kept.iter().filter(|kept| kept.holds_resources()) {
            placer.keep(kept, todo.passing.contains(&kept.id));
        }
        todo.stops.iter().for_each(|stopped| placer.release(&stopped.allocation));
        let placed = placer.place(&wants);
        carry_over(&mut outcome, todo);
        take(&mut outcome, wants.iter().zip(placed));
        if job.all_at_once && !placer.failed.is_empty() {
            take_nothing(&mut outcome, &wants, &mut placer);
        }
        account(&request, &mut outcome, placer, &mut stream);
        outcome
    }
}

/// The job is to run as a whole or not at all: nobody leaves for it, and nobody makes way.
fn take_nothing(outcome: &mut Outcome, wants: &[Want], placer: &mut Placer<'_>) {
    outcome.plan.placements.clear();
    placer.evicted.clear();
    outcome.plan.stops.retain(|stop| !wants.iter().filter_map(replaced).any(|old| old.id == stop.id));
    placer.queued.clear();
    for want in wants {
        *placer.queued.entry(want.group.clone()).or_default() += 1;
    }
}
