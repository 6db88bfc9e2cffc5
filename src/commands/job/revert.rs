//! `drover job revert`

use anyhow::Result;
use drover_api::RevertRequest;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::{Follow, done},
};

/// Exit codes are those of `job run`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// The version to bring back: its number or its tag
    version: String,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let job_id = super::find(&client, &self.job).await?;
            let job_version = super::version(&client, &job_id, &self.version).await?.version;
            let request = RevertRequest { job_id, job_version, enforce_prior_version: None };
            let reverted = client.revert(&request).await?.data;
            self.follow.evaluation(&client, &reverted.eval_id, &done("Job reverted", &reverted.eval_id)).await
        })
    }
}
