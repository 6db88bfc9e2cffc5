//! `drover job why`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let report = client.job_why(&id).await?.data;
            if self.shown.print(&report)? {
                return Ok(Exit::Ok);
            }
            if report.groups.is_empty() {
                println!("{}", report.summary);
            }
            for (group, sentence) in &report.groups {
                println!("{group}: {sentence}");
            }
            Ok(Exit::Ok)
        })
    }
}
