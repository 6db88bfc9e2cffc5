//! `drover job inspect`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// This version instead of the current one: its number or its tag
    #[arg(long)]
    version: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let job = match &self.version {
                None => client.job(&id).await?.data,
                Some(version) => super::version(&client, &id, version).await?,
            };
            if !self.shown.through_template(&job)? {
                output::json(&serde_json::json!({ "Job": job }))?;
            }
            Ok(Exit::Ok)
        })
    }
}
