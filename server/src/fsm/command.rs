//! Everything that can change the state, each with all that applying it needs: its time, its new ids, its decisions.
//!
//! A command is checked before it is proposed, and what depends on the newest state (a check-and-set index, say) again when it is applied, where the
//! answer may be a refusal that changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{AllocationBatch, AllocationReport, DesiredTransition},
    deployment::{Deployment, DeploymentStatusUpdate},
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, EvalId, JobKey, KeyId, Name, NodeId, VolumeId},
    job::{Job, JobSubmission, ScalingEvent},
    kv::SealedVersion,
    namespace::{Namespace, NodePool},
    node::{DrainStrategy, Eligibility, LastDrain, Node, NodeEvent, NodeStatus},
    plan::Stop,
    quota::StoredQuota,
    rpc::autopilot::AutopilotConfig,
    service::ServiceRegistration,
    time::UnixNanos,
    variable::{LockTerms, SealedItems},
    volume::Volume,
};
use serde::{Deserialize, Serialize};

/// The version of commands in the log. A newer one than this binary's is refused when the log is opened.
pub const COMMAND_VERSION: u16 = 4;

/// One command with the moment it was proposed at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposed {
    pub version: u16,
    pub at: UnixNanos,
    pub command: Command,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Registers a job or a new version of it. `enforce` is the index its current version must have (0: it must not exist).
    JobRegister {
        job: Arc<Job>,
        submission: Option<JobSubmission>,
        enforce: Option<u64>,
        evaluation: Option<Evaluation>,
    },
    /// Stops a job; with `purge`, forgets it.
    JobDeregister {
        key: JobKey,
        purge: bool,
        no_shutdown_delay: bool,
        evaluation: Option<Evaluation>,
    },
    /// Says that a version of a job ran well (or did not).
    JobStability {
        key: JobKey,
        version: u64,
        stable: bool,
    },
    /// Changes the count of a group, or only notes what somebody says of it. Since version 4, as the next one.
    JobScale(Box<ScaleStep>),
    /// Gives a version of a job a name, or takes the name away.
    JobTag {
        key: JobKey,
        name: String,
        /// The version and what is said of it; none takes the name away.
        tag: Option<(u64, String)>,
    },
    /// Forgets jobs, with their versions, summaries and submissions.
    JobsForget {
        keys: Vec<JobKey>,
    },

    NodeRegister {
        node: Box<Node>,
    },
    NodeStatus {
        id: NodeId,
        status: NodeStatus,
        event: Option<NodeEvent>,
        evaluations: Vec<Evaluation>,
    },
    NodeDrain {
        id: NodeId,
        drain: Option<DrainStrategy>,
        mark_eligible: bool,
        last_drain: Option<LastDrain>,
        event: Option<NodeEvent>,
        evaluations: Vec<Evaluation>,
    },
    NodeEligibility {
        id: NodeId,
        eligibility: Eligibility,
        event: Option<NodeEvent>,
        evaluations: Vec<Evaluation>,
    },
    NodesForget {
        ids: Vec<NodeId>,
        evaluations: Vec<Evaluation>,
    },

    EvaluationsUpsert {
        evaluations: Vec<Evaluation>,
    },
    /// Forgets evaluations and allocations that have ended.
    EvaluationsForget {
        evaluations: Vec<EvalId>,
        allocations: Vec<AllocId>,
    },

    /// What clients report of their allocations, and the evaluations that follow from it.
    AllocationsReport {
        node_id: NodeId,
        reports: Vec<AllocationReport>,
        evaluations: Vec<Evaluation>,
    },
    /// Asks for allocations to be moved, rescheduled, ...
    AllocationsTransition {
        transitions: BTreeMap<AllocId, DesiredTransition>,
        evaluations: Vec<Evaluation>,
    },

    /// The part of a plan that the plan applier found to fit.
    PlanApply(Box<PlanApply>),

    DeploymentStatus {
        update: DeploymentStatusUpdate,
        job: Option<Arc<Job>>,
        evaluation: Option<Evaluation>,
    },
    /// Promotes the canaries of these groups (none: of all).
    DeploymentPromote {
        id: DeploymentId,
        groups: Option<Vec<String>>,
        evaluation: Option<Evaluation>,
    },
    DeploymentAllocHealth {
        id: DeploymentId,
        healthy: Vec<AllocId>,
        unhealthy: Vec<AllocId>,
        update: Option<DeploymentStatusUpdate>,
        job: Option<Arc<Job>>,
        evaluation: Option<Evaluation>,
    },
    DeploymentsForget {
        ids: Vec<DeploymentId>,
    },
    /// Lets changed texts of templates into further allocations. Since version 3.
    TemplateTurns(Box<TemplateTurns>),

    ServicesUpsert {
        services: Vec<ServiceRegistration>,
    },
    ServicesRemove {
        ids: Vec<String>,
    },

    /// `check` is the index that the key must have (0: it must not exist).
    KvPut {
        key: String,
        value: Vec<u8>,
        flags: u64,
        check: Option<u64>,
    },
    KvDelete {
        key: String,
        recurse: bool,
        check: Option<u64>,
    },

    /// Adds a version of a secret. `check` is the version that must be the newest (0: none).
    SecretPut {
        path: String,
        version: Box<SealedVersion>,
        check: Option<u64>,
    },
    SecretDelete {
        path: String,
    },

    /// Writes a variable; with `acquire`, locks it too. `sealed` may be missing only then, and keeps what is there. `holder` is the lock that the writer has.
    VariablePut {
        namespace: Name,
        path: Name,
        sealed: Option<Box<SealedItems>>,
        check: Option<u64>,
        holder: String,
        acquire: Option<LockTerms>,
    },
    VariableDelete {
        namespace: Name,
        path: Name,
        check: Option<u64>,
        holder: String,
    },
    /// Renews a lock, or gives it up.
    VariableLock {
        namespace: Name,
        path: Name,
        id: String,
        release: bool,
    },

    KeyUpsert {
        key: Box<crate::identity::StoredKey>,
    },
    KeyRemove {
        id: KeyId,
    },
    CaUpsert {
        ca: Box<crate::identity::StoredCa>,
    },

    NamespacePut {
        namespace: Box<Namespace>,
    },
    NamespaceDelete {
        name: String,
    },
    NodePoolPut {
        pool: Box<NodePool>,
    },
    NodePoolDelete {
        name: String,
    },
    /// Since version 3, as the next one.
    QuotaPut {
        quota: Box<StoredQuota>,
    },
    QuotaDelete {
        name: String,
    },
    /// Since version 3, as the next one.
    VolumePut {
        volume: Box<Volume>,
    },
    VolumeDelete {
        namespace: Name,
        id: VolumeId,
    },

    SchedulerConfig {
        config: Box<crate::state::SchedulerConfig>,
        check: Option<u64>,
    },
    AutopilotConfig {
        config: Box<AutopilotConfig>,
        check: Option<u64>,
    },

    /// A part of a packed state, of `of`; with the last one, that state takes this one's place.
    StateRestore {
        id: u64,
        part: u32,
        of: u32,
        #[serde(with = "drover_model::rpc::as_bytes")]
        data: Vec<u8>,
    },
}

