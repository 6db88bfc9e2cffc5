//! `drover deployment promote`

use anyhow::Result;
use drover_api::Client;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::{Follow, done},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The deployment's id, or the start of it
    deployment: String,
    /// Promote this group only
    #[arg(long = "group")]
    groups: Vec<String>,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.deployment).await?;
            promote(&client, &id, &self.groups, self.follow).await
        })
    }
}

pub(crate) async fn promote(client: &Client, id: &str, groups: &[String], follow: Follow) -> Result<Exit> {
    let promoted = client.promote(id, groups).await?.data;
    follow.evaluation(client, &promoted.eval_id, &done(&format!("Deployment {id:?} promoted"), &promoted.eval_id)).await
}
