//! `drover server force-leave`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The server's name, as `server members` shows it
    node: String,
    /// Do not list it as one that left, either
    #[arg(long)]
    prune: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            client.force_leave(&self.node, self.prune).await?;
            Ok(Exit::Ok)
        })
    }
}
