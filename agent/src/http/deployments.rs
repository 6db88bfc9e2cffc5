//! `/v1/deployments` and `/v1/deployment/...`.

use drover_model::{
    ids::{AllocId, DeploymentId},
    json::{List, null_is_default},
    rpc::{
        Error,
        deployment::{
            DeploymentAllocHealth, DeploymentAllocations, DeploymentChanged, DeploymentFail, DeploymentGet, DeploymentList,
            DeploymentPause, DeploymentPromote,
        },
    },
};
use serde::Deserialize;

use super::{
    call::{Call, Verb, id, invalid_method},
    reply::{Outcome, nowhere},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    call.list(&rest, |options| DeploymentList { options }).await
}

pub(super) async fn one(mut call: Call, rest: String) -> Outcome {
    let (action, segment) = rest.split_once('/').unwrap_or(("", &rest));
    let reply = match (action, call.verb()) {
        ("", Verb::Get) => {
            let message = DeploymentGet { options: call.options()?, id: id("deployment", segment)? };
            let read = call.api.backend().call(message).await?;
            return call.found_or(read, "deployment not found", |deployment| deployment);
        }
        ("allocations", Verb::Get) => {
            let message = DeploymentAllocations { options: call.options()?, id: id("deployment", segment)? };
            return call.read(message).await;
        }
        ("promote", Verb::Write) => promote(&mut call, segment).await?,
        ("fail", Verb::Write) => {
            let id = target(&call, segment)?;
            call.api.backend().call(DeploymentFail { id }).await?
        }
        ("pause", Verb::Write) => pause(&mut call, segment).await?,
        // Nothing here blocks for other regions, so there is nothing to unblock.
        ("unblock", Verb::Write) => target(&call, segment).map(|_| DeploymentChanged::default())?,
        ("allocation-health", Verb::Write) => allocation_health(&mut call, segment).await?,
        ("" | "allocations" | "promote" | "fail" | "pause" | "unblock" | "allocation-health", _) => return Err(invalid_method()),
        _ => return nowhere(),
    };
    call.written(reply.index, &reply)
}

fn target(call: &Call, segment: &str) -> Result<DeploymentId, Error> {
    call.check_region()?;
    id("deployment", segment)
}

/// The id in the body, where it is given, must be the one in the path.
fn same_id(given: &str, id: DeploymentId) -> Result<(), Error> {
    if given.is_empty() || given == id.to_string() { Ok(()) } else { Err(Error::bad_request("Deployment ID does not match")) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromoteBody {
    #[serde(rename = "DeploymentID", deserialize_with = "null_is_default")]
    deployment_id: String,
    #[serde(rename = "All", deserialize_with = "null_is_default")]
    all: bool,
    #[serde(rename = "Groups")]
    groups: List<String>,
}

async fn promote(call: &mut Call, segment: &str) -> Result<DeploymentChanged, Error> {
    let id = target(call, segment)?;
    let body: PromoteBody = call.json().await?;
    same_id(&body.deployment_id, id)?;
    if !body.all && body.groups.is_empty() {
        return Err(Error::bad_request("must specify either `All` or at least one of `Groups`"));
    }
    let groups = (!body.all).then_some(body.groups.0);
    call.api.backend().call(DeploymentPromote { id, groups }).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PauseBody {
    #[serde(rename = "DeploymentID", deserialize_with = "null_is_default")]
    deployment_id: String,
    #[serde(rename = "Pause", deserialize_with = "null_is_default")]
    pause: bool,
}

async fn pause(call: &mut Call, segment: &str) -> Result<DeploymentChanged, Error> {
    let id = target(call, segment)?;
    let body: PauseBody = call.json().await?;
    same_id(&body.deployment_id, id)?;
    call.api.backend().call(DeploymentPause { id, pause: body.pause }).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HealthBody {
    #[serde(rename = "DeploymentID", deserialize_with = "null_is_default")]
    deployment_id: String,
    #[serde(rename = "HealthyAllocationIDs")]
    healthy: List<AllocId>,
    #[serde(rename = "UnhealthyAllocationIDs")]
    unhealthy: List<AllocId>,
}

async fn allocation_health(call: &mut Call, segment: &str) -> Result<DeploymentChanged, Error> {
    let id = target(call, segment)?;
    let body: HealthBody = call.json().await?;
    same_id(&body.deployment_id, id)?;
    if body.healthy.is_empty() && body.unhealthy.is_empty() {
        return Err(Error::internal("must specify at least one healthy/unhealthy allocation ID"));
    }
    let message = DeploymentAllocHealth { id, healthy: body.healthy.0, unhealthy: body.unhealthy.0 };
    call.api.backend().call(message).await
}
