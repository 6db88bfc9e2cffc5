//! Scaling policies: what jobs say of how autoscalers may scale them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ids::Name, json::Map};

/// A policy in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScalingPolicyStub {
    /// Made of the target: the same in every version of the job.
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Enabled")]
    pub enabled: bool,
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(rename = "Target")]
    pub target: ScalingTarget,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
}

/// What is scaled: a group's count, or a resource of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalingTarget {
    pub namespace: Name,
    pub job: Name,
    pub group: Name,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub task: String,
}

/// All of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScalingPolicy {
    #[serde(flatten)]
    pub stub: ScalingPolicyStub,
    #[serde(rename = "Min")]
    pub min: Option<i64>,
    #[serde(rename = "Max")]
    pub max: Option<i64>,
    /// As the job says it; autoscalers know what it means.
    #[serde(rename = "Policy")]
    pub policy: Map<Value>,
}
