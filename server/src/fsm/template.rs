//! Changed texts of templates: who waits with some, whose turn it is, and who is passed over when that goes wrong.

use std::sync::Arc;

use drover_model::{
    allocation::{Allocation, TemplateRoll},
    deployment::{Deployment, DeploymentStatus},
    ids::{AllocId, DeploymentId, Name},
};

use super::{Change, Done, Effect, Refusal, command::TemplateTurns};

impl Change<'_> {
    /// Takes over what a client says of texts that wait.
    pub(super) fn note_waiting(&mut self, allocation: &mut Allocation, waiting: Name) {
        if allocation.templates_waiting() == waiting {
            return;
        }
        let known = allocation.template_roll.as_deref().cloned().unwrap_or_default();
        allocation.template_roll = Some(Arc::new(TemplateRoll { waiting, since: self.at, ..known }));
        self.effects.push(Effect::TemplatesWait(allocation.job_key()));
    }

    pub(super) fn template_turns(&mut self, step: TemplateTurns) -> Done {
        let TemplateTurns { deployment, turns, revoked } = step;
        let id = deployment.id;
        match self.state.deployment(id) {
            Some(known) if known.status != DeploymentStatus::Running => {
                return Err(Refusal::invalid(format!("deployment {id} is {}", known.status.as_str())));
            }
            Some(known) => {
                let mut changed = Deployment::clone(known);
                for (name, planned) in &deployment.task_groups {
                    changed.task_groups.entry(name.clone()).or_default().desired_total = planned.desired_total;
                }
                self.put_deployment(changed);
            }
            None => self.begin_template_roll(deployment)?,
        }
        revoked.into_iter().for_each(|alloc| self.revoke_turn(alloc));
        turns.into_iter().for_each(|alloc| self.give_turn(alloc, id));
        Ok(())
    }

    /// The state may have gone on since somebody decided to begin.
    fn begin_template_roll(&mut self, mut deployment: Deployment) -> Done {
        let key = deployment.job_key();
        let current = self.state.job(&key).filter(|job| !job.stop && is_of_version(&deployment, job));
        if current.is_none() {
            return Err(Refusal::not_found("the job's version"));
        }
        if let Some(other) = self.state.deployments_of_job(&key).find(|other| other.is_active()) {
            return Err(Refusal::invalid(format!("deployment {} of the job is under way", other.id)));
        }
        deployment.create_index = self.index;
        deployment.create_time = self.at;
        self.put_deployment(deployment);
        Ok(())
    }

    fn give_turn(&mut self, id: AllocId, deployment: DeploymentId) {
        let Some(known) = self.state.allocation(id).filter(|known| !known.is_terminal() && known.awaits_turn()) else { return };
        let mut allocation = Allocation::clone(known);
        set_turn(&mut allocation, Some(deployment));
        allocation.deployment_id = Some(deployment);
        // Its health is judged anew, once it has restarted.
        allocation.deployment_status = None;
        self.count_placed(&allocation);
        let at = self.at;
        self.change_group(&allocation, |group| {
            if !group.progress_deadline.is_zero() {
                group.require_progress_by = group.require_progress_by.max(at.plus(group.progress_deadline).into());
            }
        });
        self.put_server_change(allocation);
    }

    /// Whichever deployment gave it.
    fn revoke_turn(&mut self, id: AllocId) {
        let Some(known) = self.state.allocation(id).filter(|known| known.turn().is_some()) else { return };
        let mut allocation = Allocation::clone(known);
        set_turn(&mut allocation, None);
        allocation.deployment_id = None;
        self.put_server_change(allocation);
    }

    /// What waits now is what its neighbours failed with, as far as anybody knows: it waits until it is something else. Not so where the deployment had been:
    /// what waits there came later.
    pub(super) fn pass_over(&mut self, deployment: &Deployment) {
        let passed: Vec<_> = self
            .state
            .allocations_of_job(&deployment.job_key())
            .filter(|row| deployment.task_groups.contains_key(&row.task_group))
            .filter(|row| !row.is_terminal() && row.awaits_turn() && row.turn() != Some(deployment.id))
            .cloned()
            .collect();
        for known in passed {
            let mut allocation = Allocation::clone(&known);
            let roll = allocation.template_roll.as_deref().cloned().unwrap_or_default();
            allocation.template_roll = Some(Arc::new(TemplateRoll { passed_over: roll.waiting.clone(), ..roll }));
            self.put_allocation(allocation);
        }
    }
}

fn set_turn(allocation: &mut Allocation, turn: Option<DeploymentId>) {
    let roll = allocation.template_roll.as_deref().cloned().unwrap_or_default();
    allocation.template_roll = Some(Arc::new(TemplateRoll { turn, ..roll }));
}

/// Whether a deployment is of the version that the job has.
fn is_of_version(deployment: &Deployment, job: &drover_model::job::Job) -> bool {
    (deployment.job_create_index, deployment.job_version) == (job.create_index, job.version)
}
