//! `drover job deployments`

use anyhow::Result;

use crate::{
    commands::deployment::list::print,
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    #[command(flatten)]
    shown: Shown,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let deployments = client.job_deployments(&id).await?.data;
            if !self.shown.print(&deployments)? {
                print(&deployments, self.verbose, reach.colours())
            }
            Ok(Exit::Ok)
        })
    }
}
