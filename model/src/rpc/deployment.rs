//! What is asked about deployments, and what is done with them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    deployment::Deployment,
    ids::{AllocId, DeploymentId, EvalId, optional},
    method,
    view::AllocationStub,
};

/// Lists deployments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentList {
    pub options: ReadOptions,
}
method!(DeploymentList, "deployment.list", Read<Vec<Arc<Deployment>>>);

/// Reads one deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentGet {
    pub options: ReadOptions,
    pub id: DeploymentId,
}
method!(DeploymentGet, "deployment.get", Read<Option<Arc<Deployment>>>);

/// The allocations of a deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentAllocations {
    pub options: ReadOptions,
    pub id: DeploymentId,
}
method!(DeploymentAllocations, "deployment.allocations", Read<Vec<AllocationStub>>);

/// Promotes the canaries of these groups (none: of all).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentPromote {
    pub id: DeploymentId,
    pub groups: Option<Vec<String>>,
}
method!(DeploymentPromote, "deployment.promote", DeploymentChanged);

/// Marks a deployment as failed, which may revert the job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentFail {
    pub id: DeploymentId,
}
method!(DeploymentFail, "deployment.fail", DeploymentChanged);

/// Pauses a deployment, or lets it go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentPause {
    pub id: DeploymentId,
    pub pause: bool,
}
method!(DeploymentPause, "deployment.pause", DeploymentChanged);

/// Sets the health of allocations by hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentAllocHealth {
    pub id: DeploymentId,
    pub healthy: Vec<AllocId>,
    pub unhealthy: Vec<AllocId>,
}
method!(DeploymentAllocHealth, "deployment.alloc-health", DeploymentChanged);

/// Answers every change of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentChanged {
    #[serde(rename = "EvalID", with = "optional")]
    pub eval_id: Option<EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    pub eval_create_index: u64,
    #[serde(rename = "DeploymentModifyIndex")]
    pub deployment_modify_index: u64,
    #[serde(rename = "RevertedJobVersion")]
    pub reverted_job_version: Option<u64>,
    #[serde(rename = "Index")]
    pub index: u64,
}
