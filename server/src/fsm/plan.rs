//! The part of a plan that the plan applier found to fit.

use drover_model::{
    allocation::{Allocation, ClientStatus},
    deployment::Deployment,
    ids::AllocId,
    plan::Stop,
};

use super::{Change, Done, command::PlanApply};

impl Change<'_> {
    pub(super) fn plan_apply(&mut self, plan: PlanApply) -> Done {
        let PlanApply { eval_id: _, stops, allocations, deployment, deployment_updates, evaluations } = plan;
        if let Some(deployment) = deployment {
            self.put_planned_deployment(deployment);
        }
        for update in &deployment_updates {
            self.set_deployment_status(update);
        }
        stops.into_iter().for_each(|stop| self.stop_allocation(stop));
        for allocation in allocations.into_allocations() {
            match self.state.allocation(allocation.id).cloned() {
                Some(known) => self.update_allocation(&known, allocation),
                None => self.place_allocation(allocation),
            }
        }
        self.put_evaluations(evaluations);
        Ok(())
    }

    fn put_planned_deployment(&mut self, mut deployment: Deployment) {
        match self.state.deployment(deployment.id) {
            // What was counted since stays, and what became of it; only what the plan decides changes.
            Some(known) => {
                let mut changed = Deployment::clone(known);
                for (name, planned) in deployment.task_groups {
                    let group = changed.task_groups.entry(name).or_default();
                    group.desired_canaries = planned.desired_canaries;
                    group.desired_total = planned.desired_total;
                }
                self.put_deployment(changed);
            }
            None => {
                deployment.create_index = self.index;
                deployment.create_time = self.at;
                for group in deployment.task_groups.values_mut().filter(|group| group.require_progress_by.is_never()) {
                    if !group.progress_deadline.is_zero() {
                        group.require_progress_by = self.at.plus(group.progress_deadline).into();
                    }
                }
                self.put_deployment(deployment);
            }
        }
    }

    fn stop_allocation(&mut self, stop: Stop) {
        let Some(known) = self.state.allocation(stop.id) else { return };
        let mut allocation = Allocation::clone(known);
        allocation.desired_status = stop.desired_status;
        allocation.desired_description = stop.description;
        if let Some(status) = stop.client_status
            && !allocation.is_client_terminal()
        {
            if status == ClientStatus::Unknown {
                self.note_client_status(&mut allocation, status);
            }
            allocation.client_status = status;
        }
        if stop.followup_eval.is_some() {
            allocation.followup_eval_id = stop.followup_eval;
        }
        if stop.preempted_by.is_some() {
            allocation.preempted_by_allocation = stop.preempted_by;
        }
        self.deployments.extend(allocation.turn());
        self.put_server_change(allocation);
    }

    fn place_allocation(&mut self, mut allocation: Allocation) {
        allocation.create_index = self.index;
        allocation.create_time = self.at;
        let (id, previous) = (allocation.id, allocation.previous_allocation);
        self.count_placed(&allocation);
        self.put_server_change(allocation);
        if let Some(previous) = previous {
            self.link_next(previous, id);
        }
    }

    /// Notes on an allocation which one took its place.
    fn link_next(&mut self, previous: AllocId, next: AllocId) {
        if let Some(known) = self.state.allocation(previous) {
            let allocation = Allocation { next_allocation: Some(next), ..Allocation::clone(known) };
            self.put_allocation(allocation);
        }
    }

    /// Takes over what the plan decides about an allocation that exists. What its client said since the plan's snapshot stays.
    fn update_allocation(&mut self, known: &Allocation, planned: Allocation) {
        let mut allocation = planned;
        allocation.create_index = known.create_index;
        allocation.create_time = known.create_time;
        allocation.task_states.clone_from(&known.task_states);
        allocation.network_status.clone_from(&known.network_status);
        allocation.template_roll.clone_from(&known.template_roll);
        allocation.client_description = known.client_description.clone();
        allocation.next_allocation = known.next_allocation;
        allocation.alloc_states = known.alloc_states.clone();
        let servers_know_better =
            matches!(allocation.client_status, ClientStatus::Lost | ClientStatus::Unknown) && !known.is_client_terminal();
        if !servers_know_better {
            allocation.client_status = known.client_status;
        } else if allocation.client_status == ClientStatus::Unknown && known.client_status != ClientStatus::Unknown {
            self.note_client_status(&mut allocation, ClientStatus::Unknown);
        }
        if allocation.deployment_id == known.deployment_id {
            allocation.deployment_status = known.deployment_status;
        } else {
            self.count_placed(&allocation);
        }
        self.put_server_change(allocation);
    }
}
