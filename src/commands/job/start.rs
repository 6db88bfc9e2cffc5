//! `drover job start`

use anyhow::{Result, bail};
use drover_api::RegisterRequest;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::{Follow, done},
};

/// Exit codes are those of `job run`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The stopped job's id, or the start of it
    job: String,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let mut job = client.job_spec(&id).await?.data;
            if job.stop != Some(true) {
                bail!("job {id:?} is not stopped; `drover job run` registers another version of it, `drover job eval` looks at it again");
            }
            job.stop = Some(false);
            let submission = client.job_submission(&id, job.version.unwrap_or(0)).await?;
            let job_modify_index = job.job_modify_index.unwrap_or(0);
            // Whoever changed it since it was read here goes first.
            let request = RegisterRequest { submission, enforce_index: true, job_modify_index, ..RegisterRequest::new(job) };
            let registered = client.register(&request).await?.data;
            self.follow.evaluation(&client, &registered.eval_id, &done(&format!("Job {id:?} started"), &registered.eval_id)).await
        })
    }
}
