//! Why an allocation stands where it stands, or why it could not be placed.

use std::{borrow::Cow, time::Duration};

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::{
    ids::NodeId,
    job::Resources,
    json::{List, Map},
    time::nanos,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocMetric {
    pub nodes_evaluated: u32,
    pub nodes_filtered: u32,
    pub nodes_in_pool: u32,
    pub node_pool: String,
    /// Ready nodes by datacenter.
    pub nodes_available: Map<u32>,
    pub class_filtered: Map<u32>,
    pub constraint_filtered: Map<u32>,
    pub nodes_exhausted: u32,
    pub class_exhausted: Map<u32>,
    pub dimension_exhausted: Map<u32>,
    pub quota_exhausted: List<String>,
    /// What each task asked for that did not fit.
    pub resources_exhausted: Map<Resources>,
    pub scores: Map<f64>,
    /// The best nodes, at most five.
    pub score_meta_data: List<NodeScore>,
    #[serde(with = "nanos")]
    pub allocation_time: Duration,
    /// How many more of the same group failed for the same reasons.
    pub coalesced_failures: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeScore {
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "Scores")]
    pub scores: LiteMap<Cow<'static, str>, f64>,
    #[serde(rename = "NormScore")]
    pub norm_score: f64,
}
