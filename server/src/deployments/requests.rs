//! What people ask of deployments: promote, fail, pause, go on, say that allocations are healthy.

use std::sync::Arc;

use drover_model::{
    deployment::{Deployment, DeploymentStatus, DeploymentStatusUpdate, description},
    evaluation::{Evaluation, Trigger},
    ids::{AllocId, DeploymentId, EvalId},
    job::Job,
    rpc::Error,
};
use drover_runtime::Random;

use super::failure;
use crate::{evaluations, fsm::command::Command, propose::Propose, state::State};

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentReply {
    pub index: u64,
    pub eval_id: Option<EvalId>,
    /// The version of the job that takes the failed one's place.
    pub reverted_version: Option<u64>,
}

fn active<'a>(state: &'a State, id: DeploymentId, what: &str) -> Result<&'a Arc<Deployment>, Error> {
    let deployment = state.deployment(id).ok_or_else(|| Error::not_found("deployment not found"))?;
    if !deployment.is_active() {
        return Err(Error::internal(format!("can't {what} terminal deployment")));
    }
    Ok(deployment)
}

fn evaluation(state: &State, deployment: &Deployment, random: &dyn Random) -> Option<Evaluation> {
    let job = state.job(&deployment.job_key())?;
    let evaluation = evaluations::for_job(job, Trigger::DeploymentWatcher, random);
    Some(Evaluation { deployment_id: Some(deployment.id), ..evaluation })
}

async fn commit(proposer: &dyn Propose, command: Command, eval_id: Option<EvalId>) -> Result<DeploymentReply, Error> {
    let index = proposer.propose(command).await?.accepted()?;
    Ok(DeploymentReply { index, eval_id, reverted_version: None })
}

/// Promotes the canaries of these groups (none: of all).
pub async fn promote(
    state: &State,
    proposer: &dyn Propose,
    random: &dyn Random,
    id: DeploymentId,
    groups: Option<Vec<String>>,
) -> Result<DeploymentReply, Error> {
    let deployment = active(state, id, "promote")?;
    if !deployment.task_groups.values().any(|group| group.desired_canaries > 0) {
        return Err(Error::internal("no canaries to promote"));
    }
    let evaluation = evaluation(state, deployment, random);
    let eval_id = evaluation.as_ref().map(|evaluation| evaluation.id);
    commit(proposer, Command::DeploymentPromote { id, groups, evaluation }, eval_id).await
}

/// Ends a deployment as failed; reverts where groups want that.
pub async fn fail(state: &State, proposer: &dyn Propose, random: &dyn Random, id: DeploymentId) -> Result<DeploymentReply, Error> {
    let deployment = active(state, id, "fail")?;
    let (update, job) = fail_with(state, deployment, description::FAILED_BY_USER);
    let evaluation = evaluation(state, deployment, random);
    let (eval_id, reverted) = (evaluation.as_ref().map(|evaluation| evaluation.id), job.as_ref().map(|job| job.version));
    let reply = commit(proposer, Command::DeploymentStatus { update, job, evaluation }, eval_id).await?;
    Ok(DeploymentReply { reverted_version: reverted, ..reply })
}

fn fail_with(state: &State, deployment: &Deployment, base: &str) -> (DeploymentStatusUpdate, Option<Arc<Job>>) {
    match state.job(&deployment.job_key()).filter(|job| job.version == deployment.job_version) {
        Some(job) => failure(state, deployment, job, base, true),
        // The job has gone on to another version: there is nothing to take back.
        None => (DeploymentStatusUpdate { id: deployment.id, status: DeploymentStatus::Failed, description: base.to_owned() }, None),
    }
}

/// Pauses a deployment, or lets it go on.
pub async fn pause(
    state: &State,
    proposer: &dyn Propose,
    random: &dyn Random,
    id: DeploymentId,
    pause: bool,
) -> Result<DeploymentReply, Error> {
    let deployment = active(state, id, if pause { "pause" } else { "resume" })?;
    let (status, description) = match (pause, deployment.requires_promotion(), deployment.has_auto_promote()) {
        (true, ..) => (DeploymentStatus::Paused, description::PAUSED),
        (false, false, _) => (DeploymentStatus::Running, description::RUNNING),
        (false, true, false) => (DeploymentStatus::Running, description::NEEDS_PROMOTION),
        (false, true, true) => (DeploymentStatus::Running, description::AUTO_PROMOTION),
    };
    let evaluation = if pause { None } else { evaluation(state, deployment, random) };
    let eval_id = evaluation.as_ref().map(|evaluation| evaluation.id);
    let update = DeploymentStatusUpdate { id, status, description: description.to_owned() };
    commit(proposer, Command::DeploymentStatus { update, job: None, evaluation }, eval_id).await
}

/// Says of allocations whose health somebody else has to judge that they are healthy, or not. An unhealthy one fails a deployment that has no time to
/// replace it.
pub async fn set_health(
    state: &State,
    proposer: &dyn Propose,
    random: &dyn Random,
    id: DeploymentId,
    healthy: Vec<AllocId>,
    unhealthy: Vec<AllocId>,
) -> Result<DeploymentReply, Error> {
    if healthy.is_empty() && unhealthy.is_empty() {
        return Err(Error::internal("must specify at least one healthy/unhealthy allocation ID"));
    }
    let deployment = active(state, id, "set health of allocations for a")?;
    let fails = unhealthy
        .iter()
        .filter_map(|id| state.allocation(*id))
        .any(|allocation| deployment.task_groups.get(&allocation.task_group).is_some_and(|group| group.progress_deadline.is_zero()));
    let (update, job) = if fails {
        let (update, job) = fail_with(state, deployment, description::FAILED_ALLOCATIONS);
        (Some(update), job)
    } else {
        (None, None)
    };
    let evaluation = evaluation(state, deployment, random);
    let (eval_id, reverted) = (evaluation.as_ref().map(|evaluation| evaluation.id), job.as_ref().map(|job: &Arc<Job>| job.version));
    let command = Command::DeploymentAllocHealth { id, healthy, unhealthy, update, job, evaluation };
    let reply = commit(proposer, command, eval_id).await?;
    Ok(DeploymentReply { reverted_version: reverted, ..reply })
}
