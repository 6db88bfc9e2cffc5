//! An allocation: one instance of a task group on a node.

use std::{collections::BTreeMap, sync::Arc};

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{AllocId, DeploymentId, EvalId, JobKey, KeyId, Name, NodeId, optional},
    job::{DnsConfig, Job, TaskGroup},
    json::{List, Map},
    resources::AllocatedResources,
    time::{Rfc3339, UnixNanos},
};

pub use batch::AllocationBatch;
pub use metric::{AllocMetric, NodeScore};
pub use roll::TemplateRoll;
pub use task::{MAX_TASK_EVENTS, TaskEvent, TaskPhase, TaskState, event};

mod batch;
mod metric;
mod roll;
mod task;

/// What the servers want of an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DesiredStatus {
    #[default]
    Run,
    Stop,
    Evict,
}

impl DesiredStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Stop => "stop",
            Self::Evict => "evict",
        }
    }
}

/// What the client says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientStatus {
    #[default]
    Pending,
    Running,
    Complete,
    Failed,
    Lost,
    Unknown,
}

impl ClientStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// Whether no task of it runs any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Lost)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allocation {
    #[serde(rename = "ID")]
    pub id: AllocId,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    /// `JOB.GROUP[INDEX]`; an instance's replacement has the same name.
    #[serde(rename = "Name")]
    pub name: Name,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "NodeName")]
    pub node_name: Name,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    /// The job in the version that this allocation runs. Left out of batches, which hold each job once.
    #[serde(rename = "Job", skip_serializing_if = "is_placeholder", default = "Job::placeholder")]
    pub job: Arc<Job>,
    #[serde(rename = "TaskGroup")]
    pub task_group: Name,
    #[serde(rename = "AllocatedResources")]
    pub resources: Arc<AllocatedResources>,
    #[serde(rename = "Metrics")]
    pub metrics: Arc<AllocMetric>,
    #[serde(rename = "DesiredStatus")]
    pub desired_status: DesiredStatus,
    #[serde(rename = "DesiredDescription", skip_serializing_if = "str::is_empty")]
    pub desired_description: Name,
    #[serde(rename = "DesiredTransition", skip_serializing_if = "DesiredTransition::is_empty")]
    pub desired_transition: DesiredTransition,
    #[serde(rename = "ClientStatus")]
    pub client_status: ClientStatus,
    #[serde(rename = "ClientDescription")]
    pub client_description: Name,
    /// Most groups have a task or two: a sorted list takes the room of these, where a tree's smallest node has room for eleven.
    #[serde(rename = "TaskStates", skip_serializing_if = "LiteMap::is_empty")]
    pub task_states: LiteMap<Name, TaskState>,
    #[serde(rename = "AllocStates", skip_serializing_if = "no_states")]
    pub alloc_states: List<AllocState>,
    #[serde(rename = "DeploymentID", with = "optional", skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    #[serde(rename = "DeploymentStatus", skip_serializing_if = "Option::is_none")]
    pub deployment_status: Option<AllocDeploymentStatus>,
    /// Of a group whose templates roll; none while nothing of it has changed.
    #[serde(rename = "TemplateRoll", skip_serializing_if = "Option::is_none")]
    pub template_roll: Option<Arc<TemplateRoll>>,
    #[serde(rename = "RescheduleTracker", skip_serializing_if = "Option::is_none")]
    pub reschedule_tracker: Option<RescheduleTracker>,
    #[serde(rename = "FollowupEvalID", with = "optional", skip_serializing_if = "Option::is_none")]
    pub followup_eval_id: Option<EvalId>,
    #[serde(rename = "PreviousAllocation", with = "optional", skip_serializing_if = "Option::is_none")]
    pub previous_allocation: Option<AllocId>,
    #[serde(rename = "NextAllocation", with = "optional", skip_serializing_if = "Option::is_none")]
    pub next_allocation: Option<AllocId>,
    #[serde(rename = "PreemptedAllocations", skip_serializing_if = "no_ids")]
    pub preempted_allocations: List<AllocId>,
    #[serde(rename = "PreemptedByAllocation", with = "optional", skip_serializing_if = "Option::is_none")]
    pub preempted_by_allocation: Option<AllocId>,
    #[serde(rename = "NetworkStatus")]
    pub network_status: Option<NetworkStatus>,
    #[serde(rename = "SigningKeyID", with = "optional", skip_serializing_if = "Option::is_none")]
    pub signing_key_id: Option<KeyId>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    /// The index of the servers' last change to it (a client's report does not move it): what the client compares.
    #[serde(rename = "AllocModifyIndex")]
    pub alloc_modify_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

