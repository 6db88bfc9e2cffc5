//! `drover job inspect`

use anyhow::{Context, Result};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// This version instead of the current one
    #[arg(long)]
    version: Option<u64>,
    /// Print JSON (the default)
    #[arg(long, hide = true)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let job = match self.version {
                None => client.job(&id).await?.data,
                Some(version) => {
                    let versions = client.job_versions(&id).await?.data.versions;
                    let found = versions.into_iter().find(|job| job.version == version);
                    found.with_context(|| format!("job {id:?} has no version {version}; `drover job history {id}` lists them"))?
                }
            };
            output::json(&serde_json::json!({ "Job": job }))?;
            Ok(Exit::Ok)
        })
    }
}
