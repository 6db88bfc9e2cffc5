//! `drover node eligibility`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The node's id, or the start of it
    node: String,
    /// The node takes new work
    #[arg(long, conflicts_with = "disable", required_unless_present = "disable")]
    enable: bool,
    /// The node takes no new work; what runs there goes on
    #[arg(long)]
    disable: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.node).await?.id.to_string();
            client.set_eligibility(&id, self.enable).await?;
            println!("Node {id:?} scheduling eligibility set: {}eligible for scheduling", if self.enable { "" } else { "in" });
            Ok(Exit::Ok)
        })
    }
}
