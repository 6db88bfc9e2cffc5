//! `drover deployment fail`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The deployment's id, or the start of it
    deployment: String,
    /// Return once the servers know
    #[arg(long)]
    detach: bool,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
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
            if self.detach || failed.eval_id.is_empty() {
                return Ok(Exit::Ok);
            }
            // What follows a wanted failure is not an error of this command.
            monitor::evaluation(&client, &failed.eval_id, self.verbose).await.map(|_| Exit::Ok)
        })
    }
}
