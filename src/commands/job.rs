//! `drover job ...`

pub(crate) mod allocs;
pub(crate) mod deployments;
pub(crate) mod dispatch;
pub(crate) mod eval;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod periodic;
pub(crate) mod plan;
pub(crate) mod promote;
pub(crate) mod restart;
pub(crate) mod revert;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod validate;
pub(crate) mod why;

use anyhow::Result;
use drover_api::Client;

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

/// The id of the one job that `prefix` means.
pub(crate) async fn find(client: &Client, prefix: &str) -> Result<String> {
    let jobs = client.jobs(prefix).await?.data;
    Ok(context::unique("job", prefix, jobs, |job| job.id.to_string())?.id.to_string())
}
