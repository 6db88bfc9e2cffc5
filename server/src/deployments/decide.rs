//! What has to be done about one deployment.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, DesiredTransition},
    deployment::{Deployment, DeploymentState, DeploymentStatus, DeploymentStatusUpdate, description},
    evaluation::{Evaluation, Trigger},
    ids::DeploymentId,
    job::Job,
    time::UnixNanos,
};
use drover_runtime::Random;

use crate::{evaluations, fsm::command::Command, state::State};

/// What the watcher saw of a deployment when it last looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub healthy: u32,
}

#[derive(Debug, Default)]
pub struct Decision {
    pub command: Option<Command>,
    /// When to look again though nothing changes.
    pub next_look: Option<UnixNanos>,
    pub seen: Seen,
    /// Whether more can come of the deployment.
    pub active: bool,
}

/// Decides about one deployment. The first of these that applies: fail, promote, succeed, replace what is unhealthy, go on with the next batch, wait.
pub fn decide(state: &State, id: DeploymentId, seen: Seen, now: UnixNanos, random: &dyn Random) -> Decision {
    // Those of templates have a watcher of their own.
    let active = state.deployment(id).filter(|deployment| deployment.is_active() && !deployment.is_of_templates());
    let Some(deployment) = active else { return Decision::default() };
    let healthy = deployment.task_groups.values().map(|group| group.healthy_allocs).sum();
    let waiting = Decision { active: true, seen: Seen { healthy }, ..Decision::default() };
    let Some(job) = state.job(&deployment.job_key()).filter(|job| job.version == deployment.job_version) else {
        // A newer version or a stopped job: its own evaluation ends this deployment.
        return waiting;
    };
    if deployment.status != DeploymentStatus::Running {
        return waiting;
    }
    let view = View { state, deployment, job, now, random };
    if let Some(base) = view.why_failed() {
        let (update, revert) = failure(state, deployment, job, base, true);
        let evaluation = Some(view.evaluation());
        return Decision { command: Some(Command::DeploymentStatus { update, job: revert, evaluation }), ..waiting };
    }
    if view.may_promote() {
        return Decision { command: Some(Command::DeploymentPromote { id, groups: None, evaluation: Some(view.evaluation()) }), ..waiting };
    }
    if view.is_complete() {
        let update = DeploymentStatusUpdate { id, status: DeploymentStatus::Successful, description: description::SUCCESSFUL.to_owned() };
        return Decision { command: Some(Command::DeploymentStatus { update, job: None, evaluation: None }), ..waiting };
    }
    let next_look = view.deadline();
    if let Some(command) = view.replace_unhealthy() {
        return Decision { command: Some(command), next_look, ..waiting };
    }
    let command = (healthy > seen.healthy).then(|| Command::EvaluationsUpsert { evaluations: vec![view.evaluation()] });
    Decision { command, next_look, ..waiting }
}

/// How a deployment fails: its status, and the job that takes the place of the failed version when a group wants that (and `may_revert`).
pub fn failure(
    state: &State,
    deployment: &Deployment,
    job: &Job,
    base: &str,
    may_revert: bool,
) -> (DeploymentStatusUpdate, Option<Arc<Job>>) {
    let wants_revert = may_revert && deployment.task_groups.values().any(|group| group.auto_revert);
    let stable = if wants_revert { state.stable_version(&deployment.job_key(), job.version) } else { None };
    let (description, revert) = match stable {
        None if wants_revert => (description::nothing_to_roll_back_to(base), None),
        None => (base.to_owned(), None),
        Some(stable) if stable.same_specification(job) => (description::same_specification(base, stable.version), None),
        Some(stable) => (description::rolling_back(base, stable.version), Some(stable)),
    };
    (DeploymentStatusUpdate { id: deployment.id, status: DeploymentStatus::Failed, description }, revert)
}

struct View<'a> {
    state: &'a State,
    deployment: &'a Deployment,
    job: &'a Job,
    now: UnixNanos,
    random: &'a dyn Random,
}

