//! `/v1/jobs`, `/v1/job/...` and `/v1/validate/job`.

use std::collections::BTreeMap;

use drover_model::{
    allocation::AllocMetric,
    deployment::Deployment,
    evaluation::Evaluation,
    job::{Job, JobSubmission, JobSummary, VersionTag},
    json::List,
    plan::PlanAnnotations,
    rpc::job::WhyReport,
    spec::JobSpec,
    view::{AllocationStub, JobListStub, JobScaleStatus, ScalingPolicy, ScalingPolicyStub},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Answer, Client, Error, segment};

/// A job to register.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegisterRequest {
    pub job: JobSpec,
    pub submission: Option<JobSubmission>,
    pub enforce_index: bool,
    pub job_modify_index: u64,
    pub preserve_counts: bool,
    pub preserve_resources: bool,
    pub eval_priority: u8,
}

impl RegisterRequest {
    pub fn new(job: JobSpec) -> Self {
        Self {
            job,
            submission: None,
            enforce_index: false,
            job_modify_index: 0,
            preserve_counts: false,
            preserve_resources: false,
            eval_priority: 0,
        }
    }
}

/// What registering, stopping or evaluating a job answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Registered {
    /// Empty when there is nothing to evaluate (a periodic job, say).
    #[serde(rename = "EvalID")]
    pub eval_id: String,
    pub eval_create_index: u64,
    pub job_modify_index: u64,
    #[serde(deserialize_with = "drover_model::json::null_is_default")]
    pub warnings: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RevertRequest {
    #[serde(rename = "JobID")]
    pub job_id: String,
    pub job_version: u64,
    pub enforce_prior_version: Option<u64>,
}

/// A group's new count.
#[derive(Clone, Copy, Debug)]
pub struct ScaleRequest<'a> {
    pub job_id: &'a str,
    pub group: &'a str,
    pub count: u32,
    /// What the job's scaling events shall say of it.
    pub message: &'a str,
    /// The modify index that the job must still have; 0: any.
    pub check_index: u64,
}

/// What a parameterized job is dispatched with.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DispatchRequest {
    #[serde(with = "drover_model::json::base64")]
    pub payload: Vec<u8>,
    pub meta: BTreeMap<String, String>,
    /// Stands in the new job's id; empty: nothing does.
    pub id_prefix_template: String,
    /// 0: that of the parameterized job.
    pub priority: u8,
    /// A second request with the same one makes no second job; empty: each does.
    #[serde(skip)]
    pub idempotency_token: String,
}

/// The job that was made of a parameterized one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Dispatched {
    #[serde(rename = "DispatchedJobID")]
    pub dispatched_job_id: String,
    /// Empty when there is nothing to evaluate.
    #[serde(rename = "EvalID")]
    pub eval_id: String,
}

/// What a job would change if it was registered now.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PlanAnswer {
    #[serde(rename = "Annotations")]
    pub annotations: Option<PlanAnnotations>,
    #[serde(rename = "FailedTGAllocs")]
    pub failed: Option<BTreeMap<String, AllocMetric>>,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "Diff")]
    pub diff: Option<Value>,
    #[serde(rename = "Warnings", deserialize_with = "drover_model::json::null_is_default")]
    pub warnings: String,
}

/// Whether a job would be accepted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Validation {
    pub validation_errors: List<String>,
    #[serde(deserialize_with = "drover_model::json::null_is_default")]
    pub error: String,
    #[serde(deserialize_with = "drover_model::json::null_is_default")]
    pub warnings: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionsAnswer {
    pub versions: List<Job>,
    pub diffs: List<Value>,
}

impl Client {
    pub async fn jobs(&self, prefix: &str) -> Result<Answer<Vec<JobListStub>>, Error> {
        self.get("/v1/jobs", &[("prefix", prefix)]).await
    }

    pub async fn job(&self, id: &str) -> Result<Answer<Job>, Error> {
        self.get(&format!("/v1/job/{}", segment(id)), &[]).await
    }

    pub async fn register(&self, request: &RegisterRequest) -> Result<Answer<Registered>, Error> {
        self.put("/v1/jobs", &[], request).await
    }

    /// Plans; with `diff`, what changed in the specification too.
    pub async fn plan(&self, job: &JobSpec, diff: bool) -> Result<Answer<PlanAnswer>, Error> {
        let id = job.id.as_deref().unwrap_or_default();
        let body = serde_json::json!({ "Job": job, "Diff": diff });
        self.put(&format!("/v1/job/{}/plan", segment(id)), &[], &body).await
    }

    pub async fn validate(&self, job: &JobSpec) -> Result<Answer<Validation>, Error> {
        self.put("/v1/validate/job", &[], &serde_json::json!({ "Job": job })).await
    }

    /// Stops a job; with `purge`, forgets it. `eval_priority`: that of the evaluation, else the job's own.
    pub async fn deregister(
        &self,
        id: &str,
        purge: bool,
        no_shutdown_delay: bool,
        eval_priority: Option<u8>,
    ) -> Result<Answer<Registered>, Error> {
        let priority = eval_priority.unwrap_or(0).to_string();
        let query = [("purge", flag(purge)), ("no_shutdown_delay", flag(no_shutdown_delay)), ("eval_priority", priority.as_str())];
        self.delete(&format!("/v1/job/{}", segment(id)), &query).await
    }

    pub async fn revert(&self, request: &RevertRequest) -> Result<Answer<Registered>, Error> {
        self.put(&format!("/v1/job/{}/revert", segment(&request.job_id)), &[], request).await
    }

