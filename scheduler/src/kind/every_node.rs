//! System and sysbatch jobs: one allocation of each group on every node that suits it.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{allocation::Allocation, ids::Name, plan::Outcome};

use super::{JobScheduler, Request, account, carry_over, take};
use crate::{
    inputs::Stream,
    place::Placer,
    reconcile::{Case, Reconciled, per_node, stop_all},
};

pub(crate) struct EveryNode;

impl JobScheduler for EveryNode {
    fn schedule(&self, request: Request<'_>) -> Outcome {
        let Request { snapshot, evaluation, ref job, inputs } = request;
        let mut stream = Stream::new(inputs, evaluation);
        let case = Case { snapshot, evaluation, job: job.as_ref(), now: inputs.now };
        let mut outcome = Outcome { plan: request.plan(), ..Outcome::default() };
        let mut todo = Reconciled::default();
        let mut by_group: BTreeMap<Name, Vec<Arc<Allocation>>> = BTreeMap::new();
        for allocation in snapshot.job_allocations(&evaluation.job_key()) {
            by_group.entry(allocation.task_group.clone()).or_default().push(allocation);
        }
        let Some(job) = job.as_ref().filter(|job| !job.stop && job.has_allocations()) else {
            by_group.iter().for_each(|(group, allocations)| stop_all(case, group, allocations, &mut todo));
            carry_over(&mut outcome, todo);
            return outcome;
        };
        let mut placer = Placer::new(snapshot, evaluation, job, inputs, stream.fork());
        let mut wants = Vec::with_capacity(job.task_groups.len());
        for group in job.task_groups.iter() {
            let allocations = by_group.remove(&group.name).unwrap_or_default();
            let subject = per_node::Subject { case, job, group, allocations };
            wants.push((group, per_node::plan(subject, &placer, &mut stream, &mut todo)));
        }
        by_group.iter().for_each(|(group, allocations)| stop_all(case, group, allocations, &mut todo));
        todo.kept.iter().filter(|kept| kept.holds_resources()).for_each(|kept| placer.keep(kept));
        todo.stops.iter().for_each(|stopped| placer.release(&stopped.allocation));
        carry_over(&mut outcome, todo);
        for (group, wants) in wants {
            let placed = placer.place_each(job, group, &wants);
            take(&mut outcome, wants.iter().map(|(_, want)| want).zip(placed));
        }
        account(&request, &mut outcome, placer, &mut stream);
        outcome
    }
}
