//! What an autoscaler reads.

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    method,
    view::{ScalingPolicy, ScalingPolicyStub},
};

/// Lists the scaling policies of jobs. The prefix is of ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScalingPolicyList {
    pub options: ReadOptions,
    /// Only those of this job; empty: of all.
    #[serde(default)]
    pub job: String,
    /// Only those whose type begins so; empty: all.
    #[serde(default)]
    pub kind: String,
}
method!(ScalingPolicyList, "scaling.policies", Read<Vec<ScalingPolicyStub>>);

/// Reads one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScalingPolicyGet {
    pub options: ReadOptions,
    pub id: String,
}
method!(ScalingPolicyGet, "scaling.policy", Read<Option<ScalingPolicy>>);
