//! `drover job periodic force`

use anyhow::Result;

use crate::{
    commands::job,
    context::{Reach, block_on},
    exit::Exit,
    monitor::{Follow, done},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The periodic job's id, or the start of it
    job: String,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = job::find(&client, &self.job).await?;
            let forced = client.force_periodic(&id).await?.data;
            self.follow.evaluation(&client, &forced.eval_id, &done("Force periodic successful", &forced.eval_id)).await
        })
    }
}
