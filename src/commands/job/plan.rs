//! `drover job plan`

use std::sync::Arc;

use anyhow::Result;
use drover_model::plan::DesiredUpdates;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    jobfile::JobFile,
    monitor, output,
    output::diff,
};

/// Exit codes: 0 nothing would change, 1 something would, 255 could not be planned
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    file: JobFile,
    /// Do not show what changed in the specification
    #[arg(long)]
    no_diff: bool,
    /// Show what changed (the default)
    #[arg(long, hide = true)]
    diff: bool,
    /// Print the server's answer as JSON
    #[arg(long)]
    json_output: bool,
    /// Show fields that did not change too
    #[arg(long)]
    verbose: bool,
    /// Override soft policies
    #[arg(long, hide = true)]
    policy_override: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        match self.plan(reach) {
            Ok(exit) => Ok(exit),
            Err(error) => {
                let _ = crate::exit::fail(&error);
                Ok(Exit::PlanError)
            }
        }
    }

    fn plan(&self, reach: &Reach) -> Result<Exit> {
        let read = self.file.read(reach.namespace())?;
        let client = reach.client()?;
        let answer = block_on(async { Ok(client.plan(&read.job, !self.no_diff).await?.data) })?;
        if self.json_output {
            output::json(
                &serde_json::json!({ "Annotations": answer.annotations, "Diff": answer.diff, "JobModifyIndex": answer.job_modify_index }),
            )?;
        } else {
            if let Some(changes) = &answer.diff {
                diff::print(changes, self.verbose, reach.colours());
            }
            println!("\nScheduler dry-run:");
            match &answer.failed {
                Some(failed) if !failed.is_empty() => {
                    println!("- WARNING: Failed to place all allocations.");
                    let failed = failed.iter().map(|(group, metric)| (group.as_str().into(), Arc::new(metric.clone()))).collect();
                    monitor::print_failures(&failed);
                }
                _ => println!("- All tasks successfully allocated."),
            }
            if !answer.warnings.is_empty() {
                println!("\nWarnings:\n\n{}", answer.warnings);
            }
            println!("\nJob Modify Index: {}", answer.job_modify_index);
            println!(
                "To submit the job with version verification run:\n\n    drover job run -check-index {} {}",
                answer.job_modify_index,
                self.file.path()
            );
        }
        let updates = answer.annotations.map(|annotations| annotations.desired_updates).unwrap_or_default();
        Ok(if updates.values().any(changes) { Exit::Error } else { Exit::Ok })
    }
}

/// Whether a group's allocations would change.
fn changes(updates: &DesiredUpdates) -> bool {
    *updates
        != DesiredUpdates {
            ignore: updates.ignore,
            reconnect: updates.reconnect,
            reschedule_later: updates.reschedule_later,
            ..DesiredUpdates::default()
        }
}
