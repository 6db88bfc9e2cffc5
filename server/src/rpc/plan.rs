//! What registering a job would do: the scheduler runs on a copy of the state in which the job is registered already.

use std::sync::Arc;

use drover_model::{
    evaluation::{Evaluation, Trigger},
    job::Job,
    json::List,
    rpc::{
        Error,
        job::{JobPlan, JobPlanned},
    },
    spec::admit::warnings_text,
};
use drover_scheduler::Inputs;
use serde_json::Value;

use super::{
    Desk,
    register::{Admitted, admitted, errors_text, with_priority},
};
use crate::{
    fsm::{
        self,
        command::{COMMAND_VERSION, Command, Proposed},
    },
    state::State,
};

pub(super) fn plan(desk: Desk<'_>, message: JobPlan) -> Result<JobPlanned, Error> {
    let snapshot = desk.store.snapshot();
    let Admitted { job, warnings } = admitted(*message.job).map_err(|errors| Error::internal(errors_text(&errors)))?;
    let key = job.key();
    let current = snapshot.job(&key).cloned();
    let now = desk.runtime.clock.now();
    let evaluation = Evaluation { annotate_plan: true, ..with_priority(&job, Trigger::JobRegister, None, desk) };
    let mut state = State::clone(&snapshot);
    let index = state.index() + 1;
    let runs = job.has_allocations();
    let proposed = Command::JobRegister { job: Arc::new(job), submission: None, enforce: None, evaluation: None };
    fsm::apply(&mut state, index, Proposed { version: COMMAND_VERSION, at: now, command: proposed });
    let planned = state.job(&key).cloned().ok_or_else(|| Error::internal("the job could not be planned"))?;
    let inputs = Inputs { now, seed: desk.runtime.random.number() };
    let mut reply = JobPlanned {
        job_modify_index: current.as_ref().map_or(0, |job| job.job_modify_index),
        index: current.as_ref().map_or(snapshot.index(), |job| job.job_modify_index),
        warnings: warnings_text(&warnings),
        ..JobPlanned::default()
    };
    let mut annotations = None;
    if runs {
        let outcome = drover_scheduler::schedule(&state, &evaluation, inputs).map_err(|error| Error::internal(error.to_string()))?;
        annotations = outcome.plan.annotations;
        reply.created_evals = List(outcome.followups);
        reply.failed_groups = outcome.failed.into_iter().map(|(group, metric)| (group.to_string(), metric)).collect();
    }
    if message.diff {
        reply.diff = diff(current.as_deref(), &planned)?;
    }
    reply.annotations = annotations;
    Ok(reply)
}

/// What differs between two versions of a job.
pub(super) fn diff(_old: Option<&Job>, _new: &Job) -> Result<Value, Error> {
    Ok(Value::Null)
}
