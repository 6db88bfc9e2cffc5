//! `drover deployment fail`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::Follow,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The deployment's id, or the start of it
    deployment: String,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.deployment).await?;
            let failed = client.fail_deployment(&id).await?.data;
            println!("Deployment {id:?} failed");
            if let Some(version) = failed.reverted_job_version {
                println!("Rolling back to job version {version}");
            }
            // What follows a wanted failure is not an error of this command.
            self.follow.evaluation(&client, &failed.eval_id, "").await.map(|_| Exit::Ok)
        })
    }
}
