//! `drover job eval`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::Follow,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Reschedule failed allocations now, whatever their policy says
    #[arg(long)]
    force_reschedule: bool,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let evaluated = client.evaluate(&id, self.force_reschedule).await?.data;
            let created = format!("Created eval ID: {:?}", evaluated.eval_id);
            self.follow.evaluation(&client, &evaluated.eval_id, &created).await
        })
    }
}