impl View<'_> {
    fn evaluation(&self) -> Evaluation {
        let evaluation = evaluations::for_job(self.job, Trigger::DeploymentWatcher, self.random);
        Evaluation { deployment_id: Some(self.deployment.id), ..evaluation }
    }

    fn why_failed(&self) -> Option<&'static str> {
        if self.unhealthy().any(|allocation| self.ends_deployment(allocation)) {
            return Some(description::FAILED_ALLOCATIONS);
        }
        self.deadline().filter(|deadline| *deadline <= self.now).map(|_| description::PROGRESS_DEADLINE)
    }

    /// Allocations that are unhealthy and still the deployment's concern.
    fn unhealthy(&self) -> impl Iterator<Item = &Arc<Allocation>> {
        let any = self.deployment.task_groups.values().any(|group| group.unhealthy_allocs > 0);
        let allocations = any.then(|| self.state.allocations_of_deployment(self.deployment.id)).into_iter().flatten();
        allocations.filter(|allocation| allocation.is_healthy() == Some(false))
    }

    /// With a progress deadline there is time for a replacement, if the group allows any; without one the first bad allocation is the end.
    fn ends_deployment(&self, allocation: &Allocation) -> bool {
        let Some(group) = self.deployment.task_groups.get(&allocation.task_group) else { return false };
        if group.progress_deadline.is_zero() {
            return true;
        }
        if allocation.next_allocation.is_some() || allocation.is_server_terminal() {
            return false;
        }
        let policy = self.job.group(&allocation.task_group).and_then(|group| group.reschedule_policy.as_ref());
        policy.is_none_or(|policy| {
            let tried = allocation.reschedule_tracker.as_ref().map_or(0, |tracker| tracker.events.len());
            !policy.unlimited && tried >= policy.attempts as usize
        })
    }

    fn may_promote(&self) -> bool {
        self.deployment.requires_promotion()
            && self.deployment.has_auto_promote()
            && self.deployment.task_groups.values().filter(|group| !group.promoted).all(|group| self.canaries_healthy(group))
    }

    fn canaries_healthy(&self, group: &DeploymentState) -> bool {
        let healthy = |id| self.state.allocation(id).and_then(|allocation| allocation.is_healthy()) == Some(true);
        group.placed_canaries.iter().filter(|id| healthy(**id)).count() >= group.desired_canaries as usize
    }

    fn is_complete(&self) -> bool {
        !self.deployment.requires_promotion() && self.deployment.task_groups.values().all(group_complete) && self.has_what_it_counted()
    }

    /// The counters say what has become healthy; what failed afterwards is still in them.
    fn has_what_it_counted(&self) -> bool {
        let mut healthy: BTreeMap<&str, u32> = BTreeMap::new();
        for allocation in self.state.allocations_of_deployment(self.deployment.id) {
            if allocation.is_healthy() == Some(true) && !allocation.is_terminal() {
                *healthy.entry(&allocation.task_group).or_default() += 1;
            }
        }
        self.deployment.task_groups.iter().all(|(name, group)| healthy.get(&**name).copied().unwrap_or_default() >= wanted(group))
    }

    /// When the deployment fails if nothing becomes healthy until then. A group that is complete, or waits for somebody to promote it, has no deadline.
    fn deadline(&self) -> Option<UnixNanos> {
        let waits = |group: &&DeploymentState| {
            let for_promotion = group.desired_canaries > 0 && !group.promoted && self.canaries_healthy(group);
            !for_promotion && !group_complete(group) && !group.progress_deadline.is_zero()
        };
        let deadlines = self.deployment.task_groups.values().filter(waits).map(|group| group.require_progress_by.0);
        deadlines.filter(|deadline| !deadline.is_never()).min()
    }

    /// Lets the scheduler replace what is unhealthy, though the deployment that placed it is under way.
    fn replace_unhealthy(&self) -> Option<Command> {
        let replaceable = |allocation: &&Arc<Allocation>| {
            allocation.next_allocation.is_none() && !allocation.is_server_terminal() && !allocation.desired_transition.should_reschedule()
        };
        let transition = DesiredTransition { reschedule: Some(true), ..DesiredTransition::default() };
        let transitions: BTreeMap<_, _> = self.unhealthy().filter(replaceable).map(|allocation| (allocation.id, transition)).collect();
        let any = !transitions.is_empty();
        any.then(|| Command::AllocationsTransition { transitions, evaluations: vec![self.evaluation()] })
    }
}

fn group_complete(group: &DeploymentState) -> bool {
    group.healthy_allocs >= wanted(group)
}

fn wanted(group: &DeploymentState) -> u32 {
    group.desired_total.max(group.desired_canaries)
}
