//! System and sysbatch jobs: one allocation of each group on every node that suits it.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{allocation::Allocation, ids::Name, plan::Outcome};

use super::{JobScheduler, Request, account, carry_over, take};
use crate::{
    inputs::Stream,
    place::Placer,
    reconcile::{Case, Reconciled, per_node, rollout::Rollout, stop_all},
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
        let mut rollout = Rollout::new(case, &mut stream);
        let Some(job) = job.as_ref().filter(|job| !job.stop && job.has_allocations()) else {
            by_group.iter().for_each(|(group, allocations)| stop_all(case, group, allocations, &mut todo));
            (todo.deployment, todo.deployment_updates) = rollout.finish(false);
            carry_over(&mut outcome, todo);
            return outcome;
        };
        let mut placer = Placer::new(snapshot, evaluation, job, inputs, stream.fork());
        let mut plans = Vec::with_capacity(job.task_groups.len());
        for group in job.task_groups.iter() {
            let allocations = by_group.remove(&group.name).unwrap_or_default();
            let subject = per_node::Subject { case, job, group, allocations };
            plans.push((group, per_node::plan(subject, &placer, &mut rollout, &mut stream, &mut todo)));
        }
        by_group.iter().for_each(|(group, allocations)| stop_all(case, group, allocations, &mut todo));
        todo.kept.iter().filter(|kept| kept.holds_resources()).for_each(|kept| placer.keep(kept, false));
        todo.stops.iter().for_each(|stopped| placer.release(&stopped.allocation));
        let placed: Vec<_> = plans.iter().map(|(group, plan)| placer.place_each(job, group, &plan.wants)).collect();
        for (group, plan) in &plans {
            // A node that is full cannot hold up a roll-out.
            let unplaced = placer.queued.get(&group.name).copied().unwrap_or(0);
            rollout.expect(&group.name, plan.total.saturating_sub(unplaced));
        }
        (todo.deployment, todo.deployment_updates) = rollout.finish(plans.iter().all(|(_, plan)| plan.settled));
        carry_over(&mut outcome, todo);
        for ((_, plan), placed) in plans.iter().zip(placed) {
            take(&mut outcome, plan.wants.iter().map(|(_, want)| want).zip(placed));
        }
        account(&request, &mut outcome, placer, &mut stream);
        outcome
    }
}
