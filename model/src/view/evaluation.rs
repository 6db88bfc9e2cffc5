//! Evaluations as pages show them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::{DeploymentId, EvalId, Name, NodeId, optional},
    time::{Rfc3339, UnixNanos},
};

/// An evaluation, with those that led to it or came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluationDetail {
    #[serde(flatten)]
    pub evaluation: Arc<Evaluation>,
    #[serde(rename = "RelatedEvals", default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<EvaluationStub>,
}

/// An evaluation in brief.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationStub {
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
    #[serde(rename = "NodeID", with = "optional")]
    pub node_id: Option<NodeId>,
    #[serde(rename = "DeploymentID", with = "optional")]
    pub deployment_id: Option<DeploymentId>,
    #[serde(rename = "Status")]
    pub status: EvalStatus,
    #[serde(rename = "StatusDescription")]
    pub status_description: String,
    #[serde(rename = "WaitUntil")]
    pub wait_until: Rfc3339,
    #[serde(rename = "NextEval", with = "optional")]
    pub next_eval: Option<EvalId>,
    #[serde(rename = "PreviousEval", with = "optional")]
    pub previous_eval: Option<EvalId>,
    #[serde(rename = "BlockedEval", with = "optional")]
    pub blocked_eval: Option<EvalId>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

impl From<&Evaluation> for EvaluationStub {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            id: evaluation.id,
            namespace: evaluation.namespace.clone(),
            priority: evaluation.priority,
            kind: evaluation.kind,
            triggered_by: evaluation.triggered_by,
            job_id: evaluation.job_id.clone(),
            node_id: evaluation.node_id,
            deployment_id: evaluation.deployment_id,
            status: evaluation.status,
            status_description: evaluation.status_description.clone(),
            wait_until: evaluation.wait_until,
            next_eval: evaluation.next_eval,
            previous_eval: evaluation.previous_eval,
            blocked_eval: evaluation.blocked_eval,
            create_index: evaluation.create_index,
            modify_index: evaluation.modify_index,
            create_time: evaluation.create_time,
            modify_time: evaluation.modify_time,
        }
    }
}
