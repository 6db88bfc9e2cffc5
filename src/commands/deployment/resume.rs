//! `drover deployment resume`

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
            let resumed = client.pause_deployment(&id, false).await?.data;
            println!("Deployment {id:?} resumed");
            if self.detach || resumed.eval_id.is_empty() {
                return Ok(Exit::Ok);
            }
            monitor::evaluation(&client, &resumed.eval_id, self.verbose).await
        })
    }
}
