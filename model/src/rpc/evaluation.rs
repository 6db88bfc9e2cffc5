//! What is asked about evaluations.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    evaluation::Evaluation,
    ids::EvalId,
    method,
    view::{AllocationStub, EvaluationDetail},
};

/// Lists evaluations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluationList {
    pub options: ReadOptions,
    /// Only those of this job.
    pub job: Option<String>,
    /// Only those in this state.
    pub status: Option<String>,
}
method!(EvaluationList, "evaluation.list", Read<Vec<Arc<Evaluation>>>);

/// Reads one evaluation; with `related`, also those that led to it or came of it, in brief.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluationGet {
    pub options: ReadOptions,
    pub id: EvalId,
    pub related: bool,
}
method!(EvaluationGet, "evaluation.get", Read<Option<EvaluationDetail>>);

/// The allocations that an evaluation placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluationAllocations {
    pub options: ReadOptions,
    pub id: EvalId,
}
method!(EvaluationAllocations, "evaluation.allocations", Read<Vec<AllocationStub>>);
