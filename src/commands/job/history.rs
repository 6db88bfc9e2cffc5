//! `drover job history`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, date, diff},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Show what changed from version to version
    #[arg(short, long = "diffs")]
    p: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only this version
    #[arg(long)]
    version: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let path = format!("/v1/job/{id}/versions");
            let answer: drover_api::VersionsAnswer = client.get(&path, &[("diffs", if self.p { "true" } else { "false" })]).await?.data;
            let wanted = |version: u64| self.version.is_none_or(|only| only == version);
            if self.json {
                let versions: Vec<_> = answer.versions.iter().filter(|job| wanted(job.version)).collect();
                output::json(&versions)?;
                return Ok(Exit::Ok);
            }
            for (position, job) in answer.versions.iter().enumerate().filter(|(_, job)| wanted(job.version)) {
                let mut pairs = Pairs::default();
                pairs.add("Version", job.version).add("Stable", job.stable).add("Submit Date", date(job.submit_time));
                if let Some(tag) = &job.version_tag {
                    pairs.add("Tag Name", &tag.name);
                }
                pairs.print();
                if let Some(changes) = answer.diffs.get(position) {
                    diff::print(changes, false, reach.colours());
                }
                println!();
            }
            Ok(Exit::Ok)
        })
    }
}
