//! `drover node pool list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let pools = client.node_pools().await?.data;
            output::described(&pools, self.json, |pool| (&pool.name, &pool.description))?;
            Ok(Exit::Ok)
        })
    }
}
