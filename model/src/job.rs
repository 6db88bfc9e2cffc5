//! A job as admitted: every default filled in, every value of its real type.
//!
//! [`crate::spec::JobSpec`] is the same job as somebody wrote it. The parts that servers and clients act on are typed here; blocks that are only carried along
//! (`ui`, `action`, ...) keep the type they were submitted in.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{JobKey, Name},
    json::{List, Map, null_is_default},
    spec,
    time::{UnixNanos, nanos_option},
};

pub use constraint::{Affinity, Constraint, Operand, Spread, SpreadTarget};
pub use network::{DnsConfig, NetworkMode, NetworkResource, Port};
pub use resources::{RequestedDevice, Resources};
pub use scaling::{ScalingEvent, StoredScaling};
pub use service::{Check, CheckRestart, CheckType, Provider, Service, Weights};
pub use strategy::{
    DelayFunction, DisconnectStrategy, HealthCheck, MigrateStrategy, ReschedulePolicy, RestartMode, RestartPolicy, UpdateStrategy,
};
pub use task::{
    Artifact, ChangeMode, ChangeScript, ConsulUse, DispatchPayload, Lifecycle, LifecycleHook, LogConfig, Task, Template, VaultUse,
    VolumeMount, WaitConfig, WorkloadIdentity,
};

mod constraint;
mod network;
mod resources;
mod scaling;
mod service;
mod strategy;
mod task;

/// What kind of work a job is, which decides who schedules it and what "done" means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobType {
    #[default]
    Service,
    Batch,
    System,
    Sysbatch,
}

impl JobType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Batch => "batch",
            Self::System => "system",
            Self::Sysbatch => "sysbatch",
        }
    }

    /// Whether a task that exits with 0 has done what it was started for.
    pub fn runs_to_completion(self) -> bool {
        matches!(self, Self::Batch | Self::Sysbatch)
    }
}

impl fmt::Display for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    #[default]
    Pending,
    Running,
    Dead,
}

impl JobStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

/// A job as admitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Job {
    pub region: Name,
    pub namespace: Name,
    #[serde(rename = "ID")]
    pub id: Name,
    #[serde(rename = "ParentID")]
    pub parent_id: String,
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: JobType,
    /// 1 (last) to 100 (first).
    pub priority: u8,
    pub all_at_once: bool,
    pub datacenters: List<String>,
    pub node_pool: String,
    pub constraints: List<Constraint>,
    pub affinities: List<Affinity>,
    pub spreads: List<Spread>,
    pub task_groups: List<TaskGroup>,
    pub update: UpdateStrategy,
    pub multiregion: Option<spec::Multiregion>,
    pub periodic: Option<Periodic>,
    pub parameterized_job: Option<ParameterizedJob>,
    pub dispatched: bool,
    pub dispatch_idempotency_token: String,
    #[serde(with = "crate::json::base64")]
    pub payload: Vec<u8>,
    pub meta: Map<String>,
    pub consul_namespace: String,
    pub vault_namespace: String,
    #[serde(rename = "NomadTokenID")]
    pub nomad_token_id: String,
    #[serde(rename = "UI")]
    pub ui: Option<spec::Ui>,
    pub status: JobStatus,
    pub status_description: String,
    /// Whether a deployment of this version ended well, so that a later one may be reverted to it.
    pub stable: bool,
    pub version: u64,
    pub version_tag: Option<VersionTag>,
    pub stop: bool,
    pub submit_time: UnixNanos,
    pub create_index: u64,
    pub modify_index: u64,
    /// The index of the last change to the specification (`modify_index` also counts status changes).
    pub job_modify_index: u64,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            region: "global".into(),
            namespace: "default".into(),
            id: "".into(),
            parent_id: String::new(),
            name: String::new(),
            kind: JobType::Service,
            priority: 50,
            all_at_once: false,
            datacenters: List(vec!["*".to_owned()]),
            node_pool: "default".to_owned(),
            constraints: List::default(),
            affinities: List::default(),
            spreads: List::default(),
            task_groups: List::default(),
            update: UpdateStrategy::default(),
            multiregion: None,
            periodic: None,
            parameterized_job: None,
            dispatched: false,
            dispatch_idempotency_token: String::new(),
            payload: Vec::new(),
            meta: Map::default(),
            consul_namespace: String::new(),
            vault_namespace: String::new(),
            nomad_token_id: String::new(),
            ui: None,
            status: JobStatus::Pending,
            status_description: String::new(),
            stable: false,
            version: 0,
            version_tag: None,
            stop: false,
            submit_time: UnixNanos::NEVER,
            create_index: 0,
            modify_index: 0,
            job_modify_index: 0,
        }
    }
}

impl Job {
    pub fn key(&self) -> JobKey {
        JobKey { namespace: self.namespace.clone(), id: self.id.clone() }
    }

    pub fn group(&self, name: &str) -> Option<&TaskGroup> {
        self.task_groups.iter().find(|group| &*group.name == name)
    }

    pub fn is_periodic(&self) -> bool {
        self.periodic.is_some()
    }

    pub fn is_parameterized(&self) -> bool {
        self.parameterized_job.is_some() && !self.dispatched
    }

    /// Whether instances run for this job itself (a periodic or parameterized job only begets children).
    pub fn has_allocations(&self) -> bool {
        !self.is_periodic() && !self.is_parameterized()
    }

