//! `drover job why`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let reasons = client.job_why(&id).await?.data;
            if self.json {
                output::json(&reasons)?;
                return Ok(Exit::Ok);
            }
            let groups = reasons.as_array().cloned().unwrap_or_default();
            if groups.is_empty() {
                println!("Nothing of {id} is pending");
            }
            for group in groups {
                println!("{}: {}", group["TaskGroup"].as_str().unwrap_or("?"), group["Reason"].as_str().unwrap_or("?"));
            }
            Ok(Exit::Ok)
        })
    }
}
