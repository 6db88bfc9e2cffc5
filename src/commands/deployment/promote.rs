//! `drover deployment promote`

use anyhow::Result;
use drover_api::Client;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The deployment's id, or the start of it
    deployment: String,
    /// Promote this group only
    #[arg(long = "group")]
    groups: Vec<String>,
    /// Return once the canaries are promoted
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
            promote(&client, &id, &self.groups, self.detach, self.verbose).await
        })
    }
}

pub(crate) async fn promote(client: &Client, id: &str, groups: &[String], detach: bool, verbose: bool) -> Result<Exit> {
    let promoted = client.promote(id, groups).await?.data;
    if detach || promoted.eval_id.is_empty() {
        println!("Deployment {id:?} promoted\nEvaluation ID: {}", promoted.eval_id);
        return Ok(Exit::Ok);
    }
    monitor::evaluation(client, &promoted.eval_id, verbose).await
}
