//! Counts that are changed from outside, and what autoscalers may do.

use std::sync::Arc;

use drover_model::{
    evaluation::Trigger,
    ids::Name,
    job::{Job, ScalingEvent, TaskGroup},
    rpc::{
        Error,
        job::{JobRegistered, JobScale},
        scaling::{ScalingPolicyGet, ScalingPolicyList},
    },
    spec,
    view::{ScalingPolicy, ScalingPolicyStub, ScalingTarget},
};
use sha2::{Digest, Sha256};

use super::{
    Desk, Found,
    page::{ById, page},
    register::{MAX_COUNT, accepted, refuse_when_closed, with_priority},
};
use crate::{
    fsm::command::{Command, ScaleStep},
    state::State,
};

/// What may be said with a change: its message, and its labels as JSON.
const NOTE_BYTES: usize = 16 << 10;

pub(super) async fn scale(desk: Desk<'_>, message: JobScale) -> Result<JobRegistered, Error> {
    let state = desk.store.snapshot();
    refuse_when_closed(&state)?;
    let current = state.job(&message.key).ok_or_else(|| Error::not_found("job not found"))?;
    let missing = || Error::bad_request(format!("task group {:?} specified for scaling does not exist in job", message.group));
    let known = current.group(&message.group).ok_or_else(missing)?;
    let size = message.message.len() + serde_json::to_string(&message.meta).map_or(0, |text| text.len());
    if size > NOTE_BYTES {
        return Err(Error::bad_request(format!("the scaling action's message and meta have {size} bytes; at most {NOTE_BYTES} are kept")));
    }
    let mut step = ScaleStep {
        key: message.key.clone(),
        group: message.group.as_str().into(),
        event: ScalingEvent {
            count: message.count,
            previous_count: known.count.into(),
            error: message.error,
            message: message.message,
            meta: message.meta,
            ..ScalingEvent::default()
        },
        job: None,
        enforce: message.enforce,
        evaluation: None,
    };
    if let Some(count) = message.count {
        let count = allowed(known, count)?;
        if state.latest_rollout(&message.key).is_some_and(|deployment| deployment.is_active()) {
            return Err(Error::bad_request("job scaling blocked due to active deployment"));
        }
        let mut job = Job { submit_time: desk.runtime.clock.now(), ..Job::clone(current) };
        job.task_groups.iter_mut().filter(|group| *group.name == *message.group).for_each(|group| group.count = count);
        step.evaluation = job.has_allocations().then(|| with_priority(&job, Trigger::JobScaling, None, desk));
        step.event.eval_id = step.evaluation.as_ref().map(|evaluation| evaluation.id);
        step.enforce = message.enforce.or(Some(current.job_modify_index));
        step.job = Some(Arc::new(job));
    }
    let (is_note, enforce, eval_id) = (step.job.is_none(), step.enforce, step.event.eval_id);
    let applied = desk.proposer.propose(Command::JobScale(Box::new(step))).await?;
    let reply = accepted(applied, enforce, eval_id)?;
    // A note leaves the job as it is.
    let job_modify_index = if is_note { current.job_modify_index } else { reply.job_modify_index };
    Ok(JobRegistered { job_modify_index, known_leader: true, ..reply })
}

/// A count that the group's own policy has nothing against.
fn allowed(group: &TaskGroup, count: i64) -> Result<u32, Error> {
    let wanted = u32::try_from(count).map_err(|_| Error::bad_request("scaling action count can't be negative"))?;
    if wanted > MAX_COUNT {
        return Err(Error::bad_request(format!("a group has at most {MAX_COUNT} allocations, not {count}")));
    }
    if let Some(scaling) = &group.scaling {
        if let Some(max) = scaling.max.filter(|max| count > *max) {
            return Err(Error::bad_request(format!("group count was greater than scaling policy maximum: {count} > {max}")));
        }
        if let Some(min) = scaling.min.filter(|min| count < *min) {
            return Err(Error::bad_request(format!("group count was less than scaling policy minimum: {count} < {min}")));
        }
    }
    Ok(wanted)
}

pub(super) fn policies(state: &State, message: &ScalingPolicyList) -> Result<Found<Vec<ScalingPolicyStub>>, Error> {
    let options = &message.options;
    let is_meant = |job: &&Arc<Job>| {
        (options.all_namespaces() || job.namespace == options.namespace) && (message.job.is_empty() || *job.id == *message.job)
    };
    let mut found: Vec<_> = state.jobs().filter(is_meant).flat_map(|job| of_job(job)).map(|policy| policy.stub).collect();
    found.retain(|policy| policy.id.starts_with(&options.prefix) && policy.kind.starts_with(&message.kind));
    let rows = found.iter().filter_map(|policy| Some((ById(policy.id.parse().ok()?), policy))).collect();
    page(rows, options, |policy| ScalingPolicyStub::clone(policy))
}

pub(super) fn policy(state: &State, message: &ScalingPolicyGet) -> Result<Found<Option<ScalingPolicy>>, Error> {
    Ok(Found::new(state.jobs().flat_map(|job| of_job(job)).find(|policy| policy.stub.id == message.id)))
}

/// The policies that a job brings along. One that is stopped has none.
fn of_job(job: &Job) -> Vec<ScalingPolicy> {
    let mut policies = Vec::new();
    for group in job.task_groups.iter().filter(|_| !job.stop) {
        policies.extend(group.scaling.as_ref().map(|scaling| policy_of(job, &group.name, "", scaling)));
        for task in group.tasks.iter() {
            policies.extend(task.scaling_policies.iter().map(|scaling| policy_of(job, &group.name, &task.name, scaling)));
        }
    }
    policies
}

fn policy_of(job: &Job, group: &Name, task: &str, scaling: &spec::Scaling) -> ScalingPolicy {
    let target = ScalingTarget { namespace: job.namespace.clone(), job: job.id.clone(), group: group.clone(), task: task.to_owned() };
    let stub = ScalingPolicyStub {
        id: policy_id(&target, &scaling.kind),
        enabled: scaling.enabled.unwrap_or(true),
        kind: scaling.kind.clone(),
        target,
        create_index: job.create_index,
        modify_index: job.job_modify_index,
    };
    ScalingPolicy { stub, min: scaling.min, max: scaling.max, policy: scaling.policy.clone() }
}

/// One target has one policy of a kind, so its id is made of both: nothing has to be kept, and autoscalers find it again after each change of the job.
fn policy_id(target: &ScalingTarget, kind: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&*target.namespace, &*target.job, &*target.group, target.task.as_str(), kind] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
