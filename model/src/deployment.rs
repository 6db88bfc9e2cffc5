//! A deployment: one roll-out of a version of a job.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AllocId, DeploymentId, JobKey, Name},
    json::List,
    time::{Rfc3339, UnixNanos, nanos},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentStatus {
    #[default]
    Running,
    Paused,
    Failed,
    Successful,
    /// With two l: the API's spelling here.
    Cancelled,
    Initializing,
    Pending,
    Blocked,
    Unblocking,
}

impl DeploymentStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Successful => "successful",
            Self::Cancelled => "cancelled",
            Self::Initializing => "initializing",
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::Unblocking => "unblocking",
        }
    }

    /// Whether more can come of it.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Failed | Self::Successful | Self::Cancelled)
    }
}

/// What a deployment rolls out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentKind {
    /// A version of a job: allocations are replaced, or updated in place.
    #[default]
    Job,
    /// Changed texts of templates with `change_mode = "rolling"`: allocations stay and take them in one after the other.
    Templates,
}

impl DeploymentKind {
    fn is_job(&self) -> bool {
        *self == Self::Job
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deployment {
    #[serde(rename = "ID")]
    pub id: DeploymentId,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "JobVersion")]
    pub job_version: u64,
    #[serde(rename = "JobModifyIndex")]
    pub job_modify_index: u64,
    #[serde(rename = "JobSpecModifyIndex")]
    pub job_spec_modify_index: u64,
    #[serde(rename = "JobCreateIndex")]
    pub job_create_index: u64,
    #[serde(rename = "IsMultiregion")]
    pub is_multiregion: bool,
    /// Printed only when it is not the usual one.
    #[serde(rename = "Kind", skip_serializing_if = "DeploymentKind::is_job")]
    pub kind: DeploymentKind,
    #[serde(rename = "TaskGroups")]
    pub task_groups: BTreeMap<Name, DeploymentState>,
    #[serde(rename = "Status")]
    pub status: DeploymentStatus,
    #[serde(rename = "StatusDescription")]
    pub status_description: String,
    #[serde(rename = "EvalPriority")]
    pub eval_priority: u8,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            id: DeploymentId::from_random([0; 16]),
            namespace: "default".into(),
            job_id: "".into(),
            job_version: 0,
            job_modify_index: 0,
            job_spec_modify_index: 0,
            job_create_index: 0,
            is_multiregion: false,
            kind: DeploymentKind::Job,
            task_groups: BTreeMap::new(),
            status: DeploymentStatus::Running,
            status_description: description::RUNNING.to_owned(),
            eval_priority: 50,
            create_index: 0,
            modify_index: 0,
            create_time: UnixNanos::NEVER,
            modify_time: UnixNanos::NEVER,
        }
    }
}

impl Deployment {
    pub fn job_key(&self) -> JobKey {
        JobKey { namespace: self.namespace.clone(), id: self.job_id.clone() }
    }

    pub fn is_active(&self) -> bool {
        self.status.is_active()
    }

    /// Whether it rolls out changed texts of templates, not a version of its job.
    pub fn is_of_templates(&self) -> bool {
        self.kind == DeploymentKind::Templates
    }

    /// Whether some group waits for somebody (or `auto_promote`) to promote its canaries.
    pub fn requires_promotion(&self) -> bool {
        self.is_active() && self.task_groups.values().any(|group| group.desired_canaries > 0 && !group.promoted)
    }

    /// Whether every group that has canaries promotes them by itself.
    pub fn has_auto_promote(&self) -> bool {
        let mut canaries = self.task_groups.values().filter(|group| group.desired_canaries > 0).peekable();
        canaries.peek().is_some() && canaries.all(|group| group.auto_promote)
    }
}

/// A group's part of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeploymentState {
    pub auto_revert: bool,
    pub auto_promote: bool,
    pub promoted: bool,
    pub placed_canaries: List<AllocId>,
    pub desired_canaries: u32,
    pub desired_total: u32,
    pub placed_allocs: u32,
    pub healthy_allocs: u32,
    pub unhealthy_allocs: u32,
    #[serde(with = "nanos")]
    pub progress_deadline: Duration,
    pub require_progress_by: Rfc3339,
}

/// A change of a deployment's status, as somebody decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStatusUpdate {
    #[serde(rename = "DeploymentID")]
    pub id: DeploymentId,
    #[serde(rename = "Status")]
    pub status: DeploymentStatus,
    #[serde(rename = "StatusDescription")]
    pub description: String,
}

/// The API's words.
pub mod description {
    pub const RUNNING: &str = "Deployment is running";
    pub const NEEDS_PROMOTION: &str = "Deployment is running but requires manual promotion";
    pub const AUTO_PROMOTION: &str = "Deployment is running pending automatic promotion";
    pub const PAUSED: &str = "Deployment is paused";
    pub const SUCCESSFUL: &str = "Deployment completed successfully";
    pub const STOPPED_JOB: &str = "Cancelled because job is stopped";
    pub const NEWER_JOB: &str = "Cancelled due to newer version of job";
    pub const FAILED_ALLOCATIONS: &str = "Failed due to unhealthy allocations";
    pub const PROGRESS_DEADLINE: &str = "Failed due to progress deadline";
    pub const FAILED_BY_USER: &str = "Deployment marked as failed";

    pub const TEMPLATES_RUNNING: &str = "Changed templates are let into the allocations in turn";

    /// `short` is the allocation's id as people read it.
    pub fn unhealthy_templates(short: &str, name: &str) -> String {
        format!(
            "Failed because allocation {short} ({name}) is not healthy with its changed templates; those that were not yet their turn keep the old ones"
        )
    }

    pub fn rolling_back(base: &str, version: u64) -> String {
        format!("{base} - rolling back to job version {version}")
    }

    pub fn same_specification(base: &str, version: u64) -> String {
        format!("{base} - not rolling back to stable job version {version} as current job has same specification")
    }

    pub fn nothing_to_roll_back_to(base: &str) -> String {
        format!("{base} - no stable job version to auto revert to")
    }
}
