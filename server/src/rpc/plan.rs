//! What registering a job would do: the scheduler runs on a copy of the state in which the job is registered already.

use std::sync::Arc;

use drover_model::{
    diff::{JobDiff, annotate, diff as job_diff},
    evaluation::{Evaluation, Trigger},
    job::Job,
    json::List,
    plan::PlanAnnotations,
    rpc::{
        Error,
        job::{JobPlan, JobPlanned},
    },
    spec::admit::warnings_text,
    time::UnixNanos,
};
use drover_scheduler::Inputs;
use jiff::{Timestamp, tz::TimeZone};
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
    periodic,
    state::State,
};

pub(super) fn plan(desk: Desk<'_>, message: JobPlan) -> Result<JobPlanned, Error> {
    let snapshot = desk.store.snapshot();
    let Admitted { job, warnings } = admitted(&snapshot, *message.job).map_err(|errors| Error::internal(errors_text(&errors)))?;
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
    let inputs = Inputs::alone(now, desk.runtime.random.number());
    let mut reply = JobPlanned {
        job_modify_index: current.as_ref().map_or(0, |job| job.job_modify_index),
        index: current.as_ref().map_or_else(|| snapshot.index(), |job| job.job_modify_index),
        warnings: warnings_text(&warnings),
        next_periodic_launch: next_launch(&planned, now),
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
        reply.diff = annotated_diff(current.as_deref(), &planned, annotations.as_ref())?;
    }
    reply.annotations = annotations;
    Ok(reply)
}

/// What differs between two versions of a job.
pub(super) fn diff(old: Option<&Job>, new: &Job) -> Result<Value, Error> {
    shown(&job_diff(old, Some(new), false))
}

fn annotated_diff(old: Option<&Job>, new: &Job, annotations: Option<&PlanAnnotations>) -> Result<Value, Error> {
    let mut diff = job_diff(old, Some(new), false);
    if let Some(annotations) = annotations {
        annotate(&mut diff, &annotations.desired_updates);
    }
    shown(&diff)
}

fn shown(diff: &JobDiff) -> Result<Value, Error> {
    serde_json::to_value(diff).map_err(|error| Error::internal(format!("the difference cannot be written: {error}")))
}

/// The next launch in the job's own time zone; none for jobs that the clock does not launch.
fn next_launch(job: &Job, now: UnixNanos) -> Option<String> {
    let at = periodic::next_launch(job, now)?;
    let zone = job.periodic.as_ref().map_or("UTC", |periodic| periodic.time_zone.as_str());
    let zone = if zone.is_empty() { TimeZone::UTC } else { TimeZone::get(zone).unwrap_or(TimeZone::UTC) };
    let zoned = Timestamp::from_nanosecond(i128::from(at.0)).ok()?.to_zoned(zone);
    Some(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}
