//! `drover node pool list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Table},
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
            if self.json {
                output::json(&pools)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Name", "Description"]);
            pools.into_iter().for_each(|pool| table.row([pool.name, pool.description]));
            table.print();
            Ok(Exit::Ok)
        })
    }
}
