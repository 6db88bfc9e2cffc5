//! `drover job promote`

use anyhow::{Context, Result};

use crate::{
    commands::deployment::promote::promote,
    context::{Reach, block_on},
    exit::Exit,
    monitor::Follow,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
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
            let id = super::find(&client, &self.job).await?;
            let deployment = client.job_latest_deployment(&id).await?.data;
            let deployment = deployment.with_context(|| format!("job {id:?} has no deployment to promote"))?;
            promote(&client, &deployment.id.to_string(), &self.groups, self.follow).await
        })
    }
}
