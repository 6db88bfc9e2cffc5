//! What clients report of allocations, and what users ask of them.

use std::collections::BTreeMap;

use drover_model::{
    allocation::{AllocDeploymentStatus, AllocState, Allocation, AllocationReport, ClientStatus, DesiredTransition},
    evaluation::Evaluation,
    ids::{AllocId, NodeId},
    time::Rfc3339,
};

use super::{Change, Done};

impl Change<'_> {
    pub(super) fn allocations_report(&mut self, node_id: NodeId, reports: Vec<AllocationReport>, evaluations: Vec<Evaluation>) -> Done {
        for report in reports {
            let Some(known) = report.id.and_then(|id| self.state.allocation(id)).filter(|known| known.node_id == node_id) else { continue };
            let before = known.clone();
            let mut allocation = Allocation::clone(&before);
            self.take_report(&mut allocation, report);
            if says_nothing_new(&before, &allocation) {
                continue;
            }
            let health = (before.is_healthy(), allocation.is_healthy());
            let follow = allocation.deployment_id.filter(|_| health.0 != health.1 || before.client_status != allocation.client_status);
            if health.0 != health.1 {
                self.count_health(&allocation, health.0);
            }
            self.put_allocation(allocation);
            if let Some(id) = follow {
                self.deployments.insert(id);
            }
        }
        self.put_evaluations(evaluations);
        Ok(())
    }

    fn take_report(&mut self, allocation: &mut Allocation, report: AllocationReport) {
        let judged = judged_health(allocation, &report);
        let AllocationReport { client_status, client_description, task_states, network_status, templates_waiting, .. } = report;
        self.note_waiting(allocation, templates_waiting);
        if allocation.client_status == ClientStatus::Unknown && client_status != ClientStatus::Unknown {
            self.note_client_status(allocation, client_status);
            // The evaluation that gives it up is no longer about it; one for another reason may follow.
            allocation.followup_eval_id = None;
        }
        // The servers gave it up, and its room with it. A node that returns may still be busy stopping it: it does not come back for that.
        let given_up = allocation.client_status == ClientStatus::Lost && allocation.is_server_terminal();
        if !given_up || client_status.is_terminal() {
            allocation.client_status = client_status;
            allocation.client_description = client_description;
        }
        if !task_states.is_empty() {
            allocation.set_task_states(task_states);
        }
        if network_status.is_some() {
            allocation.network_status = network_status;
        }
        let Some(healthy) = judged else { return };
        // Its role as a canary is the servers' to say.
        if allocation.is_healthy() != Some(healthy.0) {
            let canary = allocation.is_canary();
            let timestamp = if healthy.1.is_never() { self.at.into() } else { healthy.1 };
            allocation.deployment_status =
                Some(AllocDeploymentStatus { healthy: Some(healthy.0), timestamp, canary, modify_index: self.index });
        }
    }

    /// Notes when a client was lost sight of, or came back: the reconciler counts from it.
    pub(super) fn note_client_status(&self, allocation: &mut Allocation, status: ClientStatus) {
        let state = AllocState { field: "ClientStatus".to_owned(), value: status.as_str().to_owned(), time: self.at.into() };
        allocation.alloc_states.push(state);
    }

    pub(super) fn allocations_transition(
        &mut self,
        transitions: &BTreeMap<AllocId, DesiredTransition>,
        evaluations: Vec<Evaluation>,
    ) -> Done {
        for (id, transition) in transitions {
            let Some(known) = self.state.allocation(*id) else { continue };
            let mut allocation = Allocation::clone(known);
            merge(&mut allocation.desired_transition, transition);
            self.put_allocation(allocation);
        }
        self.put_evaluations(evaluations);
        Ok(())
    }
}

/// The health that a report tells, with its time. A report that was on its way while the allocation became part of another deployment tells of the one before.
/// Who takes in changed templates says whose turn it was; other clients may be older than this field.
fn judged_health(allocation: &Allocation, report: &AllocationReport) -> Option<(bool, Rfc3339)> {
    let of_another = match report.deployment_id {
        Some(id) => allocation.deployment_id != Some(id),
        None => allocation.turn().is_some(),
    };
    let status = report.deployment_status.filter(|_| !of_another)?;
    status.healthy.map(|healthy| (healthy, status.timestamp))
}

/// Looks only at what a report can change: comparing whole allocations would compare their jobs.
fn says_nothing_new(before: &Allocation, after: &Allocation) -> bool {
    before.client_status == after.client_status
        && before.client_description == after.client_description
        && before.deployment_status == after.deployment_status
        && before.network_status == after.network_status
        && before.template_roll == after.template_roll
        && before.alloc_states.len() == after.alloc_states.len()
        && before.task_states == after.task_states
}

fn merge(into: &mut DesiredTransition, from: &DesiredTransition) {
    let DesiredTransition { migrate, reschedule, force_reschedule, no_shutdown_delay, migrate_disable_placement } = *from;
    into.migrate = migrate.or(into.migrate);
    into.reschedule = reschedule.or(into.reschedule);
    into.force_reschedule = force_reschedule.or(into.force_reschedule);
    into.no_shutdown_delay = no_shutdown_delay.or(into.no_shutdown_delay);
    into.migrate_disable_placement = migrate_disable_placement.or(into.migrate_disable_placement);
}
