//! `drover deployment resume`

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
            let resumed = client.pause_deployment(&id, false).await?.data;
            println!("Deployment {id:?} resumed");
            self.follow.evaluation(&client, &resumed.eval_id, "").await
        })
    }
}
