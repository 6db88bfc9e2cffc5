//! What became of the counts of a job's groups, and who asked for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::{EvalId, JobKey, Name},
    json::{List, Map, null_is_default},
    time::UnixNanos,
};

/// A change of a group's count, or a note of somebody who might have changed it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalingEvent {
    pub time: UnixNanos,
    /// None: only a note.
    pub count: Option<i64>,
    pub previous_count: i64,
    pub error: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub message: String,
    pub meta: Map<Value>,
    #[serde(rename = "EvalID")]
    pub eval_id: Option<EvalId>,
    pub create_index: u64,
}

/// The newest events of a job's groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredScaling {
    pub key: JobKey,
    /// Newest first.
    #[serde(default)]
    pub groups: BTreeMap<Name, List<ScalingEvent>>,
}
