//! `drover job tag unset`

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
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = job::find(&client, &self.job).await?;
            client.untag_version(&id, &self.name).await?;
            println!("No version of job {id:?} is tagged {:?} any more", self.name);
            Ok(Exit::Ok)
        })
    }
}