fn is_placeholder(job: &Arc<Job>) -> bool {
    job.is_placeholder()
}
fn no_ids(ids: &List<AllocId>) -> bool {
    ids.is_empty()
}
fn no_states(states: &List<AllocState>) -> bool {
    states.is_empty()
}

impl Default for Allocation {
    fn default() -> Self {
        Self {
            id: AllocId::from_random([0; 16]),
            namespace: "default".into(),
            eval_id: EvalId::from_random([0; 16]),
            name: "".into(),
            node_id: NodeId::from_random([0; 16]),
            node_name: "".into(),
            job_id: "".into(),
            job: Job::placeholder(),
            task_group: "".into(),
            resources: Arc::default(),
            metrics: Arc::default(),
            desired_status: DesiredStatus::Run,
            desired_description: "".into(),
            desired_transition: DesiredTransition::default(),
            client_status: ClientStatus::Pending,
            client_description: "".into(),
            task_states: LiteMap::new(),
            alloc_states: List::default(),
            deployment_id: None,
            deployment_status: None,
            template_roll: None,
            reschedule_tracker: None,
            followup_eval_id: None,
            previous_allocation: None,
            next_allocation: None,
            preempted_allocations: List::default(),
            preempted_by_allocation: None,
            network_status: None,
            signing_key_id: None,
            create_index: 0,
            modify_index: 0,
            alloc_modify_index: 0,
            create_time: UnixNanos::NEVER,
            modify_time: UnixNanos::NEVER,
        }
    }
}

/// The number in an allocation's name; none when the name is not of the form `JOB.GROUP[INDEX]`.
pub fn index_of(name: &str) -> Option<u32> {
    name.strip_suffix(']')?.rsplit_once('[')?.1.parse().ok()
}

impl Allocation {
    /// Takes exactly the room that they need.
    pub fn set_task_states(&mut self, states: BTreeMap<Name, TaskState>) {
        self.task_states = LiteMap::with_capacity(states.len());
        for (name, state) in states {
            self.task_states.insert(name, state);
        }
    }

    pub fn job_key(&self) -> JobKey {
        JobKey { namespace: self.namespace.clone(), id: self.job_id.clone() }
    }

    pub fn group(&self) -> Option<&TaskGroup> {
        self.job.group(&self.task_group)
    }

    /// The number in its name; none when the name is not of the form `JOB.GROUP[INDEX]`.
    pub fn index(&self) -> Option<u32> {
        index_of(&self.name)
    }

    /// Neither running nor meant to run: the servers asked it to stop.
    pub fn is_server_terminal(&self) -> bool {
        !matches!(self.desired_status, DesiredStatus::Run)
    }

    pub fn is_client_terminal(&self) -> bool {
        self.client_status.is_terminal()
    }

    /// Nothing more will come of it.
    pub fn is_terminal(&self) -> bool {
        self.is_server_terminal() || self.is_client_terminal()
    }

    /// Whether it takes up its node's resources: until the client says that it has ended.
    pub fn holds_resources(&self) -> bool {
        !self.is_client_terminal()
    }

    pub fn is_canary(&self) -> bool {
        self.deployment_status.as_ref().is_some_and(|status| status.canary)
    }

