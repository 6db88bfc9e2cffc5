//! A plan: what a scheduler wants to be changed, and what became of it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    allocation::{AllocMetric, Allocation, ClientStatus, DesiredStatus},
    deployment::{Deployment, DeploymentStatusUpdate},
    evaluation::Evaluation,
    ids::{AllocId, EvalId, Name, NodeId, optional},
    job::Job,
    json::List,
};

/// An allocation that a plan stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    pub id: AllocId,
    pub node_id: NodeId,
    pub desired_status: DesiredStatus,
    pub description: Name,
    /// Set when the servers know better than the client (its node is lost).
    pub client_status: Option<ClientStatus>,
    pub followup_eval: Option<EvalId>,
    /// For a preempted one: whom it made room for.
    pub preempted_by: Option<AllocId>,
}

/// What a scheduler wants to be changed. It was computed from a snapshot; the plan applier checks it against the newest state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub eval_id: Option<EvalId>,
    pub priority: u8,
    /// All of it or nothing.
    pub all_at_once: bool,
    /// The job in the version that was planned for.
    pub job: Option<Arc<Job>>,
    /// The state's index it was computed from.
    pub snapshot_index: u64,
    pub stops: Vec<Stop>,
    /// Changes that need no room: an allocation marked for a later reschedule, or updated in place in what does not touch its resources.
    pub updates: Vec<Allocation>,
    pub placements: Vec<Allocation>,
    pub deployment: Option<Deployment>,
    pub deployment_updates: Vec<DeploymentStatusUpdate>,
    pub annotations: Option<PlanAnnotations>,
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_noop(&self) -> bool {
        self.stops.is_empty()
            && self.updates.is_empty()
            && self.placements.is_empty()
            && self.deployment.is_none()
            && self.deployment_updates.is_empty()
    }
}

/// What was committed of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanResult {
    /// The index it was committed at; 0 when nothing was.
    pub index: u64,
    pub placed: Vec<AllocId>,
    /// Placements that no longer fit, by node.
    pub rejected_nodes: Vec<NodeId>,
    /// When not everything fitted: the planner must look at a state at least this new before it tries again.
    pub refresh_index: Option<u64>,
}

/// What a scheduler says beside its plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub plan: Plan,
    /// Evaluations to make: blocked ones, later reschedules.
    pub followups: Vec<Evaluation>,
    /// By group: why allocations could not be placed.
    pub failed: BTreeMap<Name, Arc<AllocMetric>>,
    /// By group: how many were not placed.
    pub queued: BTreeMap<Name, u32>,
}

/// What a plan would do, in numbers per group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanAnnotations {
    #[serde(rename = "DesiredTGUpdates")]
    pub desired_updates: BTreeMap<Name, DesiredUpdates>,
    #[serde(rename = "PreemptedAllocs")]
    pub preempted_allocations: List<PreemptedAllocation>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DesiredUpdates {
    pub ignore: u32,
    pub place: u32,
    pub migrate: u32,
    pub stop: u32,
    pub in_place_update: u32,
    pub destructive_update: u32,
    pub canary: u32,
    pub preemptions: u32,
    pub disconnect: u32,
    pub reconnect: u32,
    pub reschedule_now: u32,
    pub reschedule_later: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreemptedAllocation {
    #[serde(rename = "ID", with = "optional")]
    pub id: Option<AllocId>,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "TaskGroup")]
    pub task_group: Name,
}
