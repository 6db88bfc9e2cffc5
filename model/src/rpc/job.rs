//! What is asked about jobs, and what is done with them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Read, ReadOptions};
use crate::{
    allocation::AllocMetric,
    deployment::Deployment,
    evaluation::Evaluation,
    ids::{EvalId, JobKey, Name, optional},
    job::{Job, JobSubmission, JobSummary, VersionTag},
    json::{List, Map, null_is_default},
    method,
    plan::PlanAnnotations,
    service::ServiceRegistration,
    spec::JobSpec,
    view::{AllocationStub, JobAction, JobListStub, JobOverview, JobScaleStatus},
};

/// Registers a job, or a new version of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobRegister {
    pub job: Box<JobSpec>,
    pub submission: Option<JobSubmission>,
    /// The `JobModifyIndex` that the current version must have (0: there must be none).
    pub enforce: Option<u64>,
    /// Keep the counts that the current version has.
    pub preserve_counts: bool,
    /// Keep the resources that the current version has.
    pub preserve_resources: bool,
    /// The evaluation's priority, when it is not to be the job's.
    pub eval_priority: Option<u8>,
}
method!(JobRegister, "job.register", JobRegistered);

/// Answers a registration and whatever else makes an evaluation for a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRegistered {
    #[serde(rename = "EvalID", with = "optional")]
    pub eval_id: Option<EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    pub eval_create_index: u64,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "Warnings")]
    pub warnings: String,
    #[serde(rename = "Index")]
    pub index: u64,
    #[serde(rename = "KnownLeader")]
    pub known_leader: bool,
    #[serde(rename = "LastContact")]
    pub last_contact: u64,
    #[serde(rename = "NextToken")]
    pub next_token: String,
}

/// Checks a job without registering it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobValidate {
    pub job: Box<JobSpec>,
}
method!(JobValidate, "job.validate", JobValidated);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobValidated {
    pub driver_config_validated: bool,
    pub validation_errors: List<String>,
    pub error: String,
    pub warnings: String,
}

/// Says what registering a job would do, and changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPlan {
    pub job: Box<JobSpec>,
    /// Also say what differs from the current version.
    pub diff: bool,
}
method!(JobPlan, "job.plan", JobPlanned);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobPlanned {
    #[serde(rename = "Annotations")]
    pub annotations: Option<PlanAnnotations>,
    #[serde(rename = "CreatedEvals")]
    pub created_evals: List<Evaluation>,
    /// As `model::diff` writes it; null unless asked for.
    #[serde(rename = "Diff")]
    pub diff: Value,
    #[serde(rename = "FailedTGAllocs")]
    pub failed_groups: Map<Arc<AllocMetric>>,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    /// RFC 3339 in the job's time zone; null for jobs that are not periodic.
    #[serde(rename = "NextPeriodicLaunch")]
    pub next_periodic_launch: Option<String>,
    #[serde(rename = "Warnings")]
    pub warnings: String,
    #[serde(rename = "Index")]
    pub index: u64,
}

/// Stops a job; with `purge`, forgets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDeregister {
    pub key: JobKey,
    pub purge: bool,
    pub no_shutdown_delay: bool,
    pub eval_priority: Option<u8>,
}
method!(JobDeregister, "job.deregister", JobDeregistered);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobDeregistered {
    #[serde(rename = "EvalID", with = "optional")]
    pub eval_id: Option<EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    pub eval_create_index: u64,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "VolumeEvalID")]
    pub volume_eval_id: String,
    #[serde(rename = "VolumeEvalIndex")]
    pub volume_eval_index: u64,
    #[serde(rename = "Index")]
    pub index: u64,
    #[serde(rename = "KnownLeader")]
    pub known_leader: bool,
    #[serde(rename = "LastContact")]
    pub last_contact: u64,
    #[serde(rename = "NextToken")]
    pub next_token: String,
}

/// Makes an evaluation for a job as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobEvaluate {
    pub key: JobKey,
    /// Reschedule failed allocations now, whatever their policy says.
    pub force_reschedule: bool,
}
method!(JobEvaluate, "job.evaluate", JobRegistered);

/// Registers an earlier version anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobRevert {
    pub key: JobKey,
    pub version: u64,
    /// The version that must be current.
    pub enforce_prior: Option<u64>,
}
method!(JobRevert, "job.revert", JobRegistered);

/// Marks a version as (not) stable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobStable {
    pub key: JobKey,
    pub version: u64,
    pub stable: bool,
}
method!(JobStable, "job.stable", Written);

/// A write of which only the index matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Written {
    pub index: u64,
}

/// Makes an instance of a parameterized job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDispatch {
    pub key: JobKey,
    pub payload: Vec<u8>,
    pub meta: BTreeMap<String, String>,
    pub idempotency_token: String,
    pub id_prefix: String,
    pub priority: Option<u8>,
}
method!(JobDispatch, "job.dispatch", JobDispatched);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobDispatched {
    #[serde(rename = "DispatchedJobID")]
    pub dispatched_job_id: Name,
    #[serde(rename = "EvalID", with = "optional")]
    pub eval_id: Option<EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    pub eval_create_index: u64,
    #[serde(rename = "JobCreateIndex")]
    pub job_create_index: u64,
    #[serde(rename = "Index")]
    pub index: u64,
}