    /// Some(true) or Some(false) once its deployment knows.
    pub fn is_healthy(&self) -> Option<bool> {
        self.deployment_status.as_ref().and_then(|status| status.healthy)
    }
}

/// What somebody asked for it beside its job: to be moved, rescheduled, ...
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DesiredTransition {
    pub migrate: Option<bool>,
    pub reschedule: Option<bool>,
    pub force_reschedule: Option<bool>,
    pub no_shutdown_delay: Option<bool>,
    pub migrate_disable_placement: Option<bool>,
}

impl DesiredTransition {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn should_migrate(&self) -> bool {
        self.migrate == Some(true)
    }

    pub fn should_reschedule(&self) -> bool {
        self.reschedule == Some(true) || self.force_reschedule == Some(true)
    }
}

/// Its part in a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocDeploymentStatus {
    pub healthy: Option<bool>,
    pub timestamp: Rfc3339,
    pub canary: bool,
    pub modify_index: u64,
}

/// A change of its client status that matters later (when it became unknown).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocState {
    pub field: String,
    pub value: String,
    pub time: Rfc3339,
}

/// The failures that led from earlier allocations to this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RescheduleTracker {
    pub events: List<RescheduleEvent>,
    pub last_reschedule: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RescheduleEvent {
    #[serde(rename = "RescheduleTime")]
    pub time: UnixNanos,
    #[serde(rename = "PrevAllocID", with = "optional")]
    pub previous_allocation: Option<AllocId>,
    #[serde(rename = "PrevNodeID", with = "optional")]
    pub previous_node: Option<NodeId>,
    /// Nanoseconds waited.
    #[serde(rename = "Delay")]
    pub delay: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkStatus {
    #[serde(rename = "InterfaceName")]
    pub interface_name: String,
    #[serde(rename = "Address")]
    pub address: String,
    #[serde(rename = "AddressIPv6")]
    pub address_ipv6: String,
    #[serde(rename = "DNS")]
    pub dns: Option<DnsConfig>,
}

/// What a client reports of one of its allocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocationReport {
    #[serde(rename = "ID", with = "optional")]
    pub id: Option<AllocId>,
    pub client_status: ClientStatus,
    pub client_description: Name,
    pub task_states: BTreeMap<Name, TaskState>,
    pub deployment_status: Option<AllocDeploymentStatus>,
    /// The deployment that the health was judged for, as the client knows it. One that was judged for another tells nothing.
    #[serde(rename = "DeploymentID", with = "optional", skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    pub network_status: Option<NetworkStatus>,
    /// As in [`TemplateRoll::waiting`].
    #[serde(rename = "TemplatesWaiting", skip_serializing_if = "str::is_empty")]
    pub templates_waiting: Name,
}

/// The words that the API uses to say why the servers changed an allocation.
pub mod description {
    pub const NOT_NEEDED: &str = "alloc not needed due to job update";
    pub const UPDATING: &str = "alloc is being updated due to job update";
    pub const IN_PLACE: &str = "alloc updating in-place";
    pub const MIGRATING: &str = "alloc is being migrated";
    pub const LOST: &str = "alloc is lost since its node is down";
    pub const UNKNOWN: &str = "alloc is unknown since its node is disconnected";
    pub const NODE_TAINTED: &str = "alloc not needed as node is tainted";
    pub const RESCHEDULED: &str = "alloc was rescheduled because it failed";
    pub const RECONNECTED: &str = "alloc not needed due to disconnected client reconnect";
    pub const PREEMPTED: &str = "Preempted by alloc ID ";
}

/// Labels of the client, in the API's words.
pub mod client_description {
    pub const NOT_STARTED: &str = "No tasks have started";
    pub const RUNNING: &str = "Tasks are running";
    pub const COMPLETE: &str = "All tasks have completed";
    pub const FAILED: &str = "Failed tasks";
}

/// Free-form labels of an event.
pub type Details = Map<String>;
