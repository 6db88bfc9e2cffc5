//! Allocations: reading, and stopping one.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, DesiredTransition},
    evaluation::Trigger,
    ids::NodeId,
    rpc::{
        Error, ReadOptions,
        allocation::{AllocationGet, AllocationList, AllocationNode, AllocationServices, AllocationStop, AllocationStopped},
    },
    service::ServiceRegistration,
    view::AllocationStub,
};

use super::{
    Desk, Found,
    page::{ByCreation, in_namespace, page},
};
use crate::{
    evaluations,
    fsm::command::Command,
    state::{IdPrefix, State},
};

pub(super) fn stubs<'a>(
    rows: impl Iterator<Item = &'a Arc<Allocation>>,
    options: &ReadOptions,
    resources: bool,
    task_states: bool,
) -> Result<Found<Vec<AllocationStub>>, Error> {
    let rows = rows.map(|row| (ByCreation(row.create_index, row.id.as_uuid()), row)).collect();
    page(rows, options, |row| AllocationStub::new(row, resources, task_states))
}

pub(super) fn list(state: &State, message: &AllocationList) -> Result<Found<Vec<AllocationStub>>, Error> {
    let options = &message.options;
    let wanted = |row: &&Arc<Allocation>| in_namespace(options, &row.namespace);
    if options.prefix.is_empty() {
        return stubs(state.allocations().filter(wanted), options, message.resources, message.task_states);
    }
    let prefix = IdPrefix::parse(&options.prefix);
    let found = prefix.map(|prefix| state.allocations_with_prefix(prefix)).into_iter().flatten().filter(wanted);
    stubs(found, options, message.resources, message.task_states)
}

pub(super) fn get(state: &State, message: &AllocationGet) -> Result<Found<Option<Arc<Allocation>>>, Error> {
    let allocation = state.allocation(message.id).cloned();
    let index = allocation.as_ref().map(|allocation| allocation.modify_index);
    Ok(Found::at(allocation, index))
}

pub(super) fn services(state: &State, message: &AllocationServices) -> Result<Found<Vec<Arc<ServiceRegistration>>>, Error> {
    Ok(Found::new(state.services_of_allocation(message.id).cloned().collect()))
}

pub(super) fn node(state: &State, message: &AllocationNode) -> Option<NodeId> {
    state.allocation(message.id).map(|allocation| allocation.node_id)
}

pub(super) async fn stop(desk: Desk<'_>, message: AllocationStop) -> Result<AllocationStopped, Error> {
    let state = desk.store.snapshot();
    let allocation = state.allocation(message.id).ok_or_else(|| Error::not_found("allocation not found"))?;
    let job = state.job(&allocation.job_key()).unwrap_or(&allocation.job);
    let transition = DesiredTransition {
        migrate: Some(true),
        reschedule: message.reschedule.then_some(true),
        no_shutdown_delay: message.no_shutdown_delay.then_some(true),
        ..DesiredTransition::default()
    };
    let evaluation = evaluations::for_job(job, Trigger::AllocStop, &*desk.runtime.random);
    let eval_id = Some(evaluation.id);
    let transitions = BTreeMap::from([(message.id, transition)]);
    let command = Command::AllocationsTransition { transitions, evaluations: vec![evaluation] };
    let index = desk.proposer.propose(command).await?.accepted()?;
    Ok(AllocationStopped { eval_id, index })
}
