//! `drover job tag apply`

use anyhow::Result;

use crate::{
    commands::job,
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// The name
    #[arg(long)]
    name: String,
    /// What is to be known of the version
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// The version; the newest one if none is given
    #[arg(long)]
    version: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = job::find(&client, &self.job).await?;
            let version = match self.version {
                Some(version) => version,
                None => client.job(&id).await?.data.version,
            };
            client.tag_version(&id, &self.name, Some(version), &self.description).await?;
            println!("Version {version} of job {id:?} is tagged {:?}", self.name);
            Ok(Exit::Ok)
        })
    }
}
