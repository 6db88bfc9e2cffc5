//! `/v1/job/ID` and everything under it. Job ids may hold slashes, so what is asked is found at the path's end.

use std::collections::BTreeMap;

use drover_model::{
    ids::{JobKey, Name},
    job::VersionTag,
    json::{Map, base64, null_is_default},
    rpc::{
        Error, ReadMeta,
        job::{
            JobActions, JobAllocations, JobDeployments, JobDeregister, JobDispatch, JobEvaluate, JobEvaluations, JobGet,
            JobLatestDeployment, JobPeriodicForce, JobPlan, JobRevert, JobScale, JobScaleGet, JobServices, JobStable, JobSubmissionGet,
            JobSummaryGet, JobTag, JobTagged, JobVersionList, JobVersions, JobWhy, TagRequest,
        },
    },
    spec::JobSpec,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    call::{Call, Verb, invalid_method, unescape},
    jobs::{checked_job, eval_priority, register},
    reply::{Outcome, error_reply, set_meta},
};

/// What can be asked about a job.
const ACTIONS: [&str; 18] = [
    "allocations",
    "evaluations",
    "deployments",
    "deployment",
    "summary",
    "versions",
    "submission",
    "services",
    "actions",
    "scale",
    "plan",
    "evaluate",
    "revert",
    "stable",
    "dispatch",
    "why",
    "periodic/force",
    "dispatch/payload",
];

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    let (id, action) = split(&rest);
    let id = unescape(id)?;
    if id.is_empty() {
        return Err(Error::bad_request("missing job ID"));
    }
    if let Some((id, name)) = tagged(&rest) {
        return tag(call, unescape(id)?, unescape(name)?).await;
    }
    match (action, call.verb()) {
        ("", Verb::Get) => read(call, id).await,
        ("", Verb::Write) => register(call, Some(id)).await,
        ("", Verb::Delete) => deregister(call, id).await,
        ("scale", Verb::Write) => scale(call, id).await,
        ("plan" | "evaluate" | "revert" | "stable" | "dispatch" | "periodic/force" | "dispatch/payload", Verb::Write) => {
            write(call, id, action).await
        }
        ("plan" | "evaluate" | "revert" | "stable" | "dispatch" | "periodic/force" | "dispatch/payload", _) | ("", _) => {
            Err(invalid_method())
        }
        (_, Verb::Get) => about(call, id.into(), action).await,
        _ => Err(invalid_method()),
    }
}

/// The id (still escaped) and what is asked about it. The longest action that fits wins.
fn split(rest: &str) -> (&str, &'static str) {
    let fits = |action: &&&str| rest.strip_suffix(**action).is_some_and(|before| before.len() > 1 && before.ends_with('/'));
    match ACTIONS.iter().filter(fits).max_by_key(|action| action.len()) {
        Some(action) => (&rest[..rest.len() - action.len() - 1], action),
        None => (rest, ""),
    }
}

/// The job and the tag (both still escaped) of `JOB/versions/TAG/tag`.
fn tagged(rest: &str) -> Option<(&str, &str)> {
    let (before, name) = rest.strip_suffix("/tag")?.rsplit_once('/')?;
    let id = before.strip_suffix("/versions")?;
    (!id.is_empty() && !name.is_empty()).then_some((id, name))
}

fn key(call: &Call, id: impl Into<Name>) -> JobKey {
    JobKey::new(call.namespace(), id)
}

async fn read(call: Call, id: String) -> Outcome {
    let read = call.api.backend().call(JobGet { options: call.options()?, id: id.into() }).await?;
    call.found_or(read, "job not found", |job| job)
}

async fn deregister(call: Call, id: String) -> Outcome {
    call.check_region()?;
    let priority = match call.param("eval_priority") {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| Error::bad_request("Expect a number for `eval_priority` query string parameter"))?,
    };
    let message = JobDeregister {
        key: key(&call, id),
        purge: call.flag("purge")?,
        no_shutdown_delay: call.flag("no_shutdown_delay")?,
        eval_priority: eval_priority(priority)?,
    };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

/// Everything that only reads.
async fn about(call: Call, id: Name, action: &str) -> Outcome {
    let options = call.options()?;
    let backend = call.api.backend();
    match action {
        "allocations" => {
            let all = call.flag("all")?;
            call.read(JobAllocations { options, id, all }).await
        }
        "evaluations" => call.read(JobEvaluations { options, id }).await,
        "deployments" => {
            let all = call.flag("all")?;
            call.read(JobDeployments { options, id, all }).await
        }
        "deployment" => call.read(JobLatestDeployment { options, id }).await,
        "summary" => call.found_or(backend.call(JobSummaryGet { options, id }).await?, "job not found", |summary| summary),
        "versions" => versions(call, id).await,
        "submission" => {
            let version = call.number("version")?.ok_or_else(|| Error::bad_request("Version is required"))?;
            let read = backend.call(JobSubmissionGet { options, id, version }).await?;
            call.found_or(read, "job source not found", |submission| submission)
        }
        "services" => call.read(JobServices { options, id }).await,
        "actions" => call.found_or(backend.call(JobActions { options, id }).await?, "job not found", |actions| actions),
        "scale" => call.found_or(backend.call(JobScaleGet { options, id }).await?, "job not found", |status| status),
        _ => call.found_or(backend.call(JobWhy { options, id }).await?, "job not found", |report| report),
    }
}