/// Changes the count of one group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobScale {
    pub key: JobKey,
    pub group: String,
    /// None only notes the message.
    pub count: Option<i64>,
    pub message: String,
    pub error: bool,
    pub enforce: Option<u64>,
    /// What else is to be noted.
    #[serde(default)]
    pub meta: Map<Value>,
}
method!(JobScale, "job.scale", JobRegistered);

/// Gives a version of a job a name, or takes the name away (none).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobTag {
    pub key: JobKey,
    pub name: String,
    pub tag: Option<TagRequest>,
}
method!(JobTag, "job.tag", JobTagged);

/// Which version is to be known by a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRequest {
    /// None: the newest one.
    pub version: Option<u64>,
    #[serde(default)]
    pub description: String,
}

/// The tag as it is now, empty where it was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTagged {
    #[serde(default)]
    pub tag: VersionTag,
    pub index: u64,
}

/// Reads one job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobGet {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobGet, "job.get", Read<Option<Arc<Job>>>);

/// Lists jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobList {
    pub options: ReadOptions,
    /// Also give each job's metadata.
    pub meta: bool,
}
method!(JobList, "job.list", Read<Vec<JobListStub>>);

/// Jobs with their allocations and latest deployment in brief.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobStatuses {
    pub options: ReadOptions,
    /// Only these; empty: all.
    pub jobs: Vec<JobKey>,
    pub include_children: bool,
}
method!(JobStatuses, "job.statuses", Read<Vec<JobOverview>>);

/// Reads the versions of a job, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobVersions {
    pub options: ReadOptions,
    pub id: Name,
    pub diffs: bool,
    /// Compare each with this one instead of with its predecessor.
    pub diff_version: Option<u64>,
    /// The same, where the other one is known by a tag; empty: no.
    #[serde(default)]
    pub diff_tag: String,
}
method!(JobVersions, "job.versions", Read<JobVersionList>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobVersionList {
    pub versions: List<Arc<Job>>,
    pub diffs: List<Value>,
}

/// The allocations of a job; without `all`, only those of the job that has this id now (not of one purged earlier).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobAllocations {
    pub options: ReadOptions,
    pub id: Name,
    pub all: bool,
}
method!(JobAllocations, "job.allocations", Read<Vec<AllocationStub>>);

/// The evaluations of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobEvaluations {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobEvaluations, "job.evaluations", Read<Vec<Arc<Evaluation>>>);

/// The deployments of a job; without `all`, only those of the job that has this id now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDeployments {
    pub options: ReadOptions,
    pub id: Name,
    pub all: bool,
}
method!(JobDeployments, "job.deployments", Read<Vec<Arc<Deployment>>>);

/// The newest deployment of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobLatestDeployment {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobLatestDeployment, "job.deployment", Read<Option<Arc<Deployment>>>);

/// How many allocations of a job are in which state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobSummaryGet {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobSummaryGet, "job.summary", Read<Option<JobSummary>>);

/// What a version of a job was submitted as.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobSubmissionGet {
    pub options: ReadOptions,
    pub id: Name,
    pub version: u64,
}
method!(JobSubmissionGet, "job.submission", Read<Option<SubmissionDetail>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubmissionDetail {
    #[serde(rename = "Source", deserialize_with = "null_is_default")]
    pub source: String,
    #[serde(rename = "Format", deserialize_with = "null_is_default")]
    pub format: String,
    #[serde(rename = "VariableFlags")]
    pub variable_flags: Map<String>,
    #[serde(rename = "Variables", deserialize_with = "null_is_default")]
    pub variables: String,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "Version")]
    pub version: u64,
}

/// The instances of a job's services in the servers' own catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobServices {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobServices, "job.services", Read<Vec<Arc<ServiceRegistration>>>);

/// The actions that a job's tasks offer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobActions {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobActions, "job.actions", Read<Option<Vec<JobAction>>>);

/// Counts per group, asked for and reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobScaleGet {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobScaleGet, "job.scale-status", Read<Option<JobScaleStatus>>);

/// Why a job is not (all) running.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobWhy {
    pub options: ReadOptions,
    pub id: Name,
}
method!(JobWhy, "job.why", Read<Option<WhyReport>>);

/// One sentence for the whole job, and one for each group that misses something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WhyReport {
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "Status")]
    pub status: String,
    #[serde(rename = "Summary")]
    pub summary: String,
    #[serde(rename = "Groups")]
    pub groups: BTreeMap<String, String>,
}

/// Launches a periodic job now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPeriodicForce {
    pub key: JobKey,
}
method!(JobPeriodicForce, "job.periodic-force", JobRegistered);
