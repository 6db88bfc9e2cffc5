//! What runs, against what a service or batch job asks for: which allocations stop, change in place, move, are replaced or are missing.
//!
//! Nothing is placed here: the answer has [`Want`]s, for which nodes are found later. Where to start: [`reconcile`], then `group` (the decisions for one
//! group), `standing` (what one allocation is to its job), `rollout` (deployments).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    allocation::{Allocation, DesiredStatus, description},
    deployment::{Deployment, DeploymentStatusUpdate},
    evaluation::Evaluation,
    ids::{AllocId, EvalId, Name},
    job::Job,
    plan::{DesiredUpdates, Stop},
    time::UnixNanos,
};

use crate::{Snapshot, inputs::Stream, place::Want};

mod change;
mod followup;
mod group;
mod names;
pub(crate) mod per_node;
mod reconnect;
mod reschedule;
pub(crate) mod rollout;
mod scale;
mod standing;

/// What is reconciled, and against what.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) snapshot: &'a dyn Snapshot,
    pub(crate) evaluation: &'a Evaluation,
    /// None when it was purged.
    pub(crate) job: Option<&'a Arc<Job>>,
    pub(crate) now: UnixNanos,
}

/// An allocation that stops, whatever becomes of the rest of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Stopped {
    pub(crate) allocation: Arc<Allocation>,
    pub(crate) stop: Stop,
}

#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    pub(crate) stops: Vec<Stopped>,
    /// In the form that they shall have.
    pub(crate) updates: Vec<Allocation>,
    pub(crate) wants: Vec<Want>,
    /// Those that stay, also the ones that a want replaces.
    pub(crate) kept: Vec<Arc<Allocation>>,
    /// Those of them that the newest version replaces, now or in a later step.
    pub(crate) passing: BTreeSet<AllocId>,
    pub(crate) followups: Vec<Evaluation>,
    pub(crate) deployment: Option<Deployment>,
    pub(crate) deployment_updates: Vec<DeploymentStatusUpdate>,
    pub(crate) desired: BTreeMap<Name, DesiredUpdates>,
}

pub(crate) fn reconcile(case: Case<'_>, stream: &mut Stream) -> Reconciled {
    let mut out = Reconciled::default();
    let mut rollout = rollout::Rollout::new(case, stream);
    let mut by_group: BTreeMap<Name, Vec<Arc<Allocation>>> = BTreeMap::new();
    for allocation in case.snapshot.job_allocations(&case.evaluation.job_key()) {
        by_group.entry(allocation.task_group.clone()).or_default().push(allocation);
    }
    let wanted = case.job.filter(|job| !job.stop && job.has_allocations());
    let mut settled = true;
    for group in wanted.iter().flat_map(|job| job.task_groups.iter()) {
        let allocations = by_group.remove(&group.name).unwrap_or_default();
        if let Some(job) = wanted {
            settled &= group::plan(group::Subject { case, job, group, allocations }, &mut rollout, stream, &mut out);
        }
    }
    // What is left belongs to groups that are no more.
    for (group, allocations) in by_group {
        stop_all(case, &group, &allocations, &mut out);
    }
    (out.deployment, out.deployment_updates) = rollout.finish(settled);
    out
}

pub(crate) fn stop_all(case: Case<'_>, group: &Name, allocations: &[Arc<Allocation>], out: &mut Reconciled) {
    let mut desired = DesiredUpdates::default();
    for allocation in allocations.iter().filter(|allocation| !allocation.is_server_terminal()) {
        let standing = standing::without_group(case, allocation);
        match standing {
            standing::Standing::Gone | standing::Standing::Done => continue,
            standing::Standing::Lost => out.stops.push(lost(allocation)),
            _ => out.stops.push(stop(allocation, description::NOT_NEEDED)),
        }
        desired.stop += 1;
    }
    if desired.stop > 0 || case.job.is_some_and(|job| job.group(group).is_some()) {
        out.desired.insert(group.clone(), desired);
    }
}

pub(crate) fn stop(allocation: &Arc<Allocation>, why: &str) -> Stopped {
    let stop = Stop {
        id: allocation.id,
        node_id: allocation.node_id,
        desired_status: DesiredStatus::Stop,
        description: why.into(),
        client_status: None,
        followup_eval: None::<EvalId>,
        preempted_by: None,
    };
    Stopped { allocation: Arc::clone(allocation), stop }
}

/// The client cannot say any more that it has ended, so the servers do.
pub(crate) fn lost(allocation: &Arc<Allocation>) -> Stopped {
    let mut stopped = stop(allocation, description::LOST);
    stopped.stop.client_status = Some(drover_model::allocation::ClientStatus::Lost);
    stopped
}