/// Versions, with the read's meta in the body too.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionsReply {
    #[serde(flatten)]
    list: JobVersionList,
    index: u64,
    known_leader: bool,
    last_contact: u64,
    next_token: String,
}

async fn versions(call: Call, id: Name) -> Outcome {
    let diffs = bool_or_500(&call, "diffs")?;
    let diff_tag = call.param("diff_tag").unwrap_or_default().to_owned();
    let message = JobVersions { options: call.options()?, id, diffs, diff_version: call.number("diff_version")?, diff_tag };
    let read = call.api.backend().call(message).await?;
    if read.data.versions.is_empty() {
        let mut response = error_reply(&Error::not_found("job versions not found"));
        set_meta(response.headers_mut(), &read.meta);
        return Ok(response);
    }
    let ReadMeta { index, known_leader, last_contact_ms, next_token } = read.meta.clone();
    call.read_reply_as(read, |list| VersionsReply { list, index, known_leader, last_contact: last_contact_ms, next_token })
}

fn bool_or_500(call: &Call, key: &str) -> Result<bool, Error> {
    call.flag(key).map_err(|error| Error::internal(error.message))
}

async fn write(call: Call, id: String, action: &str) -> Outcome {
    match action {
        "plan" => plan(call, id).await,
        "evaluate" => evaluate(call, id).await,
        "revert" => revert(call, id).await,
        "stable" => stable(call, id).await,
        "periodic/force" => force_periodic(call, id).await,
        _ => dispatch(call, id, action == "dispatch/payload").await,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PlanBody {
    job: Option<Box<JobSpec>>,
    #[serde(deserialize_with = "null_is_default")]
    diff: bool,
}

async fn plan(mut call: Call, id: String) -> Outcome {
    let body: Option<PlanBody> = call.json().await?;
    let body = body.unwrap_or_default();
    let job = checked_job(&call, body.job, Some(&id))?;
    let reply = call.api.backend().call(JobPlan { job, diff: body.diff }).await?;
    call.written(reply.index, &reply)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EvaluateBody {
    #[serde(rename = "JobID", deserialize_with = "null_is_default")]
    job_id: String,
    #[serde(deserialize_with = "null_is_default")]
    eval_options: EvalOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EvalOptions {
    #[serde(deserialize_with = "null_is_default")]
    force_reschedule: bool,
}

async fn evaluate(mut call: Call, id: String) -> Outcome {
    let body: EvaluateBody = call.json_or_default().await?;
    same_id(&body.job_id, &id)?;
    let message = JobEvaluate { key: key(&call, id), force_reschedule: body.eval_options.force_reschedule };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

fn same_id(given: &str, id: &str) -> Result<(), Error> {
    if given.is_empty() || given == id { Ok(()) } else { Err(Error::bad_request("Job ID does not match")) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RevertBody {
    #[serde(rename = "JobID", deserialize_with = "null_is_default")]
    job_id: String,
    #[serde(rename = "JobVersion", deserialize_with = "null_is_default")]
    job_version: u64,
    #[serde(rename = "EnforcePriorVersion")]
    enforce_prior_version: Option<u64>,
}

async fn revert(mut call: Call, id: String) -> Outcome {
    let body: RevertBody = call.json().await?;
    if body.job_id.is_empty() {
        return Err(Error::bad_request("JobID must be specified"));
    }
    same_id(&body.job_id, &id)?;
    let message = JobRevert { key: key(&call, id), version: body.job_version, enforce_prior: body.enforce_prior_version };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StableBody {
    #[serde(rename = "JobID", deserialize_with = "null_is_default")]
    job_id: String,
    #[serde(rename = "JobVersion", deserialize_with = "null_is_default")]
    job_version: u64,
    #[serde(rename = "Stable", deserialize_with = "null_is_default")]
    stable: bool,
}

async fn stable(mut call: Call, id: String) -> Outcome {
    let body: StableBody = call.json().await?;
    same_id(&body.job_id, &id)?;
    let message = JobStable { key: key(&call, id), version: body.job_version, stable: body.stable };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TagBody {
    version: Option<u64>,
    #[serde(deserialize_with = "null_is_default")]
    latest: bool,
    #[serde(deserialize_with = "null_is_default")]
    description: String,
}

/// A tag with the write's meta beside it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagReply {
    #[serde(flatten)]
    tag: VersionTag,
    index: u64,
    known_leader: bool,
    last_contact: u64,
    next_token: &'static str,
}

async fn tag(mut call: Call, id: String, name: String) -> Outcome {
    call.check_region()?;
    let tag = match call.verb() {
        Verb::Write => {
            let body: TagBody = call.json_or_default().await?;
            Some(TagRequest { version: body.version.filter(|_| !body.latest), description: body.description })
        }
        Verb::Delete => None,
        Verb::Get | Verb::Other => return Err(invalid_method()),
    };
    let JobTagged { tag, index } = call.api.backend().call(JobTag { key: key(&call, id), name, tag }).await?;
    call.json_reply(&TagReply { tag, index, known_leader: false, last_contact: 0, next_token: "" })
}

#[derive(Serialize)]
struct Forced {
    #[serde(rename = "EvalID", with = "drover_model::ids::optional")]
    eval_id: Option<drover_model::ids::EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    eval_create_index: u64,
    #[serde(rename = "Index")]
    index: u64,
}

async fn force_periodic(call: Call, id: String) -> Outcome {
    let reply = call.api.backend().call(JobPeriodicForce { key: key(&call, id) }).await?;
    let forced = Forced { eval_id: reply.eval_id, eval_create_index: reply.eval_create_index, index: reply.index };
    call.written(reply.index, &forced)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DispatchBody {
    #[serde(rename = "JobID", deserialize_with = "null_is_default")]
    job_id: String,
    #[serde(rename = "Payload", with = "base64")]
    payload: Vec<u8>,
    #[serde(rename = "Meta")]
    meta: Map<String>,
    #[serde(rename = "IdPrefixTemplate", deserialize_with = "null_is_default")]
    id_prefix_template: String,
    #[serde(rename = "Priority", deserialize_with = "null_is_default")]
    priority: i64,
}

async fn dispatch(mut call: Call, id: String, raw: bool) -> Outcome {
    let body = if raw {
        DispatchBody { payload: call.body().await?.to_vec(), ..DispatchBody::default() }
    } else {
        call.json_or_default::<DispatchBody>().await?
    };
    same_id(&body.job_id, &id)?;
    let message = JobDispatch {
        key: key(&call, id),
        payload: body.payload,
        meta: BTreeMap::from_iter(body.meta),
        idempotency_token: call.param("idempotency_token").unwrap_or_default().to_owned(),
        id_prefix: body.id_prefix_template,
        priority: eval_priority(body.priority)?,
    };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ScaleBody {
    count: Option<i64>,
    target: Map<String>,
    #[serde(deserialize_with = "null_is_default")]
    message: String,
    #[serde(deserialize_with = "null_is_default")]
    error: bool,
    #[serde(deserialize_with = "null_is_default")]
    job_modify_index: u64,
    meta: Map<Value>,
}

async fn scale(mut call: Call, id: String) -> Outcome {
    let body: ScaleBody = call.json().await?;
    if body.target.get("Job").is_some_and(|job| *job != id) {
        return Err(Error::bad_request("job ID in payload did not match URL"));
    }
    let group = body.target.get("Group").cloned().ok_or_else(|| Error::bad_request("missing task group name for scaling action"))?;
    if body.error && body.count.is_some() {
        return Err(Error::bad_request("scaling action should not contain count if error is true"));
    }
    let message = JobScale {
        key: key(&call, id),
        group,
        count: body.count,
        message: body.message,
        error: body.error,
        enforce: (body.job_modify_index > 0).then_some(body.job_modify_index),
        meta: body.meta,
    };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

#[cfg(test)]
mod tests {
    use super::{split, tagged};

    #[test]
    fn a_tag_is_found_after_the_versions() {
        for (rest, want) in [
            ("web/versions/v1/tag", Some(("web", "v1"))),
            ("a/b/versions/x%2Fy/tag", Some(("a/b", "x%2Fy"))),
            ("web/versions/tag", None),
            ("versions/v1/tag", None),
            ("web/versions", None),
            ("web/tag", None),
        ] {
            assert_eq!(tagged(rest), want, "{rest}");
        }
    }

    #[test]
    fn the_action_is_found_at_the_end() {
        for (rest, want) in [
            ("web", ("web", "")),
            ("web/plan", ("web", "plan")),
            ("a/b/c/allocations", ("a/b/c", "allocations")),
            ("a%2Fb/periodic/force", ("a%2Fb", "periodic/force")),
            ("w/dispatch/payload", ("w", "dispatch/payload")),
            ("w/dispatch-1-2", ("w/dispatch-1-2", "")),
            ("plan", ("plan", "")),
            ("xplan", ("xplan", "")),
            ("/plan", ("/plan", "")),
        ] {
            assert_eq!(split(rest), want, "{rest}");
        }
    }
}
