//! The shorter and the richer forms in which lists and pages of the API show the nouns.
//!
//! A stub is what a list holds; a detail is an object with what readers of the API expect beside it. All of them are computed from the nouns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    deployment::{Deployment, DeploymentStatus},
    ids::{AllocId, DeploymentId, EvalId, Name, NodeId, optional},
    job::{Job, JobStatus, JobSummary, JobType, ScalingEvent},
    json::{List, Map},
    time::UnixNanos,
};

pub use allocation::{AllocationDetail, AllocationStub};
pub use evaluation::{EvaluationDetail, EvaluationStub};
pub use node::{NodeDetail, NodeStub};
pub use scaling::{ScalingPolicy, ScalingPolicyStub, ScalingTarget};

mod allocation;
mod evaluation;
mod node;
mod scaling;

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobListStub {
    #[serde(rename = "ID")]
    pub id: Name,
    #[serde(rename = "ParentID")]
    pub parent_id: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "Datacenters")]
    pub datacenters: List<String>,
    #[serde(rename = "NodePool")]
    pub node_pool: String,
    #[serde(rename = "Multiregion")]
    pub multiregion: Option<serde_json::Value>,
    #[serde(rename = "Type")]
    pub kind: JobType,
    #[serde(rename = "Priority")]
    pub priority: u8,
    #[serde(rename = "Periodic")]
    pub periodic: bool,
    #[serde(rename = "ParameterizedJob")]
    pub parameterized_job: bool,
    #[serde(rename = "Stop")]
    pub stop: bool,
    #[serde(rename = "Status")]
    pub status: JobStatus,
    #[serde(rename = "StatusDescription")]
    pub status_description: String,
    #[serde(rename = "JobSummary")]
    pub job_summary: Option<JobSummary>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "SubmitTime")]
    pub submit_time: UnixNanos,
    #[serde(rename = "Meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String>>,
}

impl JobListStub {
    pub fn new(job: &Job, summary: Option<JobSummary>, with_meta: bool) -> Self {
        Self {
            id: job.id.clone(),
            parent_id: job.parent_id.clone(),
            name: job.name.clone(),
            namespace: job.namespace.clone(),
            datacenters: job.datacenters.clone(),
            node_pool: job.node_pool.clone(),
            multiregion: job.multiregion.as_ref().and_then(|multiregion| serde_json::to_value(multiregion).ok()),
            kind: job.kind,
            priority: job.priority,
            periodic: job.is_periodic(),
            parameterized_job: job.is_parameterized(),
            stop: job.stop,
            status: job.status,
            status_description: job.status_description.clone(),
            job_summary: summary,
            create_index: job.create_index,
            modify_index: job.modify_index,
            job_modify_index: job.job_modify_index,
            submit_time: job.submit_time,
            meta: with_meta.then(|| job.meta.clone()),
        }
    }
}

/// A job with its allocations and newest deployment in brief.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOverview {
    #[serde(rename = "ID")]
    pub id: Name,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "ParentID")]
    pub parent_id: String,
    #[serde(rename = "Type")]
    pub kind: JobType,
    #[serde(rename = "NodePool")]
    pub node_pool: String,
    #[serde(rename = "Datacenters")]
    pub datacenters: List<String>,
    #[serde(rename = "Priority")]
    pub priority: u8,
    #[serde(rename = "Version")]
    pub version: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "SubmitTime")]
    pub submit_time: UnixNanos,
    #[serde(rename = "Status")]
    pub status: JobStatus,
    #[serde(rename = "Stop")]
    pub stop: bool,
    #[serde(rename = "IsPack")]
    pub is_pack: bool,
    #[serde(rename = "GroupCountSum")]
    pub group_count_sum: u32,
    #[serde(rename = "Allocs")]
    pub allocs: List<AllocationBrief>,
    #[serde(rename = "ChildStatuses")]
    pub child_statuses: List<String>,
    #[serde(rename = "LatestDeployment")]
    pub latest_deployment: Option<DeploymentBrief>,
}

/// An allocation within a [`JobOverview`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationBrief {
    #[serde(rename = "ID")]
    pub id: AllocId,
    #[serde(rename = "Group")]
    pub group: Name,
    #[serde(rename = "ClientStatus")]
    pub client_status: crate::allocation::ClientStatus,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "DeploymentStatus")]
    pub deployment_status: BriefHealth,
    #[serde(rename = "JobVersion")]
    pub job_version: u64,
    #[serde(rename = "FollowupEvalID", with = "optional")]
    pub followup_eval_id: Option<EvalId>,
    #[serde(rename = "HasPausedTask")]
    pub has_paused_task: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BriefHealth {
    pub canary: bool,
    pub healthy: Option<bool>,
}

/// A deployment within a [`JobOverview`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentBrief {
    #[serde(rename = "ID")]
    pub id: DeploymentId,
    #[serde(rename = "IsActive")]
    pub is_active: bool,
    #[serde(rename = "JobVersion")]
    pub job_version: u64,
    #[serde(rename = "Status")]
    pub status: DeploymentStatus,
    #[serde(rename = "StatusDescription")]
    pub status_description: String,
    #[serde(rename = "AllAutoPromote")]
    pub all_auto_promote: bool,
    #[serde(rename = "RequiresPromotion")]
    pub requires_promotion: bool,
}

impl From<&Deployment> for DeploymentBrief {
    fn from(deployment: &Deployment) -> Self {
        let mut canaries = deployment.task_groups.values().filter(|group| group.desired_canaries > 0);
        Self {
            id: deployment.id,
            is_active: deployment.is_active(),
            job_version: deployment.job_version,
            status: deployment.status,
            status_description: deployment.status_description.clone(),
            // True also when no group has canaries, as the API does.
            all_auto_promote: canaries.all(|group| group.auto_promote),
            requires_promotion: deployment.requires_promotion(),
        }
    }
}

/// An action that a task offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobAction {
    pub name: String,
    pub task_name: String,
    pub task_group_name: Name,
}

/// Counts per group, asked for and reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobScaleStatus {
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "JobCreateIndex")]
    pub job_create_index: u64,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "JobStopped")]
    pub job_stopped: bool,
    #[serde(rename = "TaskGroups")]
    pub task_groups: BTreeMap<Name, GroupScaleStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupScaleStatus {
    pub desired: u32,
    pub placed: u32,
    pub running: u32,
    pub healthy: u32,
    pub unhealthy: u32,
    /// Newest first.
    pub events: List<ScalingEvent>,
}
