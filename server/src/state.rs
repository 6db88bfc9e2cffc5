//! The replicated state: tables of rows, each a persistent map.
//!
//! A [`State`] is cloned in constant time, so whoever reads takes a snapshot and never waits for a writer. Only [`crate::fsm`] changes one.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, EvalId, JobKey, KeyId, Name, NodeId, VolumeId},
    job::{Job, JobSubmission, JobSummary, StoredScaling},
    kv::{KvEntry, StoredSecret},
    namespace::{Namespace, NodePool},
    node::Node,
    quota::{QuotaUse, StoredQuota},
    rpc::autopilot::AutopilotConfig,
    service::ServiceRegistration,
    variable::StoredVariable,
    volume::Volume,
};
use drover_scheduler::{Profile, Usage};
use imbl::OrdMap;

use crate::identity::{StoredCa, StoredKey};

pub use config::{PreemptionConfig, SchedulerAlgorithm, SchedulerConfig};
pub use counts::JobCounts;
pub use prefix::IdPrefix;
pub use store::StateStore;
pub use table::{Change, Index, Rows, Table};

mod changes;
mod config;
mod counts;
mod divisions;
mod prefix;
mod quotas;
mod read;
pub mod snapshot;
mod store;
pub(crate) mod summary;
mod table;
mod volumes;
mod write;

#[cfg(test)]
mod tests;

/// A table, as readers name it when they wait for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum TableId {
    /// Jobs with their versions and submissions.
    Jobs,
    Summaries,
    Nodes,
    Allocations,
    Evaluations,
    Deployments,
    Services,
    Kv,
    Secrets,
    Keys,
    Ca,
    /// What operators set: the scheduler's configuration and autopilot's.
    SchedulerConfig,
    Variables,
    Namespaces,
    NodePools,
    Quotas,
    Volumes,
    Scaling,
}

impl TableId {
    pub const COUNT: usize = 18;
    pub const ALL: [Self; Self::COUNT] = [
        Self::Jobs,
        Self::Summaries,
        Self::Nodes,
        Self::Allocations,
        Self::Evaluations,
        Self::Deployments,
        Self::Services,
        Self::Kv,
        Self::Secrets,
        Self::Keys,
        Self::Ca,
        Self::SchedulerConfig,
        Self::Variables,
        Self::Namespaces,
        Self::NodePools,
        Self::Quotas,
        Self::Volumes,
        Self::Scaling,
    ];
}

/// Parts of a packed state that have come so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    pub id: u64,
    pub parts: Vec<Arc<Vec<u8>>>,
}

/// Everything the servers agree on. Reading: the methods of `read.rs`. Changing: those of `write.rs`, which keep rows, indexes, counts and usage in step.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The index of the newest command.
    index: u64,
    /// For each table the index of its newest change.
    indexes: [u64; TableId::COUNT],

    jobs: Table<JobKey, Job>,
    /// Children (of periodic and parameterized jobs) by parent.
    job_children: Index<JobKey, JobKey>,
    job_versions: Table<(JobKey, u64), Job>,
    submissions: Table<(JobKey, u64), JobSubmission>,
    summaries: Table<JobKey, JobSummary>,
    /// Of jobs whose counts were changed from outside.
    scaling: Table<JobKey, StoredScaling>,
    counts: OrdMap<JobKey, JobCounts>,

    /// Each with what schedulers ask of all of them.
    nodes: Rows<NodeId, (Arc<Node>, Profile)>,
    /// What allocations take up per node, kept as they come and go so that neither scheduler nor plan applier adds it up again.
    usage: Table<NodeId, Usage>,

    allocations: Table<AllocId, Allocation>,
    allocations_by_node: Index<NodeId, AllocId>,
    allocations_by_job: Index<JobKey, AllocId>,
    allocations_by_eval: Index<EvalId, AllocId>,
    allocations_by_deployment: Index<DeploymentId, AllocId>,

    evaluations: Table<EvalId, Evaluation>,
    evaluations_by_job: Index<JobKey, EvalId>,

    deployments: Table<DeploymentId, Deployment>,
    deployments_by_job: Index<JobKey, DeploymentId>,

    services: Table<Name, ServiceRegistration>,
    /// By (namespace, name).
    services_by_name: Index<(Name, Name), Name>,
    services_by_allocation: Index<AllocId, Name>,
    services_by_node: Index<NodeId, Name>,

    kv: Table<Name, KvEntry>,
    secrets: Table<Name, StoredSecret>,
    /// By (namespace, path).
    variables: Table<(Name, Name), StoredVariable>,
    keys: Table<KeyId, StoredKey>,
    ca: Option<Arc<StoredCa>>,
    scheduler_config: Arc<SchedulerConfig>,
    autopilot_config: Arc<AutopilotConfig>,
    /// Parts of another state that is to take this one's place.
    staged: Option<Staged>,

    /// Without those that are always there, unless they were changed.
    namespaces: Table<Name, Namespace>,
    /// The same.
    node_pools: Table<Name, NodePool>,
    volumes: Table<VolumeId, Volume>,
    volumes_by_node: Index<NodeId, VolumeId>,
    quotas: Table<Name, StoredQuota>,
    /// What the allocations of a namespace hold, for those namespaces that have a quota.
    quota_use: Table<Name, QuotaUse>,

    /// Jobs whose counts changed during the command that is being applied; empty between commands.
    touched_jobs: BTreeSet<JobKey>,
}
