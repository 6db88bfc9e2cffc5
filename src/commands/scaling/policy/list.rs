//! `drover scaling policy list`

use anyhow::Result;

use super::target;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only those of this job
    #[arg(long, value_name = "JOB", default_value = "", hide_default_value = true)]
    job: String,
    /// Only those of this type, such as horizontal
    #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true)]
    kind: String,
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
            let policies = client.scaling_policies("", &self.job, &self.kind).await?.data;
            if self.shown.print(&policies)? {
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["ID", "Enabled", "Type", "Target"]);
            for policy in &policies {
                table.row([output::id(&policy.id, self.verbose), policy.enabled.to_string(), policy.kind.clone(), target(&policy.target)]);
            }
            if table.is_empty() {
                println!("No policies found")
            } else {
                table.print()
            }
            Ok(Exit::Ok)
        })
    }
}
