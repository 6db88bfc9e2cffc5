//! `drover job allocs`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Those of earlier jobs of this name too
    #[arg(long)]
    all: bool,
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
            let allocations = client.job_allocations(&id, self.all).await?.data;
            if !self.shown.print(&allocations)? {
                super::status::print_allocations(&allocations, self.verbose, reach.colours());
            }
            Ok(Exit::Ok)
        })
    }
}
