//! What is done with registered jobs: stop, evaluate, revert, scale, mark as stable.

use std::collections::BTreeMap;

use drover_model::{
    allocation::{ClientStatus, DesiredTransition},
    evaluation::Trigger,
    job::{Job, JobSubmission},
    rpc::{
        Error,
        job::{JobDeregister, JobDeregistered, JobEvaluate, JobRegistered, JobRevert, JobScale, JobStable, Written},
    },
};

use super::{
    Desk,
    register::{commit, existing, refuse_when_closed, with_priority},
};
use crate::fsm::command::Command;

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

pub(super) async fn scale(desk: Desk<'_>, message: JobScale) -> Result<JobRegistered, Error> {
    let state = desk.store.snapshot();
    refuse_when_closed(&state)?;
    let current = state.job(&message.key).ok_or_else(|| Error::not_found("job not found"))?;
    let mut job = Job::clone(current);
    let missing = || Error::bad_request(format!("task group {:?} specified for scaling does not exist in job", message.group));
    let group = job.task_groups.iter_mut().find(|group| *group.name == *message.group).ok_or_else(missing)?;
    let Some(count) = message.count else {
        tracing::info!(job = %message.key, group = message.group, error = message.error, note = message.message, "a note on scaling");
        return Ok(JobRegistered {
            job_modify_index: current.job_modify_index,
            index: state.index(),
            known_leader: true,
            ..JobRegistered::default()
        });
    };
    let count = u32::try_from(count).map_err(|_| Error::bad_request("scaling action count can't be negative"))?;
    if let Some(scaling) = &group.scaling {
        if let Some(max) = scaling.max.filter(|max| i64::from(count) > *max) {
            return Err(Error::bad_request(format!("group count was greater than scaling policy maximum: {count} > {max}")));
        }
        if let Some(min) = scaling.min.filter(|min| i64::from(count) < *min) {
            return Err(Error::bad_request(format!("group count was less than scaling policy minimum: {count} < {min}")));
        }
    }
    if state.latest_rollout(&message.key).is_some_and(|deployment| deployment.is_active()) {
        return Err(Error::bad_request("job scaling blocked due to active deployment"));
    }
    group.count = count;
    job.submit_time = desk.runtime.clock.now();
    let evaluation = job.has_allocations().then(|| with_priority(&job, Trigger::JobScaling, None, desk));
    let enforce = message.enforce.or(Some(current.job_modify_index));
    let reply = commit(desk, job, None, enforce, evaluation).await?;
    Ok(JobRegistered { known_leader: true, ..reply })
}
