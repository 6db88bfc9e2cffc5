//! Deployments: status, promotion, and the counts of what was placed and how it fares.

use std::sync::Arc;

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation},
    deployment::{Deployment, DeploymentState, DeploymentStatus, DeploymentStatusUpdate, description},
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, Name},
    job::{Job, JobSubmission},
};

use super::{Change, Done, Refusal};

impl Change<'_> {
    pub(super) fn put_deployment(&mut self, mut deployment: Deployment) {
        deployment.modify_index = self.index;
        deployment.modify_time = self.at;
        self.deployments.insert(deployment.id);
        self.state.put_deployment(deployment);
    }

    /// Changes the status of a deployment of which more could have come; a successful one makes its job's version stable.
    pub(super) fn set_deployment_status(&mut self, update: &DeploymentStatusUpdate) {
        let Some(known) = self.state.deployment(update.id).filter(|known| known.is_active()).cloned() else { return };
        let mut deployment = Deployment::clone(&known);
        // Whoever pauses a deployment stops its clock, so that going on begins with a whole deadline.
        if known.status == DeploymentStatus::Paused && update.status == DeploymentStatus::Running {
            for group in deployment.task_groups.values_mut().filter(|group| !group.progress_deadline.is_zero()) {
                group.require_progress_by = self.at.plus(group.progress_deadline).into();
            }
        }
        deployment.status = update.status;
        deployment.status_description.clone_from(&update.description);
        match update.status {
            DeploymentStatus::Successful if !deployment.is_of_templates() => {
                self.set_stability(&deployment.job_key(), deployment.job_version, true);
            }
            DeploymentStatus::Failed if deployment.is_of_templates() => self.pass_over(&deployment),
            _ => {}
        }
        self.put_deployment(deployment);
    }

    fn active_deployment(&self, id: DeploymentId) -> Result<Arc<Deployment>, Refusal> {
        let Some(deployment) = self.state.deployment(id) else { return Err(Refusal::not_found("deployment")) };
        if !deployment.is_active() {
            return Err(Refusal::invalid(format!("deployment has terminal status {:?}", deployment.status.as_str())));
        }
        Ok(Arc::clone(deployment))
    }

    pub(super) fn deployment_status(
        &mut self,
        update: &DeploymentStatusUpdate,
        job: Option<Arc<Job>>,
        evaluation: Option<Evaluation>,
    ) -> Done {
        self.active_deployment(update.id)?;
        self.set_deployment_status(update);
        self.revert_and_evaluate(job, evaluation);
        Ok(())
    }

    fn revert_and_evaluate(&mut self, job: Option<Arc<Job>>, evaluation: Option<Evaluation>) {
        if let Some(job) = job {
            // Who looks at the new version wants to see what somebody wrote for the old one.
            let submission = self.state.submission(&job.key(), job.version).map(|submission| JobSubmission::clone(submission));
            self.put_job_version(job, submission);
        }
        if let Some(evaluation) = evaluation {
            self.put_evaluation(evaluation);
        }
    }

    pub(super) fn deployment_promote(&mut self, id: DeploymentId, groups: Option<&[String]>, evaluation: Option<Evaluation>) -> Done {
        let known = self.active_deployment(id)?;
        let chosen = |name: &str| groups.is_none_or(|groups| groups.iter().any(|group| group == name));
        let promoted = |(name, state): &(&Name, &DeploymentState)| chosen(name) && state.desired_canaries > 0;
        let mut unready = Vec::new();
        for (name, state) in known.task_groups.iter().filter(promoted) {
            let healthy = state
                .placed_canaries
                .iter()
                .filter(|id| self.state.allocation(**id).and_then(|row| row.is_healthy()) == Some(true))
                .count();
            if healthy < state.desired_canaries as usize {
                unready.push(format!("Task group {name:?} has {healthy}/{} healthy allocations", state.desired_canaries));
            }
        }
        if !unready.is_empty() {
            return Err(Refusal::invalid(unready.join("; ")));
        }
        let mut deployment = Deployment::clone(&known);
        let mut canaries = Vec::new();
        for (name, state) in deployment.task_groups.iter_mut().filter(|(name, state)| chosen(name) && state.desired_canaries > 0) {
            let _ = name;
            state.promoted = true;
            if !state.progress_deadline.is_zero() {
                state.require_progress_by = self.at.plus(state.progress_deadline).into();
            }
            canaries.extend(state.placed_canaries.iter().copied());
        }
        if !deployment.requires_promotion() && deployment.status == DeploymentStatus::Running {
            deployment.status_description = description::RUNNING.to_owned();
        }
        self.put_deployment(deployment);
        canaries.into_iter().for_each(|id| self.end_canary(id));
        self.put_evaluations(evaluation);
        Ok(())
    }

    /// A promoted canary is an allocation like any other: its services take their usual tags.
    fn end_canary(&mut self, id: AllocId) {
        let Some(known) = self.state.allocation(id).filter(|known| known.is_canary()) else { return };
        let mut allocation = Allocation::clone(known);
        if let Some(status) = &mut allocation.deployment_status {
            status.canary = false;
            status.modify_index = self.index;
        }
        self.put_server_change(allocation);
    }

    pub(super) fn deployment_alloc_health(
        &mut self,
        id: DeploymentId,
        healthy: &[AllocId],
        unhealthy: &[AllocId],
        update: Option<DeploymentStatusUpdate>,
        job: Option<Arc<Job>>,
        evaluation: Option<Evaluation>,
    ) -> Done {
        self.active_deployment(id)?;
        let stranger =
            healthy.iter().chain(unhealthy).find(|alloc| self.state.allocation(**alloc).is_none_or(|row| row.deployment_id != Some(id)));
        if let Some(stranger) = stranger {
            return Err(Refusal::invalid(format!("alloc {stranger:?} is not part of deployment {id}")));
        }
        for (ids, health) in [(healthy, true), (unhealthy, false)] {
            ids.iter().for_each(|alloc| self.set_health(*alloc, health));
        }
        if let Some(update) = &update {
            self.set_deployment_status(update);
        }
        self.revert_and_evaluate(job, evaluation);
        self.deployments.insert(id);
        Ok(())
    }

    fn set_health(&mut self, id: AllocId, healthy: bool) {
        let Some(known) = self.state.allocation(id).filter(|known| known.is_healthy() != Some(healthy)) else { return };
        let (mut allocation, before) = (Allocation::clone(known), known.is_healthy());
        let status = AllocDeploymentStatus {
            healthy: Some(healthy),
            timestamp: self.at.into(),
            canary: allocation.is_canary(),
            modify_index: self.index,
        };
        allocation.deployment_status = Some(status);
        self.count_health(&allocation, before);
        self.put_server_change(allocation);
    }

    /// Counts an allocation whose health was `before` and is now as it says.
    pub(super) fn count_health(&mut self, allocation: &Allocation, before: Option<bool>) {
        let at = self.at;
        self.change_group(allocation, |group| {
            match before {
                Some(true) => group.healthy_allocs = group.healthy_allocs.saturating_sub(1),
                Some(false) => group.unhealthy_allocs = group.unhealthy_allocs.saturating_sub(1),
                None => {}
            }
            match allocation.is_healthy() {
                Some(true) => {
                    group.healthy_allocs = group.healthy_allocs.saturating_add(1);
                    // The client's clock may be ahead.
                    let since = allocation.deployment_status.map_or(at, |status| status.timestamp.0.min(at));
                    if !group.progress_deadline.is_zero() {
                        group.require_progress_by = group.require_progress_by.max(since.plus(group.progress_deadline).into());
                    }
                }
                Some(false) => group.unhealthy_allocs = group.unhealthy_allocs.saturating_add(1),
                None => {}
            }
        });
    }

    /// Counts an allocation that a deployment placed, or took over in place.
    pub(super) fn count_placed(&mut self, allocation: &Allocation) {
        let at = self.at;
        self.change_group(allocation, |group| {
            group.placed_allocs = group.placed_allocs.saturating_add(1);
            if allocation.is_canary() && !group.placed_canaries.contains(&allocation.id) {
                group.placed_canaries.push(allocation.id);
            }
            if group.require_progress_by.is_never() && !group.progress_deadline.is_zero() {
                group.require_progress_by = at.plus(group.progress_deadline).into();
            }
        });
    }

    /// Changes what a deployment knows of an allocation's group, without copying the rest of it.
    pub(super) fn change_group(&mut self, allocation: &Allocation, change: impl FnOnce(&mut DeploymentState)) {
        let (index, at) = (self.index, self.at);
        let Some(id) = allocation.deployment_id else { return };
        self.state.change_deployment(id, |deployment| {
            if let Some(group) = deployment.task_groups.get_mut(&allocation.task_group) {
                change(group);
                deployment.modify_index = index;
                deployment.modify_time = at;
            }
        });
        self.deployments.insert(id);
    }

    /// Forgets deployments of which nothing more can come, and those whose job is gone.
    pub(super) fn deployments_forget(&mut self, ids: &[DeploymentId]) -> Done {
        for id in ids {
            let Some(deployment) = self.state.deployment(*id) else { continue };
            if !deployment.is_active() || self.state.job(&deployment.job_key()).is_none() {
                self.state.remove_deployment(*id);
            }
        }
        Ok(())
    }
}
