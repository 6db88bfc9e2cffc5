//! `drover eval status`

use anyhow::Result;

use crate::{
    commands::job::status::print_allocations,
    context::{Reach, block_on, even, unique},
    exit::Exit,
    monitor,
    output::{self, Pairs, Shown, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The evaluation's id, or the start of it
    evaluation: String,
    /// Follow it, and its deployment, to the end
    #[arg(long)]
    monitor: bool,
    #[command(flatten)]
    shown: Shown,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            let mut matching = client.evaluations(even(&self.evaluation)).await?.data;
            matching.retain(|e| e.id.to_string().starts_with(&self.evaluation));
            let evaluation = unique("evaluation", &self.evaluation, matching, |e| e.id.to_string())?;
            let id = evaluation.id.to_string();
            if self.monitor {
                return monitor::evaluation(&client, &id, self.verbose).await;
            }
            if self.shown.print(&evaluation)? {
                return Ok(Exit::Ok);
            }
            let trigger = serde_json::to_value(evaluation.triggered_by)?;
            let mut pairs = Pairs::default();
            pairs.add("ID", output::id(&id, self.verbose)).add("Status", output::status(evaluation.status.as_str(), colours));
            pairs.add(
                "Status Description",
                if evaluation.status_description.is_empty() { "<none>" } else { &evaluation.status_description },
            );
            pairs.add("Triggered By", trigger.as_str().unwrap_or_default()).add("Job ID", &evaluation.job_id);
            pairs.add("Priority", evaluation.priority).add("Placement Failures", !evaluation.failed_tg_allocs.is_empty());
            for (key, linked) in [
                ("Previous Eval", evaluation.previous_eval),
                ("Next Eval", evaluation.next_eval),
                ("Blocked Eval", evaluation.blocked_eval),
            ] {
                if let Some(linked) = linked {
                    pairs.add(key, output::id(linked, self.verbose));
                }
            }
            pairs.print();
            if !evaluation.failed_tg_allocs.is_empty() {
                heading("Failed Placements", colours);
                monitor::print_failures(&evaluation.failed_tg_allocs);
            }
            print_allocations(&client.evaluation_allocations(&id).await?.data, self.verbose, colours);
            Ok(Exit::Ok)
        })
    }
}
