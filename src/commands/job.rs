//! `drover job ...`

pub(crate) mod allocs;
pub(crate) mod deployments;
pub(crate) mod dispatch;
pub(crate) mod eval;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod periodic;
pub(crate) mod plan;
pub(crate) mod promote;
pub(crate) mod restart;
pub(crate) mod revert;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod scaling_events;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod tag;
pub(crate) mod validate;
pub(crate) mod why;

use anyhow::{Context, Result};
use drover_api::Client;
use drover_model::job::Job;

use crate::{context, verbs};

verbs! {
    /// Register a job, or a new version of it, and follow its deployment
    Run(run::Args),
    /// Say what `run` would change, and change nothing
    Plan(plan::Args),
    /// Check a job file
    Validate(validate::Args),
    /// Show jobs, or one job with its allocations
    Status(status::Args),
    /// Write an example of a job file
    Init(init::Args),
    /// Stop a job
    Stop(stop::Args),
    /// Start a job that was stopped
    Start(start::Args),
    /// Restart the allocations of a job, batch by batch
    Restart(restart::Args),
    /// Print a job's specification
    Inspect(inspect::Args),
    /// Show a job's versions
    History(history::Args),
    /// Bring an earlier version back
    Revert(revert::Args),
    /// Promote the canaries of a job's newest deployment
    Promote(promote::Args),
    /// Change how many allocations a group has
    Scale(scale::Args),
    /// Show what became of the counts of a job's groups
    ScalingEvents(scaling_events::Args),
    /// Names of versions
    #[command(subcommand)]
    Tag(tag::Command),
    /// Make a job of a parameterized one
    Dispatch(dispatch::Args),
    /// Launch periodic jobs
    #[command(subcommand)]
    Periodic(periodic::Command),
    /// Evaluate a job again
    Eval(eval::Args),
    /// List a job's allocations
    Allocs(allocs::Args),
    /// List a job's deployments
    Deployments(deployments::Args),
    /// Say in a sentence why a job is pending
    Why(why::Args),
}

/// The version of a job that is meant by its number or its tag.
pub(crate) async fn version(client: &Client, id: &str, named: &str) -> Result<Job> {
    version_among(&client.job_versions(id).await?.data.versions, id, named).cloned()
}

/// The same, where a job's versions are at hand.
pub(crate) fn version_among<'a>(versions: &'a [Job], id: &str, named: &str) -> Result<&'a Job> {
    let is_meant = |job: &&Job| match named.parse::<u64>() {
        Ok(number) => job.version == number,
        Err(_) => job.version_tag.as_ref().is_some_and(|tag| tag.name == named),
    };
    let found = versions.iter().find(is_meant);
    found.with_context(|| format!("job {id:?} has no version {named}; `drover job history {id}` lists them"))
}

/// The id of the one job that `prefix` means.
pub(crate) async fn find(client: &Client, prefix: &str) -> Result<String> {
    let jobs = client.jobs(prefix).await?.data;
    Ok(context::unique("job", prefix, jobs, |job| job.id.to_string())?.id.to_string())
}
