//! What is done with registered jobs: stop, evaluate, revert, mark as stable, give names to versions.

use std::collections::BTreeMap;

use drover_model::{
    allocation::{ClientStatus, DesiredTransition},
    evaluation::Trigger,
    job::{Job, JobSubmission},
    rpc::{
        Error,
        job::{JobDeregister, JobDeregistered, JobEvaluate, JobRegistered, JobRevert, JobStable, JobTag, JobTagged, Written},
    },
};

use super::{
    Desk,
    register::{commit, existing, with_priority},
};
use crate::fsm::command::Command;

/// The name of a version.
const TAG_BYTES: usize = 128;
/// What is said of a named version.
const DESCRIPTION_BYTES: usize = 4096;

pub(super) async fn deregister(desk: Desk<'_>, message: JobDeregister) -> Result<JobDeregistered, Error> {
    let state = desk.store.snapshot();
    let JobDeregister { key, purge, no_shutdown_delay, eval_priority } = message;
    // Stopping what is not there is done already.
    let Some(job) = state.job(&key) else { return Ok(JobDeregistered::default()) };
    let evaluation = job.has_allocations().then(|| with_priority(job, Trigger::JobDeregister, eval_priority, desk));
    let eval_id = evaluation.as_ref().map(|evaluation| evaluation.id);
    let index = desk.proposer.propose(Command::JobDeregister { key, purge, no_shutdown_delay, evaluation }).await?.accepted()?;
    let eval_create_index = if eval_id.is_some() { index } else { 0 };
    Ok(JobDeregistered { eval_id, eval_create_index, job_modify_index: index, index, ..JobDeregistered::default() })
}

pub(super) async fn evaluate(desk: Desk<'_>, message: JobEvaluate) -> Result<JobRegistered, Error> {
    let state = desk.store.snapshot();
    let job = existing(&state, &message.key)?;
    if job.is_periodic() {
        return Err(Error::internal("can't evaluate periodic job"));
    }
    if job.is_parameterized() {
        return Err(Error::internal("can't evaluate parameterized job"));
    }
    let evaluation = with_priority(job, Trigger::JobRegister, None, desk);
    let eval_id = Some(evaluation.id);
    let command = if message.force_reschedule {
        let forced = DesiredTransition { force_reschedule: Some(true), ..DesiredTransition::default() };
        let failed = state.allocations_of_job(&message.key).filter(|allocation| {
            allocation.client_status == ClientStatus::Failed && !allocation.is_server_terminal() && allocation.next_allocation.is_none()
        });
        let transitions: BTreeMap<_, _> = failed.map(|allocation| (allocation.id, forced)).collect();
        Command::AllocationsTransition { transitions, evaluations: vec![evaluation] }
    } else {
        Command::EvaluationsUpsert { evaluations: vec![evaluation] }
    };
    let index = desk.proposer.propose(command).await?.accepted()?;
    Ok(JobRegistered { eval_id, eval_create_index: index, job_modify_index: job.modify_index, index, ..JobRegistered::default() })
}

pub(super) async fn revert(desk: Desk<'_>, message: JobRevert) -> Result<JobRegistered, Error> {
    let state = desk.store.snapshot();
    let JobRevert { key, version, enforce_prior } = message;
    let current = existing(&state, &key)?;
    if current.version == version {
        return Err(Error::internal(format!("can't revert to current version ({version})")));
    }
    if let Some(prior) = enforce_prior.filter(|prior| *prior != current.version) {
        return Err(Error::internal(format!("Current job has version {}; enforcing version {prior}", current.version)));
    }
    let wanted = state
        .job_version(&key, version)
        .ok_or_else(|| Error::internal(format!("job {:?} in namespace {:?} at version {version} not found", key.id, key.namespace)))?;
    let job = Job { stop: false, submit_time: desk.runtime.clock.now(), ..Job::clone(wanted) };
    let submission = state.submission(&key, version).map(|submission| JobSubmission::clone(submission));
    let evaluation = job.has_allocations().then(|| with_priority(&job, Trigger::JobRegister, None, desk));
    commit(desk, job, submission, Some(current.job_modify_index), evaluation).await
}

pub(super) async fn stable(desk: Desk<'_>, message: JobStable) -> Result<Written, Error> {
    let JobStable { key, version, stable } = message;
    let index = desk.proposer.propose(Command::JobStability { key, version, stable }).await?.accepted()?;
    Ok(Written { index })
}

pub(super) async fn tag(desk: Desk<'_>, message: JobTag) -> Result<JobTagged, Error> {
    let JobTag { key, name, tag } = message;
    if tag.is_some() && (name.is_empty() || name.len() > TAG_BYTES) {
        return Err(Error::bad_request(format!("the name of a tag has 1 to {TAG_BYTES} bytes")));
    }
    if tag.as_ref().is_some_and(|tag| tag.description.len() > DESCRIPTION_BYTES) {
        return Err(Error::bad_request(format!("the description of a tag has at most {DESCRIPTION_BYTES} bytes")));
    }
    let newest = existing(&desk.store.snapshot(), &key)?.version;
    let tag = tag.map(|tag| (tag.version.unwrap_or(newest), tag.description));
    let removes = tag.is_none();
    let index = desk.proposer.propose(Command::JobTag { key: key.clone(), name: name.clone(), tag }).await?.accepted()?;
    let tagged = desk.store.snapshot().tagged_version(&key, &name).filter(|_| !removes);
    Ok(JobTagged { tag: tagged.and_then(|job| job.version_tag.clone()).unwrap_or_default(), index })
}
