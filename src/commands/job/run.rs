//! `drover job run`

use anyhow::Result;
use drover_api::RegisterRequest;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    jobfile::JobFile,
    monitor::{Follow, done},
    output,
};

/// Exit codes: 0 deployed, 1 refused (nothing registered), 2 not all placed or deployment failed, 3 failed and reverted, 4 waits for a promotion
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    file: JobFile,
    /// Register only if the job's modify index is this (0: only a new job)
    #[arg(long, value_name = "INDEX")]
    check_index: Option<u64>,
    /// The priority of the evaluation (1 to 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    eval_priority: Option<u8>,
    /// Print the job as JSON and register nothing
    #[arg(long)]
    output: bool,
    /// Keep the counts that groups have now
    #[arg(long)]
    preserve_counts: bool,
    /// Keep the resources that tasks have now
    #[arg(long)]
    preserve_resources: bool,
    /// Override soft policies
    #[arg(long, hide = true)]
    policy_override: bool,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let read = self.file.read(reach.namespace())?;
        if self.output {
            output::json(&serde_json::json!({ "Job": read.job }))?;
            return Ok(Exit::Ok);
        }
        let request = RegisterRequest {
            submission: Some(read.submission),
            enforce_index: self.check_index.is_some(),
            job_modify_index: self.check_index.unwrap_or(0),
            preserve_counts: self.preserve_counts,
            preserve_resources: self.preserve_resources,
            eval_priority: self.eval_priority.unwrap_or(0),
            ..RegisterRequest::new(read.job)
        };
        let client = reach.client()?;
        block_on(async {
            let registered = client.register(&request).await?.data;
            if !registered.warnings.is_empty() {
                eprintln!("Warnings:\n\n{}\n", registered.warnings);
            }
            self.follow.evaluation(&client, &registered.eval_id, &done("Job registration successful", &registered.eval_id)).await
        })
    }
}
