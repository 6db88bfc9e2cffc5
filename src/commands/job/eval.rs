//! `drover job eval`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Reschedule failed allocations now, whatever their policy says
    #[arg(long)]
    force_reschedule: bool,
    /// Return once the evaluation is made
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
            let id = super::find(&client, &self.job).await?;
            let evaluated = client.evaluate(&id, self.force_reschedule).await?.data;
            if self.detach {
                println!("Created eval ID: {:?}", evaluated.eval_id);
                return Ok(Exit::Ok);
            }
            monitor::evaluation(&client, &evaluated.eval_id, self.verbose).await
        })
    }
}
