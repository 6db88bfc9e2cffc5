//! `drover job history`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Pairs, Shown, date, diff},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Show what changed from version to version
    #[arg(short, long = "diffs")]
    p: bool,
    #[command(flatten)]
    shown: Shown,
    /// Only this version: its number or its tag
    #[arg(long)]
    version: Option<String>,
    /// Show what differs from this version
    #[arg(long, value_name = "VERSION", conflicts_with = "diff_tag")]
    diff_version: Option<u64>,
    /// Show what differs from the version of this tag
    #[arg(long, value_name = "TAG")]
    diff_tag: Option<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let against = self.diff_version.map(|version| version.to_string()).or(self.diff_tag);
            let answer = client.job_history(&id, self.p || against.is_some(), against.as_deref()).await?.data;
            let only = match &self.version {
                Some(named) => Some(super::version_among(&answer.versions, &id, named)?.version),
                None => None,
            };
            let wanted = |version: u64| only.is_none_or(|only| only == version);
            let versions: Vec<_> = answer.versions.iter().filter(|job| wanted(job.version)).collect();
            if self.shown.print(&versions)? {
                return Ok(Exit::Ok);
            }
            for (position, job) in answer.versions.iter().enumerate().filter(|(_, job)| wanted(job.version)) {
                let mut pairs = Pairs::default();
                pairs.add("Version", job.version).add("Stable", job.stable).add("Submit Date", date(job.submit_time));
                if let Some(tag) = &job.version_tag {
                    pairs.add("Tag Name", &tag.name).add("Tag Time", date(tag.tagged_time));
                    if !tag.description.is_empty() {
                        pairs.add("Tag Description", &tag.description);
                    }
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