    pub async fn evaluate(&self, id: &str, force_reschedule: bool) -> Result<Answer<Registered>, Error> {
        let body = serde_json::json!({ "JobID": id, "EvalOptions": { "ForceReschedule": force_reschedule } });
        self.put(&format!("/v1/job/{}/evaluate", segment(id)), &[], &body).await
    }

    pub async fn scale(&self, request: &ScaleRequest<'_>) -> Result<Answer<Registered>, Error> {
        let body = serde_json::json!({
            "Count": request.count,
            "Target": { "Job": request.job_id, "Group": request.group },
            "Message": request.message,
            "JobModifyIndex": request.check_index,
        });
        self.put(&format!("/v1/job/{}/scale", segment(request.job_id)), &[], &body).await
    }

    /// What scaled the groups of a job, and how many of each there are.
    pub async fn scale_status(&self, id: &str) -> Result<Answer<JobScaleStatus>, Error> {
        self.get(&format!("/v1/job/{}/scale", segment(id)), &[]).await
    }

    /// The job as it would have to be sent to be registered again.
    pub async fn job_spec(&self, id: &str) -> Result<Answer<JobSpec>, Error> {
        self.get(&format!("/v1/job/{}", segment(id)), &[]).await
    }

    /// Gives a version (none: the newest) a name, under which it is kept.
    pub async fn tag_version(&self, id: &str, name: &str, version: Option<u64>, description: &str) -> Result<Answer<VersionTag>, Error> {
        let body = serde_json::json!({ "Version": version, "Latest": version.is_none(), "Description": description });
        self.put(&tag_path(id, name), &[], &body).await
    }

    /// Takes a version's name away.
    pub async fn untag_version(&self, id: &str, name: &str) -> Result<Answer<VersionTag>, Error> {
        self.delete(&tag_path(id, name), &[]).await
    }

    /// The scaling policies of jobs whose ids begin with `prefix`; of one job, of one type, where these are not empty.
    pub async fn scaling_policies(&self, prefix: &str, job: &str, kind: &str) -> Result<Answer<Vec<ScalingPolicyStub>>, Error> {
        self.get("/v1/scaling/policies", &[("prefix", prefix), ("job", job), ("type", kind)]).await
    }

    pub async fn scaling_policy(&self, id: &str) -> Result<Answer<ScalingPolicy>, Error> {
        self.get(&format!("/v1/scaling/policy/{}", segment(id)), &[]).await
    }

    /// What a version of a job was submitted as; a job that was sent as JSON alone has nothing.
    pub async fn job_submission(&self, id: &str, version: u64) -> Result<Option<JobSubmission>, Error> {
        match self.get(&format!("/v1/job/{}/submission", segment(id)), &[("version", &version.to_string())]).await {
            Ok(answer) => Ok(Some(answer.data)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a job of a parameterized one.
    pub async fn dispatch(&self, id: &str, request: &DispatchRequest) -> Result<Answer<Dispatched>, Error> {
        let query = [("idempotency_token", request.idempotency_token.as_str())];
        self.put(&format!("/v1/job/{}/dispatch", segment(id)), &query, request).await
    }

    /// Launches a periodic job now, whatever its times are.
    pub async fn force_periodic(&self, id: &str) -> Result<Answer<Registered>, Error> {
        self.put(&format!("/v1/job/{}/periodic/force", segment(id)), &[], &serde_json::json!({})).await
    }

    /// With `diffs`, how each differs from the one before it, or from the one that `against` names by its number or its tag.
    pub async fn job_history(&self, id: &str, diffs: bool, against: Option<&str>) -> Result<Answer<VersionsAnswer>, Error> {
        let against = match against {
            Some(number) if number.parse::<u64>().is_ok() => ("diff_version", number),
            Some(tag) => ("diff_tag", tag),
            None => ("diff_version", ""),
        };
        self.get(&format!("/v1/job/{}/versions", segment(id)), &[("diffs", flag(diffs)), against]).await
    }

    pub async fn job_versions(&self, id: &str) -> Result<Answer<VersionsAnswer>, Error> {
        self.get(&format!("/v1/job/{}/versions", segment(id)), &[]).await
    }

    pub async fn job_summary(&self, id: &str) -> Result<Answer<JobSummary>, Error> {
        self.get(&format!("/v1/job/{}/summary", segment(id)), &[]).await
    }

    pub async fn job_allocations(&self, id: &str, all: bool) -> Result<Answer<Vec<AllocationStub>>, Error> {
        self.get(&format!("/v1/job/{}/allocations", segment(id)), &[("all", flag(all))]).await
    }

    pub async fn job_evaluations(&self, id: &str) -> Result<Answer<Vec<Evaluation>>, Error> {
        self.get(&format!("/v1/job/{}/evaluations", segment(id)), &[]).await
    }

    pub async fn job_deployments(&self, id: &str) -> Result<Answer<Vec<Deployment>>, Error> {
        self.get(&format!("/v1/job/{}/deployments", segment(id)), &[]).await
    }

    pub async fn job_latest_deployment(&self, id: &str) -> Result<Answer<Option<Deployment>>, Error> {
        self.get(&format!("/v1/job/{}/deployment", segment(id)), &[]).await
    }

    /// One sentence per group on why it is pending.
    pub async fn job_why(&self, id: &str) -> Result<Answer<WhyReport>, Error> {
        self.get(&format!("/v1/job/{}/why", segment(id)), &[]).await
    }
}

fn tag_path(id: &str, name: &str) -> String {
    format!("/v1/job/{}/versions/{}/tag", segment(id), segment(name))
}

pub(crate) fn flag(set: bool) -> &'static str {
    if set { "true" } else { "false" }
}
