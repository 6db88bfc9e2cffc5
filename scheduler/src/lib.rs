//! From a snapshot and an evaluation to a plan: a function.
//!
//! What it is: for each kind of job a scheduler that compares what a job asks for with what runs (`reconcile`), decides where new
//! allocations go (`feasible`, `place`), and says why it could not ([`why`]). The plan applier's check is here too ([`fit`]), so that both mean
//! the same by "fits".
//!
//! What it must not know: clocks, randomness, async, files, networks. Time and chance are [`Inputs`]; the cluster is a [`Snapshot`].
//! The same arguments give the same plan, bit for bit.
//!
//! Where to start: [`schedule`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

use drover_model::{
    evaluation::{EvalType, Evaluation},
    plan::Outcome,
};

pub use error::Error;
pub use explain::{Reason, why};
pub use feasible::meets;
pub use fit::{HostPorts, Misfit, Usage, apply_check};
pub use inputs::{Inputs, Lane};
pub use quota::QuotaRoom;
pub use snapshot::{Algorithm, Config, Member, Preemption, Profile, Snapshot};
pub use volumes::{Claim, claims};

mod error;
mod explain;
mod feasible;
pub mod fit;
mod inputs;
mod kind;
mod place;
mod quota;
mod reconcile;
mod snapshot;
mod volumes;

/// What has to change so that a job's allocations are as the job asks.
pub fn schedule(snapshot: &dyn Snapshot, evaluation: &Evaluation, inputs: Inputs) -> Result<Outcome, Error> {
    let scheduler = kind::scheduler(evaluation.kind).ok_or(Error::NoScheduler(evaluation.kind))?;
    let key = evaluation.job_key();
    let job = snapshot.job(&key);
    if let Some(found) = job.as_ref().map(|job| EvalType::from(job.kind)).filter(|found| *found != evaluation.kind) {
        return Err(Error::TypeMismatch { job: key, asked: evaluation.kind, found });
    }
    Ok(scheduler.schedule(kind::Request { snapshot, evaluation, job, inputs }))
}
