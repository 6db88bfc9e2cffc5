//! `drover node pool list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown},
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
            let pools = client.node_pools().await?.data;
            output::described(&pools, &self.shown, |pool| (&pool.name, &pool.description))?;
            Ok(Exit::Ok)
        })
    }
}
