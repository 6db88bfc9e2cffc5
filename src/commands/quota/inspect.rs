//! `drover quota inspect`

use anyhow::Result;
use serde::Serialize;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The quota's name
    name: String,
    #[command(flatten)]
    shown: Shown,
}

/// What is allowed and what is in use.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected<S, U> {
    spec: S,
    usage: U,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let (spec, usage) = (client.quota(&self.name).await?.data, client.quota_usage(&self.name).await?.data);
            self.shown.print_at_least_json(&Inspected { spec, usage })?;
            Ok(Exit::Ok)
        })
    }
}