/// The fitting part of a plan, each job in it written once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanApply {
    pub eval_id: Option<EvalId>,
    pub stops: Vec<Stop>,
    /// New allocations and changed ones, with their jobs.
    pub allocations: AllocationBatch,
    pub deployment: Option<Deployment>,
    pub deployment_updates: Vec<DeploymentStatusUpdate>,
    /// For preempted allocations' jobs.
    pub evaluations: Vec<Evaluation>,
}

/// A change of a group's count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleStep {
    pub key: JobKey,
    pub group: Name,
    pub event: ScalingEvent,
    /// With its new count; none: nothing changes.
    pub job: Option<Arc<Job>>,
    /// The index that the job's current version must have.
    pub enforce: Option<u64>,
    pub evaluation: Option<Evaluation>,
}

/// A step of a deployment of templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateTurns {
    /// As it begins with this step, or as it goes on.
    pub deployment: Deployment,
    /// Whose turn it is.
    pub turns: Vec<AllocId>,
    /// Whose turn is over, because nobody can say how it went.
    pub revoked: Vec<AllocId>,
}

/// What applying a command answers. Refusals have changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// Done, at this index.
    At { index: u64 },
    /// A check-and-set index did not match.
    Conflict { index: u64, found: u64 },
    /// What it is about is not there (any more), or no longer allows it.
    Refused { index: u64, status: u16, message: String },
}
