//! Instances of parameterized jobs, and periodic jobs launched by hand.

use std::collections::BTreeSet;

use drover_model::{
    evaluation::Trigger,
    job::{Job, ParameterizedJob},
    rpc::{
        Error,
        job::{JobDispatch, JobDispatched, JobPeriodicForce, JobRegistered},
    },
};

use super::{
    Desk,
    register::{commit, existing, refuse_when_closed, with_priority},
};

/// The largest payload.
const MAX_PAYLOAD_BYTES: usize = 16 << 10;

pub(super) async fn dispatch(desk: Desk<'_>, message: JobDispatch) -> Result<JobDispatched, Error> {
    let state = desk.store.snapshot();
    refuse_when_closed(&state)?;
    let parent = state.job(&message.key).ok_or_else(|| Error::internal("parameterized job not found"))?;
    let asked = parent.parameterized_job.as_ref().filter(|_| parent.is_parameterized());
    let asked = asked.ok_or_else(|| Error::internal(format!("Specified job {:?} is not a parameterized job", parent.id)))?;
    if parent.stop {
        return Err(Error::internal(format!("Specified job {:?} is stopped", parent.id)));
    }
    check(asked, &message)?;
    let token = &message.idempotency_token;
    if !token.is_empty()
        && let Some(same) = state.job_children(&message.key).find(|child| child.dispatch_idempotency_token == *token)
    {
        let dispatched =
            JobDispatched { dispatched_job_id: same.id.clone(), job_create_index: same.create_index, ..JobDispatched::default() };
        return Ok(JobDispatched { index: state.index(), ..dispatched });
    }
    let mut child = child(parent, &child_id(parent, &message.id_prefix, desk));
    child.dispatched = true;
    child.payload = message.payload;
    child.meta.extend(message.meta);
    child.dispatch_idempotency_token = message.idempotency_token;
    child.priority = message.priority.unwrap_or(child.priority);
    child.submit_time = desk.runtime.clock.now();
    let evaluation = Some(with_priority(&child, Trigger::JobRegister, None, desk));
    let dispatched_job_id = child.id.clone();
    let JobRegistered { eval_id, eval_create_index, index, .. } = commit(desk, child, None, Some(0), evaluation).await?;
    Ok(JobDispatched { dispatched_job_id, eval_id, eval_create_index, job_create_index: index, index })
}

fn check(asked: &ParameterizedJob, message: &JobDispatch) -> Result<(), Error> {
    let told = |text: String| Err(Error::internal(text));
    match asked.payload.as_str() {
        "required" if message.payload.is_empty() => return told("Payload is not provided but required by parameterized job".to_owned()),
        "forbidden" if !message.payload.is_empty() => return told("Payload provided but forbidden by parameterized job".to_owned()),
        _ => {}
    }
    if message.payload.len() > MAX_PAYLOAD_BYTES {
        return told(format!("Payload exceeds maximum size; {} > {MAX_PAYLOAD_BYTES}", message.payload.len()));
    }
    let required: BTreeSet<&str> = asked.meta_required.iter().map(String::as_str).collect();
    let allowed: BTreeSet<&str> = asked.meta_optional.iter().map(String::as_str).chain(required.iter().copied()).collect();
    let missing: Vec<&str> = required.into_iter().filter(|key| !message.meta.contains_key(*key)).collect();
    if !missing.is_empty() {
        return told(format!("Dispatch did not provide required meta keys: [{}]", missing.join(" ")));
    }
    let unknown: Vec<&str> = message.meta.keys().map(String::as_str).filter(|key| !allowed.contains(key)).collect();
    if !unknown.is_empty() {
        return told(format!("Dispatch request included unpermitted metadata keys: [{}]", unknown.join(" ")));
    }
    Ok(())
}

/// `JOB/dispatch-[PREFIX-]SECONDS-xxxxxxxx`
fn child_id(parent: &Job, prefix: &str, desk: Desk<'_>) -> String {
    let seconds = desk.runtime.clock.now().seconds();
    let suffix: String = desk.runtime.random.id_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}-") };
    format!("{}/dispatch-{prefix}{seconds}-{suffix}", parent.id)
}

fn child(parent: &Job, id: &str) -> Job {
    Job {
        id: id.into(),
        name: id.to_owned(),
        parent_id: parent.id.to_string(),
        version: 0,
        create_index: 0,
        modify_index: 0,
        job_modify_index: 0,
        stable: false,
        version_tag: None,
        status: Default::default(),
        status_description: String::new(),
        ..parent.clone()
    }
}

/// Launches a periodic job now, beside its schedule.
pub(super) async fn force_periodic(desk: Desk<'_>, message: JobPeriodicForce) -> Result<JobRegistered, Error> {
    let state = desk.store.snapshot();
    let parent = existing(&state, &message.key)?;
    if !parent.is_periodic() {
        return Err(Error::internal("can't force launch non-periodic job"));
    }
    let seconds = desk.runtime.clock.now().seconds();
    let mut child = child(parent, &format!("{}/periodic-{seconds}", parent.id));
    child.periodic = None;
    child.submit_time = desk.runtime.clock.now();
    let evaluation = Some(with_priority(&child, Trigger::PeriodicJob, None, desk));
    commit(desk, child, None, Some(0), evaluation).await
}
