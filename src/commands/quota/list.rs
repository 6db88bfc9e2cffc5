//! `drover quota list`

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
            let quotas = client.quotas().await?.data;
            if self.json {
                output::json(&quotas)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Name", "Description"]);
            quotas.into_iter().for_each(|quota| table.row([quota.name, quota.description]));
            table.print();
            Ok(Exit::Ok)
        })
    }
}
