//! Admission: from a job as somebody wrote it to one that the servers keep.

use std::sync::Arc;

use drover_model::{
    evaluation::{Evaluation, Trigger},
    ids::{EvalId, JobKey},
    job::{Job, JobSubmission},
    rpc::{
        Error,
        job::{JobRegister, JobRegistered, JobValidate, JobValidated},
    },
    spec::{
        JobSpec,
        admit::{admit, warnings_text},
    },
};

use super::{Desk, divisions};
use crate::{
    evaluations,
    fsm::command::{Applied, Command},
    state::State,
};

/// The largest text of a job file that is kept beside its job.
const MAX_SOURCE_BYTES: usize = 1 << 20;
/// The most allocations of one group.
pub(super) const MAX_COUNT: u32 = 50_000;

/// A job that passed, with what is odd about it.
pub(super) struct Admitted {
    pub(super) job: Job,
    pub(super) warnings: Vec<String>,
}

/// Checks everything that can be checked of a job, and fills in what servers add. User errors are 500: that is what the API's readers know.
pub(super) fn admitted(state: &State, mut spec: JobSpec) -> Result<Admitted, Vec<String>> {
    divisions::complete(state, &mut spec);
    let (job, warnings) = admit(spec).map_err(|errors| errors.errors)?;
    let mut errors = divisions::check(state, &job);
    for group in job.task_groups.iter().filter(|group| group.count > MAX_COUNT) {
        errors.push(format!("Task group {} has a count of {}, where {MAX_COUNT} is the most", group.name, group.count));
    }
    if errors.is_empty() { Ok(Admitted { job, warnings }) } else { Err(errors) }
}

/// Several errors in the form in which the API tells them.
pub(super) fn errors_text(errors: &[String]) -> String {
    let word = if errors.len() == 1 { "error" } else { "errors" };
    let lines: Vec<String> = errors.iter().map(|error| format!("\t* {error}\n")).collect();
    format!("{} {word} occurred:\n{}\n", errors.len(), lines.concat())
}

pub(super) fn validate(state: &State, message: JobValidate) -> JobValidated {
    match admitted(state, *message.job) {
        Ok(Admitted { warnings, .. }) => {
            JobValidated { driver_config_validated: true, warnings: warnings_text(&warnings), ..JobValidated::default() }
        }
        Err(errors) => {
            let error = errors_text(&errors);
            JobValidated { driver_config_validated: true, validation_errors: errors.into(), error, ..JobValidated::default() }
        }
    }
}

pub(super) async fn register(desk: Desk<'_>, message: JobRegister) -> Result<JobRegistered, Error> {
    let JobRegister { job, submission, enforce, preserve_counts, preserve_resources, eval_priority } = message;
    let Admitted { mut job, mut warnings } = {
        let state = desk.store.snapshot();
        refuse_when_closed(&state)?;
        let mut admitted = admitted(&state, *job).map_err(|errors| Error::internal(errors_text(&errors)))?;
        let current = state.job(&admitted.job.key());
        enforced(enforce, current.map(|job| job.job_modify_index))?;
        if let Some(current) = current {
            preserve(&mut admitted.job, current, preserve_counts, preserve_resources)?;
        }
        admitted
    };
    let submission = submission.and_then(|submission| kept(submission, &mut warnings));
    let evaluation = job.has_allocations().then(|| with_priority(&job, Trigger::JobRegister, eval_priority, desk));
    job.submit_time = desk.runtime.clock.now();
    let reply = commit(desk, job, submission, enforce, evaluation).await?;
    Ok(JobRegistered { warnings: warnings_text(&warnings), ..reply })
}

pub(super) fn refuse_when_closed(state: &State) -> Result<(), Error> {
    if state.scheduler_config().reject_job_registration {
        return Err(Error::new(403, "Job registration, dispatch, and scale are disabled by the scheduler configuration"));
    }
    Ok(())
}

/// An evaluation of a job, with another priority than the job's when somebody asked for that.
pub(super) fn with_priority(job: &Job, trigger: Trigger, priority: Option<u8>, desk: Desk<'_>) -> Evaluation {
    let evaluation = evaluations::for_job(job, trigger, &*desk.runtime.random);
    Evaluation { priority: priority.unwrap_or(evaluation.priority), ..evaluation }
}

fn enforced(expected: Option<u64>, found: Option<u64>) -> Result<(), Error> {
    let told = |message: String| Err(Error::internal(message));
    match (expected, found) {
        (None, _) | (Some(0), None) => Ok(()),
        (Some(0), Some(_)) => told("Enforcing job modify index 0: job already exists".to_owned()),
        (Some(expected), None) => told(format!("Enforcing job modify index {expected}: job does not exist")),
        (Some(expected), Some(found)) if expected == found => Ok(()),
        (Some(expected), Some(found)) => {
            told(format!("Enforcing job modify index {expected}: job exists with conflicting job modify index: {found}"))
        }
    }
}

fn preserve(job: &mut Job, current: &Job, counts: bool, resources: bool) -> Result<(), Error> {
    for group in job.task_groups.iter_mut() {
        let Some(known) = current.group(&group.name) else { continue };
        if counts {
            group.count = known.count;
        }
        if resources {
            for task in group.tasks.iter_mut() {
                if let Some(known) = known.task(&task.name) {
                    task.resources = known.resources.clone();
                }
            }
        }
    }
    Ok(())
}

fn kept(submission: JobSubmission, warnings: &mut Vec<String>) -> Option<JobSubmission> {
    let size = submission.source.len() + submission.variables.len();
    if size > MAX_SOURCE_BYTES {
        warnings.push(format!("job source size of {size} bytes exceeds maximum of {MAX_SOURCE_BYTES} bytes and will be discarded"));
        return None;
    }
    Some(submission)
}

/// Proposes a job as the newest version, with its evaluation.
pub(super) async fn commit(
    desk: Desk<'_>,
    job: Job,
    submission: Option<JobSubmission>,
    enforce: Option<u64>,
    evaluation: Option<Evaluation>,
) -> Result<JobRegistered, Error> {
    let eval_id = evaluation.as_ref().map(|evaluation| evaluation.id);
    let command = Command::JobRegister { job: Arc::new(job), submission, enforce, evaluation };
    accepted(desk.proposer.propose(command).await?, enforce, eval_id)
}

/// What a command that registers a job has come to.
pub(super) fn accepted(applied: Applied, enforce: Option<u64>, eval_id: Option<EvalId>) -> Result<JobRegistered, Error> {
    match applied {
        Applied::Conflict { found, .. } => {
            enforced(enforce, Some(found))?;
            Err(Error::internal("the job was changed at the same time; try again"))
        }
        applied => {
            let index = applied.accepted()?;
            let eval_create_index = if eval_id.is_some() { index } else { 0 };
            Ok(JobRegistered { eval_id, eval_create_index, job_modify_index: index, index, ..JobRegistered::default() })
        }
    }
}

/// A job that must be there for what is asked.
pub(super) fn existing<'a>(state: &'a State, key: &JobKey) -> Result<&'a Arc<Job>, Error> {
    // 500, where reading it would be 404: that is what the API's readers know.
    state.job(key).ok_or_else(|| Error::internal("job not found"))
}
