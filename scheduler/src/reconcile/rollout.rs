//! The deployment that a reconciliation belongs to: the one that runs, or the one that it begins.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::Allocation,
    deployment::{Deployment, DeploymentState, DeploymentStatus, DeploymentStatusUpdate, description},
    ids::{DeploymentId, Name},
    job::{Job, JobType},
    time::UnixNanos,
};

use super::Case;
use crate::inputs::Stream;

pub(crate) struct Rollout {
    /// That of the job's newest version, unless it has ended well.
    current: Option<Deployment>,
    /// The id of the one that begins, should it.
    new_id: DeploymentId,
    may_begin: bool,
    begun: BTreeMap<Name, DeploymentState>,
    /// What the current one is to bring about is another thing than before.
    changed: bool,
    updates: Vec<DeploymentStatusUpdate>,
    job: Option<Arc<Job>>,
    eval_priority: u8,
    now: UnixNanos,
}

impl Rollout {
    pub(crate) fn new(case: Case<'_>, stream: &mut Stream) -> Self {
        let running_job = case.job.filter(|job| !job.stop);
        let mut rollout = Self {
            current: None,
            new_id: stream.deployment_id(),
            may_begin: running_job.is_some_and(|job| matches!(job.kind, JobType::Service | JobType::System)),
            begun: BTreeMap::new(),
            changed: false,
            updates: Vec::new(),
            job: running_job.cloned(),
            eval_priority: case.evaluation.priority,
            now: case.now,
        };
        let Some(latest) = case.snapshot.latest_deployment(&case.evaluation.job_key()) else { return rollout };
        match running_job {
            None => rollout.cancel(&latest, description::STOPPED_JOB),
            Some(job) if !is_of_version(&latest, job) => rollout.cancel(&latest, description::NEWER_JOB),
            Some(_) => {
                rollout.may_begin = false;
                let goes_on = latest.is_active() || latest.status == DeploymentStatus::Failed;
                rollout.current = goes_on.then(|| Deployment::clone(&latest));
            }
        }
        rollout
    }

    fn cancel(&mut self, deployment: &Deployment, why: &str) {
        if deployment.is_active() {
            self.update(deployment.id, DeploymentStatus::Cancelled, why);
        }
    }

    fn update(&mut self, id: DeploymentId, status: DeploymentStatus, why: &str) {
        self.updates.push(DeploymentStatusUpdate { id, status, description: why.to_owned() });
    }

    pub(super) fn may_begin(&self) -> bool {
        self.may_begin
    }

    pub(super) fn has_failed(&self) -> bool {
        self.current.as_ref().is_some_and(|deployment| deployment.status == DeploymentStatus::Failed)
    }

    /// Whether nothing new may be placed.
    pub(super) fn is_halted(&self) -> bool {
        let halted = |status| {
            matches!(status, DeploymentStatus::Failed | DeploymentStatus::Paused | DeploymentStatus::Pending | DeploymentStatus::Blocked)
        };
        self.current.as_ref().is_some_and(|deployment| halted(deployment.status))
    }

    pub(super) fn state(&self, group: &str) -> Option<&DeploymentState> {
        self.current.as_ref()?.task_groups.get(group)
    }

    /// Whether an allocation was placed by the current deployment.
    pub(super) fn owns(&self, allocation: &Allocation) -> bool {
        self.current.as_ref().is_some_and(|deployment| allocation.deployment_id == Some(deployment.id))
    }

    /// Whether it is one of the current deployment's canaries. Who is one was noted in two places, and the newer may not have arrived.
    pub(super) fn has_canary(&self, allocation: &Allocation) -> bool {
        let noted = |state: &DeploymentState| state.placed_canaries.contains(&allocation.id);
        self.owns(allocation) && (allocation.is_canary() || self.state(&allocation.task_group).is_some_and(noted))
    }

    /// A failed allocation is not replaced where that would only repeat a roll-out's failure.
    pub(super) fn lets_reschedule(&self, allocation: &Allocation) -> bool {
        if !self.owns(allocation) || allocation.desired_transition.force_reschedule == Some(true) {
            return true;
        }
        let patient = self.state(&allocation.task_group).is_some_and(|state| !state.progress_deadline.is_zero());
        // What was healthy fails for another reason than its roll-out.
        !self.has_failed() && (patient || allocation.is_healthy() == Some(true))
    }

    /// The group takes part in the deployment that begins.
    pub(super) fn begin(&mut self, group: &Name, state: DeploymentState) {
        self.begun.insert(group.clone(), state);
    }

    /// The deployment that new allocations of the group belong to.
    pub(super) fn id_for(&self, group: &str) -> Option<DeploymentId> {
        match &self.current {
            Some(deployment) => (deployment.is_active() && deployment.task_groups.contains_key(group)).then_some(deployment.id),
            None => self.begun.contains_key(group).then_some(self.new_id),
        }
    }

    /// How many allocations of the group the deployment is to bring about, where that is a matter of the nodes there are.
    pub(crate) fn expect(&mut self, group: &str, total: u32) {
        if let Some(state) = self.begun.get_mut(group) {
            state.desired_total = total;
        } else if let Some(current) = self.current.as_mut().filter(|current| current.is_active())
            && let Some(state) = current.task_groups.get_mut(group)
            && state.desired_total != total
        {
            state.desired_total = total;
            self.changed = true;
        }
    }

    /// `settled`: no group has anything left to do.
    pub(crate) fn finish(mut self, settled: bool) -> (Option<Deployment>, Vec<DeploymentStatusUpdate>) {
        let complete = self.current.as_ref().filter(|deployment| settled && is_complete(deployment)).map(|deployment| deployment.id);
        if let Some(id) = complete {
            self.update(id, DeploymentStatus::Successful, description::SUCCESSFUL);
        }
        let begun = std::mem::take(&mut self.begun);
        let deployment = self.job.as_ref().filter(|_| !begun.is_empty()).map(|job| self.new_deployment(job, begun));
        let changed = self.current.take().filter(|_| self.changed && complete.is_none());
        (deployment.or(changed), self.updates)
    }

    fn new_deployment(&self, job: &Job, task_groups: BTreeMap<Name, DeploymentState>) -> Deployment {
        let mut deployment = Deployment {
            id: self.new_id,
            namespace: job.namespace.clone(),
            job_id: job.id.clone(),
            job_version: job.version,
            job_modify_index: job.modify_index,
            job_spec_modify_index: job.job_modify_index,
            job_create_index: job.create_index,
            task_groups,
            eval_priority: self.eval_priority,
            create_time: self.now,
            modify_time: self.now,
            ..Deployment::default()
        };
        let why = match (deployment.requires_promotion(), deployment.has_auto_promote()) {
            (true, true) => description::AUTO_PROMOTION,
            (true, false) => description::NEEDS_PROMOTION,
            (false, _) => description::RUNNING,
        };
        deployment.status_description = why.to_owned();
        deployment
    }
}

fn is_of_version(deployment: &Deployment, job: &Job) -> bool {
    (deployment.job_create_index, deployment.job_version) == (job.create_index, job.version)
}

fn is_complete(deployment: &Deployment) -> bool {
    let complete = |state: &DeploymentState| {
        let promoted = state.desired_canaries == 0 || state.promoted;
        promoted && state.healthy_allocs >= state.desired_total.max(state.desired_canaries)
    };
    deployment.status == DeploymentStatus::Running && deployment.task_groups.values().all(complete)
}
