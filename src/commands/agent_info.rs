//! `drover agent-info`

use anyhow::Result;
use serde_json::Value;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let agent = client.agent_self().await?.data;
            if self.shown.print(&agent)? {
                return Ok(Exit::Ok);
            }
            for (part, figures) in sorted(&agent["stats"]) {
                println!("{part}");
                for (name, figure) in sorted(figures) {
                    println!("  {name} = {}", figure.as_str().map_or_else(|| figure.to_string(), str::to_owned));
                }
            }
            Ok(Exit::Ok)
        })
    }
}

fn sorted(object: &Value) -> Vec<(&String, &Value)> {
    let mut pairs: Vec<_> = object.as_object().into_iter().flatten().collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs
}
