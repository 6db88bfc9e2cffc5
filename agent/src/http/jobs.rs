//! `/v1/jobs`, `/v1/jobs/parse`, `/v1/jobs/statuses` and `/v1/validate/job`.

use std::time::Duration;

use drover_jobspec::ParseOptions;
use drover_model::{
    ids::{JobKey, Name},
    job::JobSubmission,
    json::{List, null_is_default},
    rpc::{
        Error,
        job::{JobList, JobRegister, JobStatuses, JobValidate},
    },
    spec::JobSpec,
};
use serde::Deserialize;

use super::{
    call::{Call, Verb, invalid_method},
    reply::{Outcome, nowhere},
};

/// How long reading one job file may take.
const PARSE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    match (rest.as_str(), call.verb()) {
        ("", Verb::Get) => list(call).await,
        ("", Verb::Write) => register(call, None).await,
        ("parse", Verb::Write) => parse(call).await,
        ("statuses", Verb::Get | Verb::Write) => statuses(call).await,
        ("" | "parse" | "statuses", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

async fn list(call: Call) -> Outcome {
    let meta = call.flag("meta")?;
    call.read(JobList { options: call.options()?, meta }).await
}

/// The body of a registration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RegisterBody {
    job: Option<Box<JobSpec>>,
    submission: Option<JobSubmission>,
    #[serde(deserialize_with = "null_is_default")]
    enforce_index: bool,
    #[serde(deserialize_with = "null_is_default")]
    job_modify_index: u64,
    #[serde(deserialize_with = "null_is_default")]
    preserve_counts: bool,
    #[serde(deserialize_with = "null_is_default")]
    preserve_resources: bool,
    #[serde(deserialize_with = "null_is_default")]
    eval_priority: i64,
}

/// Registers a job. `id` is the one in the path, when it has one.
pub(super) async fn register(mut call: Call, id: Option<String>) -> Outcome {
    let body: RegisterBody = call.json_or_empty().await?;
    let job = checked_job(&call, body.job, id.as_deref())?;
    let message = JobRegister {
        job,
        submission: body.submission,
        enforce: body.enforce_index.then_some(body.job_modify_index),
        preserve_counts: body.preserve_counts,
        preserve_resources: body.preserve_resources,
        eval_priority: eval_priority(body.eval_priority)?,
    };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

impl Call {
    /// The body as JSON; nothing at all is an error, `null` an empty object.
    async fn json_or_empty<T: serde::de::DeserializeOwned + Default>(&mut self) -> Result<T, Error> {
        self.json::<Option<T>>().await.map(Option::unwrap_or_default)
    }
}

/// An evaluation's own priority; 0 means the job's.
pub(super) fn eval_priority(number: i64) -> Result<Option<u8>, Error> {
    match u8::try_from(number) {
        Ok(0) => Ok(None),
        Ok(priority @ 1..=100) => Ok(Some(priority)),
        _ => Err(Error::bad_request("eval priority must be between 1 and 100 inclusively")),
    }
}

/// What must be right about a job before anybody looks at it closely.
pub(super) fn checked_job(call: &Call, job: Option<Box<JobSpec>>, id: Option<&str>) -> Result<Box<JobSpec>, Error> {
    call.check_region()?;
    let mut job = job.ok_or_else(|| Error::bad_request("Job must be specified"))?;
    match (&job.id, id) {
        (None, _) => return Err(Error::bad_request("Job ID hasn't been provided")),
        (Some(own), Some(id)) if own != id => return Err(Error::bad_request("Job ID does not match name")),
        _ => {}
    }
    if job.namespace.as_ref().is_none_or(String::is_empty) {
        job.namespace = Some(call.namespace().to_string());
    }
    if job.region.as_ref().is_none_or(|region| region.is_empty() || region == "global") {
        job.region = Some(call.api.region().to_owned());
    }
    if job.region.as_deref() != Some(call.api.region()) {
        return Err(Error::internal("No path to region"));
    }
    Ok(job)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ParseBody {
    #[serde(rename = "JobHCL", deserialize_with = "null_is_default")]
    job_hcl: String,
    #[serde(rename = "Canonicalize", deserialize_with = "null_is_default")]
    canonicalize: bool,
    #[serde(rename = "Variables", deserialize_with = "null_is_default")]
    variables: String,
}

async fn parse(mut call: Call) -> Outcome {
    let body: ParseBody = call.json_or_empty().await?;
    if body.job_hcl.is_empty() {
        return Err(Error::bad_request("Job spec is empty"));
    }
    let permit = call.api.parse_permit().await?;
    // Reading a job file computes; a blocking thread keeps that from delaying everybody else's requests.
    let reading = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        read_job(&body)
    });
    let read = tokio::time::timeout(PARSE_TIMEOUT, reading).await;
    let read = read.map_err(|_| Error::bad_request(format!("Failed to parse job: it took longer than {PARSE_TIMEOUT:?}")))?;
    let mut job = read.map_err(|_| Error::internal("Failed to parse job: internal error, see the agent's log"))??;
    if job.namespace.as_ref().is_none_or(String::is_empty)
        && let Some(namespace) = call.param("namespace").filter(|name| !name.is_empty() && *name != "*")
    {
        job.namespace = Some(namespace.to_owned());
    }
    call.json_reply(&job)
}

fn read_job(body: &ParseBody) -> Result<JobSpec, Error> {
    let mut options = ParseOptions::default();
    if !body.variables.is_empty() {
        let file = drover_jobspec::VariableFile { name: "input.hcl".to_owned(), content: body.variables.clone() };
        options.variable_files.push(file);
    }
    match drover_jobspec::parse(&body.job_hcl, &options) {
        Ok((mut job, _)) => {
            if body.canonicalize {
                job.canonicalize();
            }
            Ok(job)
        }
        Err(problems) => Err(Error::bad_request(format!("Failed to parse job: {}", drover_jobspec::to_api_text(&problems)))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StatusesBody {
    jobs: List<StatusesKey>,
    #[serde(deserialize_with = "null_is_default")]
    include_children: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusesKey {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Namespace", deserialize_with = "null_is_default")]
    namespace: String,
}

async fn statuses(mut call: Call) -> Outcome {
    let mut include_children = call.flag("include_children")?;
    let mut jobs = Vec::new();
    if call.verb() == Verb::Write {
        let body: StatusesBody = call.json_or_default().await?;
        include_children |= body.include_children;
        let namespace = |name: String| if name.is_empty() { Name::from("default") } else { name.into() };
        jobs.extend(body.jobs.into_iter().map(|job| JobKey::new(namespace(job.namespace), job.id)));
    }
    call.read(JobStatuses { options: call.options()?, jobs, include_children }).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ValidateBody {
    job: Option<Box<JobSpec>>,
}

/// `/v1/validate/job`
pub(super) async fn validate(mut call: Call, rest: String) -> Outcome {
    if rest != "job" {
        return nowhere();
    }
    call.only_write()?;
    let body: ValidateBody = call.json_or_empty().await?;
    let job = checked_job(&call, body.job, None)?;
    let reply = call.api.backend().call(JobValidate { job }).await?;
    call.json_reply(&reply)
}
