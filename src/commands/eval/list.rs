//! `drover eval list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only those of this job
    #[arg(long)]
    job: Option<String>,
    /// Only those in this status
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    shown: Shown,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let mut evaluations = client.evaluations("").await?.data;
            evaluations.retain(|e| self.job.as_deref().is_none_or(|job| *job == *e.job_id));
            evaluations.retain(|e| self.status.as_deref().is_none_or(|status| status == e.status.as_str()));
            if self.shown.print(&evaluations)? {
                return Ok(Exit::Ok);
            }
            evaluations.sort_by_key(|e| std::cmp::Reverse(e.create_index));
            let mut table = Table::new(["ID", "Priority", "Triggered By", "Job ID", "Namespace", "Status", "Placement Failures"]);
            for evaluation in evaluations {
                let trigger = serde_json::to_value(evaluation.triggered_by)?;
                table.row([
                    output::id(evaluation.id, self.verbose),
                    evaluation.priority.to_string(),
                    trigger.as_str().unwrap_or_default().to_owned(),
                    evaluation.job_id.to_string(),
                    evaluation.namespace.to_string(),
                    output::status(evaluation.status.as_str(), reach.colours()),
                    (!evaluation.failed_tg_allocs.is_empty()).to_string(),
                ]);
            }
            if table.is_empty() {
                println!("No evals found")
            } else {
                table.print()
            }
            Ok(Exit::Ok)
        })
    }
}