    /// Whether changes of some template go through the allocations in turn.
    pub fn rolls_templates(&self) -> bool {
        self.task_groups.iter().any(TaskGroup::rolls_templates)
    }

    /// Whether `other` asks for the same, whatever the servers noted beside it (version, status, indexes, submission time).
    pub fn same_specification(&self, other: &Self) -> bool {
        let clear = |job: &Self| Self {
            status: JobStatus::Pending,
            status_description: String::new(),
            stable: false,
            version: 0,
            version_tag: None,
            submit_time: UnixNanos::NEVER,
            create_index: 0,
            modify_index: 0,
            job_modify_index: 0,
            nomad_token_id: String::new(),
            ..job.clone()
        };
        clear(self) == clear(other)
    }

    /// What stands for a job that the reader looks up elsewhere (see [`crate::allocation::AllocationBatch`]).
    pub fn placeholder() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub fn is_placeholder(&self) -> bool {
        self.id.is_empty()
    }
}

/// Tasks that run together on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskGroup {
    pub name: Name,
    pub count: u32,
    pub constraints: List<Constraint>,
    pub affinities: List<Affinity>,
    pub spreads: List<Spread>,
    pub networks: List<NetworkResource>,
    pub services: List<Service>,
    pub volumes: Map<spec::Volume>,
    pub tasks: List<Task>,
    pub ephemeral_disk: EphemeralDisk,
    pub restart_policy: RestartPolicy,
    pub reschedule_policy: Option<ReschedulePolicy>,
    /// Only services and system jobs roll out.
    pub update: Option<UpdateStrategy>,
    pub migrate: Option<MigrateStrategy>,
    pub disconnect: Option<DisconnectStrategy>,
    pub scaling: Option<spec::Scaling>,
    pub consul: Option<ConsulUse>,
    pub meta: Map<String>,
    #[serde(with = "nanos_option")]
    pub shutdown_delay: Option<Duration>,
    #[serde(with = "nanos_option")]
    pub max_run_duration: Option<Duration>,
    #[serde(with = "nanos_option")]
    pub stop_after_client_disconnect: Option<Duration>,
    #[serde(with = "nanos_option")]
    pub max_client_disconnect: Option<Duration>,
    pub prevent_reschedule_on_lost: bool,
}

impl Default for TaskGroup {
    fn default() -> Self {
        Self {
            name: "".into(),
            count: 1,
            constraints: List::default(),
            affinities: List::default(),
            spreads: List::default(),
            networks: List::default(),
            services: List::default(),
            volumes: Map::default(),
            tasks: List::default(),
            ephemeral_disk: EphemeralDisk::default(),
            restart_policy: RestartPolicy::default(),
            reschedule_policy: None,
            update: None,
            migrate: None,
            disconnect: None,
            scaling: None,
            consul: None,
            meta: Map::default(),
            shutdown_delay: None,
            max_run_duration: None,
            stop_after_client_disconnect: None,
            max_client_disconnect: None,
            prevent_reschedule_on_lost: false,
        }
    }
}

impl TaskGroup {
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// Whether changes of some template go through the allocations in turn.
    pub fn rolls_templates(&self) -> bool {
        self.tasks.iter().any(Task::rolls_templates)
    }

    /// The name of the instance with this index, `JOB.GROUP[INDEX]`.
    pub fn allocation_name(&self, job_id: &str, index: u32) -> String {
        format!("{job_id}.{}[{index}]", self.name)
    }

    /// Every service of the group and of its tasks, with the task it belongs to.
    pub fn all_services(&self) -> impl Iterator<Item = (Option<&Task>, &Service)> {
        let of_tasks = self.tasks.iter().flat_map(|task| task.services.iter().map(move |service| (Some(task), service)));
        self.services.iter().map(|service| (None, service)).chain(of_tasks)
    }
}

/// Space for the allocation directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EphemeralDisk {
    #[serde(rename = "SizeMB")]
    pub size_mib: u32,
    pub sticky: bool,
    pub migrate: bool,
}

impl Default for EphemeralDisk {
    fn default() -> Self {
        Self { size_mib: 300, sticky: false, migrate: false }
    }
}

/// When a periodic job begets a child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Periodic {
    pub enabled: bool,
    pub spec: String,
    pub specs: List<String>,
    pub spec_type: String,
    pub prohibit_overlap: bool,
    pub time_zone: String,
}

/// What a parameterized job is dispatched with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ParameterizedJob {
    pub payload: String,
    pub meta_required: List<String>,
    pub meta_optional: List<String>,
}

/// A name that somebody gave to a version, which also keeps it from being forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionTag {
    pub name: String,
    pub description: String,
    pub tagged_time: UnixNanos,
}

/// What a job was submitted as, kept so that people can see and edit what they wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobSubmission {
    #[serde(deserialize_with = "null_is_default")]
    pub source: String,
    #[serde(deserialize_with = "null_is_default")]
    pub format: String,
    pub variable_flags: Map<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub variables: String,
}

/// How many allocations of each group are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobSummary {
    #[serde(rename = "JobID")]
    pub job_id: Name,
    pub namespace: Name,
    pub summary: BTreeMap<String, GroupSummary>,
    pub children: ChildrenSummary,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GroupSummary {
    pub queued: u32,
    pub complete: u32,
    pub failed: u32,
    pub running: u32,
    pub starting: u32,
    pub lost: u32,
    pub unknown: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChildrenSummary {
    pub pending: u32,
    pub running: u32,
    pub dead: u32,
}
