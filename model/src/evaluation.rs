//! An evaluation: a request to bring a job's allocations in line with what it asks for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    allocation::AllocMetric,
    ids::{DeploymentId, EvalId, JobKey, Name, NodeId, optional},
    job::JobType,
    json::Map,
    plan::PlanAnnotations,
    time::{Rfc3339, UnixNanos, nanos},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvalStatus {
    /// Waits for resources that could help.
    Blocked,
    #[default]
    Pending,
    Complete,
    Failed,
    /// With one l: the API's spelling here.
    Canceled,
}

impl EvalStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Pending => "pending",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Canceled)
    }
}

/// What called for an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    #[default]
    JobRegister,
    JobDeregister,
    PeriodicJob,
    NodeDrain,
    NodeUpdate,
    AllocStop,
    Scheduled,
    RollingUpdate,
    DeploymentWatcher,
    FailedFollowUp,
    MaxPlanAttempts,
    AllocFailure,
    QueuedAllocs,
    Preemption,
    JobScaling,
    MaxDisconnectTimeout,
    Reconnect,
    AllocReschedule,
}

/// Who schedules it: the job's own scheduler, or the servers' housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EvalType {
    #[serde(rename = "service")]
    Service,
    #[serde(rename = "batch")]
    Batch,
    #[serde(rename = "system")]
    System,
    #[serde(rename = "sysbatch")]
    Sysbatch,
    #[serde(rename = "_core")]
    Core,
}

impl From<JobType> for EvalType {
    fn from(kind: JobType) -> Self {
        match kind {
            JobType::Service => Self::Service,
            JobType::Batch => Self::Batch,
            JobType::System => Self::System,
            JobType::Sysbatch => Self::Sysbatch,
        }
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
fn is_no_duration(value: &Duration) -> bool {
    value.is_zero()
}
fn no_counts(value: &BTreeMap<Name, u32>) -> bool {
    value.is_empty()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluation {
    #[serde(rename = "ID")]
    pub id: EvalId,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "Priority")]
    pub priority: u8,
    #[serde(rename = "Type")]
    pub kind: EvalType,
    #[serde(rename = "TriggeredBy")]
    pub triggered_by: Trigger,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "JobModifyIndex", skip_serializing_if = "is_zero")]
    pub job_modify_index: u64,
    #[serde(rename = "NodeID", with = "optional", skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    #[serde(rename = "NodeModifyIndex", skip_serializing_if = "is_zero")]
    pub node_modify_index: u64,
    #[serde(rename = "DeploymentID", with = "optional", skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    #[serde(rename = "Status")]
    pub status: EvalStatus,
    #[serde(rename = "StatusDescription", skip_serializing_if = "String::is_empty")]
    pub status_description: String,
    /// Not before so long after it was made.
    #[serde(rename = "Wait", with = "nanos", skip_serializing_if = "is_no_duration")]
    pub wait: Duration,
    /// Not before this point.
    #[serde(rename = "WaitUntil", skip_serializing_if = "Rfc3339::is_never")]
    pub wait_until: Rfc3339,
    #[serde(rename = "NextEval", with = "optional", skip_serializing_if = "Option::is_none")]
    pub next_eval: Option<EvalId>,
    #[serde(rename = "PreviousEval", with = "optional", skip_serializing_if = "Option::is_none")]
    pub previous_eval: Option<EvalId>,
    /// The one that waits for resources for what this one could not place.
    #[serde(rename = "BlockedEval", with = "optional", skip_serializing_if = "Option::is_none")]
    pub blocked_eval: Option<EvalId>,
    #[serde(rename = "FailedTGAllocs", skip_serializing_if = "BTreeMap::is_empty")]
    pub failed_tg_allocs: BTreeMap<Name, Arc<AllocMetric>>,
    /// For a blocked one: which classes of nodes could or could not take it, when it was tried.
    #[serde(rename = "ClassEligibility", skip_serializing_if = "no_classes")]
    pub class_eligibility: Map<bool>,
    /// For a blocked one: constraints look at what is unique to a node, so a class says nothing.
    #[serde(rename = "EscapedComputedClass", skip_serializing_if = "std::ops::Not::not")]
    pub escaped_computed_class: bool,
    /// For a blocked one: the quota of which more was asked for than there is.
    #[serde(rename = "QuotaLimitReached", skip_serializing_if = "String::is_empty")]
    pub quota_limit_reached: String,
    #[serde(rename = "AnnotatePlan", skip_serializing_if = "std::ops::Not::not")]
    pub annotate_plan: bool,
    #[serde(rename = "PlanAnnotations", skip_serializing_if = "Option::is_none")]
    pub plan_annotations: Option<PlanAnnotations>,
    /// How many allocations of each group were not placed.
    #[serde(rename = "QueuedAllocations", skip_serializing_if = "no_counts")]
    pub queued_allocations: BTreeMap<Name, u32>,
    #[serde(rename = "SnapshotIndex", skip_serializing_if = "is_zero")]
    pub snapshot_index: u64,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

fn no_classes(classes: &Map<bool>) -> bool {
    classes.is_empty()
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            id: EvalId::from_random([0; 16]),
            namespace: "default".into(),
            priority: 50,
            kind: EvalType::Service,
            triggered_by: Trigger::JobRegister,
            job_id: "".into(),
            job_modify_index: 0,
            node_id: None,
            node_modify_index: 0,
            deployment_id: None,
            status: EvalStatus::Pending,
            status_description: String::new(),
            wait: Duration::ZERO,
            wait_until: Rfc3339::default(),
            next_eval: None,
            previous_eval: None,
            blocked_eval: None,
            failed_tg_allocs: BTreeMap::new(),
            class_eligibility: Map::default(),
            escaped_computed_class: false,
            quota_limit_reached: String::new(),
            annotate_plan: false,
            plan_annotations: None,
            queued_allocations: BTreeMap::new(),
            snapshot_index: 0,
            create_index: 0,
            modify_index: 0,
            create_time: UnixNanos::NEVER,
            modify_time: UnixNanos::NEVER,
        }
    }
}

impl Evaluation {
    pub fn job_key(&self) -> JobKey {
        JobKey { namespace: self.namespace.clone(), id: self.job_id.clone() }
    }

    /// Whether room on nodes could help it: not, where its quota is all that is in the way.
    pub fn waits_for_nodes(&self) -> bool {
        self.quota_limit_reached.is_empty() || self.failed_tg_allocs.values().any(|metric| metric.quota_exhausted.is_empty())
    }

    pub fn should_block(&self) -> bool {
        self.status == EvalStatus::Blocked
    }

    pub fn should_enqueue(&self) -> bool {
        self.status == EvalStatus::Pending
    }
}
