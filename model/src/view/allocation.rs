//! Allocations as lists and pages show them.

use std::{collections::BTreeMap, sync::Arc};

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::{
    allocation::{
        AllocDeploymentStatus, Allocation, ClientStatus, DesiredStatus, DesiredTransition, NetworkStatus, RescheduleTracker, TaskState,
    },
    ids::{AllocId, EvalId, Name, NodeId, optional},
    job::{JobType, Resources},
    json::{List, Map},
    resources::{AllocatedResources, AllocatedTask},
    time::UnixNanos,
};

/// An allocation in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllocationStub {
    #[serde(rename = "ID")]
    pub id: AllocId,
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    #[serde(rename = "Name")]
    pub name: Name,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "NodeName")]
    pub node_name: Name,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "JobType")]
    pub job_type: JobType,
    #[serde(rename = "JobVersion")]
    pub job_version: u64,
    #[serde(rename = "TaskGroup")]
    pub task_group: Name,
    #[serde(rename = "AllocatedResources", default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Arc<AllocatedResources>>,
    #[serde(rename = "DesiredStatus")]
    pub desired_status: DesiredStatus,
    #[serde(rename = "DesiredDescription")]
    pub desired_description: Name,
    #[serde(rename = "DesiredTransition")]
    pub desired_transition: DesiredTransition,
    #[serde(rename = "ClientStatus")]
    pub client_status: ClientStatus,
    #[serde(rename = "ClientDescription")]
    pub client_description: Name,
    #[serde(rename = "TaskStates")]
    pub task_states: Option<LiteMap<Name, TaskState>>,
    #[serde(rename = "DeploymentStatus")]
    pub deployment_status: Option<AllocDeploymentStatus>,
    #[serde(rename = "FollowupEvalID", with = "optional")]
    pub followup_eval_id: Option<EvalId>,
    #[serde(rename = "NextAllocation", with = "optional")]
    pub next_allocation: Option<AllocId>,
    #[serde(rename = "RescheduleTracker")]
    pub reschedule_tracker: Option<RescheduleTracker>,
    #[serde(rename = "PreemptedAllocations")]
    pub preempted_allocations: List<AllocId>,
    #[serde(rename = "PreemptedByAllocation", with = "optional")]
    pub preempted_by_allocation: Option<AllocId>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

impl AllocationStub {
    pub fn new(allocation: &Allocation, with_resources: bool, with_task_states: bool) -> Self {
        Self {
            id: allocation.id,
            eval_id: allocation.eval_id,
            name: allocation.name.clone(),
            namespace: allocation.namespace.clone(),
            node_id: allocation.node_id,
            node_name: allocation.node_name.clone(),
            job_id: allocation.job_id.clone(),
            job_type: allocation.job.kind,
            job_version: allocation.job.version,
            task_group: allocation.task_group.clone(),
            resources: with_resources.then(|| Arc::clone(&allocation.resources)),
            desired_status: allocation.desired_status,
            desired_description: allocation.desired_description.clone(),
            desired_transition: allocation.desired_transition,
            client_status: allocation.client_status,
            client_description: allocation.client_description.clone(),
            task_states: (with_task_states && !allocation.task_states.is_empty()).then(|| allocation.task_states.clone()),
            deployment_status: allocation.deployment_status,
            followup_eval_id: allocation.followup_eval_id,
            next_allocation: allocation.next_allocation,
            reschedule_tracker: allocation.reschedule_tracker.clone(),
            preempted_allocations: allocation.preempted_allocations.clone(),
            preempted_by_allocation: allocation.preempted_by_allocation,
            create_index: allocation.create_index,
            modify_index: allocation.modify_index,
            create_time: allocation.create_time,
            modify_time: allocation.modify_time,
        }
    }
}

/// An allocation with its resources in the older forms that readers of the API still look at.
#[derive(Clone, Debug, Serialize)]
pub struct AllocationDetail {
    #[serde(flatten)]
    allocation: Allocation,
    #[serde(rename = "Resources")]
    resources: Resources,
    #[serde(rename = "SharedResources")]
    shared_resources: Resources,
    #[serde(rename = "TaskResources")]
    task_resources: Map<Resources>,
}

impl From<&Allocation> for AllocationDetail {
    fn from(allocation: &Allocation) -> Self {
        let mut allocation = allocation.clone();
        // Always an object, whatever the client has reported.
        allocation.network_status.get_or_insert_with(NetworkStatus::default);
        let given = &allocation.resources;
        let shared = Resources {
            disk_mib: narrow(given.shared.disk_mib),
            networks: given.shared.networks.clone(),
            cpu_mhz: 0,
            memory_mib: 0,
            ..Resources::default()
        };
        let tasks: BTreeMap<String, Resources> = given.tasks.iter().map(|(name, task)| (name.to_string(), of_task(task))).collect();
        let mut total = shared.clone();
        for task in given.tasks.values() {
            let amounts = task.amounts();
            total.cpu_mhz = total.cpu_mhz.saturating_add(narrow(amounts.cpu_mhz));
            total.memory_mib = total.memory_mib.saturating_add(narrow(amounts.memory_mib));
            total.memory_max_mib = total.memory_max_mib.saturating_add(narrow(amounts.memory_max_mib));
            total.networks.extend(task.networks.iter().cloned());
        }
        Self { resources: total, shared_resources: shared, task_resources: tasks.into(), allocation }
    }
}

fn of_task(task: &AllocatedTask) -> Resources {
    Resources {
        cpu_mhz: narrow(task.cpu.cpu_mhz),
        cores: u32::try_from(task.cpu.reserved_cores.len()).unwrap_or(u32::MAX),
        memory_mib: narrow(task.memory.memory_mib),
        memory_max_mib: narrow(task.memory.memory_max_mib),
        networks: task.networks.clone(),
        ..Resources::default()
    }
}

fn narrow(amount: u64) -> u32 {
    u32::try_from(amount).unwrap_or(u32::MAX)
}
