//! `drover scaling policy info`

use anyhow::Result;

use super::target;
use crate::{
    context::{Reach, block_on, unique},
    exit::Exit,
    output::{self, Pairs, Shown, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The policy's id, or the start of it
    policy: String,
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
            let matching = client.scaling_policies(&self.policy, "", "").await?.data;
            let id = unique("scaling policy", &self.policy, matching, |policy| policy.id.clone())?.id;
            let policy = client.scaling_policy(&id).await?.data;
            if self.shown.print(&policy)? {
                return Ok(Exit::Ok);
            }
            let bound = |bound: Option<i64>| bound.map_or_else(|| "<none>".to_owned(), |bound| bound.to_string());
            let mut pairs = Pairs::default();
            pairs.add("ID", output::id(&policy.stub.id, self.verbose)).add("Enabled", policy.stub.enabled).add("Type", &policy.stub.kind);
            pairs.add("Target", target(&policy.stub.target)).add("Min", bound(policy.min)).add("Max", bound(policy.max));
            pairs.print();
            if !policy.policy.is_empty() {
                heading("Policy", reach.colours());
                output::json(&policy.policy)?;
            }
            Ok(Exit::Ok)
        })
    }
}
