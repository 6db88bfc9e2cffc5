//! Deployments: reading, and what people decide about them.

use std::sync::Arc;

use drover_model::{
    deployment::Deployment,
    rpc::{
        Error, ReadOptions,
        deployment::{
            DeploymentAllocHealth, DeploymentAllocations, DeploymentChanged, DeploymentFail, DeploymentGet, DeploymentList,
            DeploymentPause, DeploymentPromote,
        },
    },
    view::AllocationStub,
};

use super::{
    Desk, Found,
    page::{ByCreation, in_namespace, page},
};
use crate::{
    deployments::{DeploymentReply, requests},
    state::{IdPrefix, State},
};

pub(super) fn rows<'a>(
    rows: impl Iterator<Item = &'a Arc<Deployment>>,
    options: &ReadOptions,
) -> Result<Found<Vec<Arc<Deployment>>>, Error> {
    let rows = rows.map(|row| (ByCreation(row.create_index, row.id.as_uuid()), row)).collect();
    page(rows, options, |row| Arc::clone(row))
}

pub(super) fn list(state: &State, message: &DeploymentList) -> Result<Found<Vec<Arc<Deployment>>>, Error> {
    let options = &message.options;
    let wanted = |row: &&Arc<Deployment>| in_namespace(options, &row.namespace);
    if options.prefix.is_empty() {
        return rows(state.deployments().filter(wanted), options);
    }
    let prefix = IdPrefix::parse(&options.prefix);
    rows(prefix.map(|prefix| state.deployments_with_prefix(prefix)).into_iter().flatten().filter(wanted), options)
}

pub(super) fn get(state: &State, message: &DeploymentGet) -> Result<Found<Option<Arc<Deployment>>>, Error> {
    let deployment = state.deployment(message.id).cloned();
    let index = deployment.as_ref().map(|deployment| deployment.modify_index);
    Ok(Found::at(deployment, index))
}

pub(super) fn allocations(state: &State, message: &DeploymentAllocations) -> Result<Found<Vec<AllocationStub>>, Error> {
    super::allocations::stubs(state.allocations_of_deployment(message.id), &message.options, false, true)
}

fn changed(reply: DeploymentReply) -> DeploymentChanged {
    let DeploymentReply { index, eval_id, reverted_version } = reply;
    DeploymentChanged {
        eval_id,
        eval_create_index: if eval_id.is_some() { index } else { 0 },
        deployment_modify_index: index,
        reverted_job_version: reverted_version,
        index,
    }
}

pub(super) async fn promote(desk: Desk<'_>, message: DeploymentPromote) -> Result<DeploymentChanged, Error> {
    let (state, random) = (desk.store.snapshot(), &*desk.runtime.random);
    requests::promote(&state, desk.proposer, random, message.id, message.groups).await.map(changed)
}

pub(super) async fn fail(desk: Desk<'_>, message: DeploymentFail) -> Result<DeploymentChanged, Error> {
    requests::fail(&desk.store.snapshot(), desk.proposer, &*desk.runtime.random, message.id).await.map(changed)
}

pub(super) async fn pause(desk: Desk<'_>, message: DeploymentPause) -> Result<DeploymentChanged, Error> {
    requests::pause(&desk.store.snapshot(), desk.proposer, &*desk.runtime.random, message.id, message.pause).await.map(changed)
}

pub(super) async fn alloc_health(desk: Desk<'_>, message: DeploymentAllocHealth) -> Result<DeploymentChanged, Error> {
    let DeploymentAllocHealth { id, healthy, unhealthy } = message;
    let (state, random) = (desk.store.snapshot(), &*desk.runtime.random);
    requests::set_health(&state, desk.proposer, random, id, healthy, unhealthy).await.map(changed)
}
