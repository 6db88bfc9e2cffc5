//! What keeps an evaluation from being scheduled at all.

use drover_model::{evaluation::EvalType, ids::JobKey};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The caller runs these itself.
    #[error("evaluations of type {0:?} are not scheduled by a job scheduler")]
    NoScheduler(EvalType),
    /// The job's type was changed between two versions, which registration refuses; an old evaluation may still say the other type.
    #[error("evaluation of job {job} is of type {asked:?} but the job is of type {found:?}: evaluate the job again")]
    TypeMismatch { job: JobKey, asked: EvalType, found: EvalType },
}
