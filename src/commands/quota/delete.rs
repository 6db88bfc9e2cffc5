//! `drover quota delete`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The quota's name
    name: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            client.delete_quota(&self.name).await?;
            println!("Successfully deleted quota {:?}!", self.name);
            Ok(Exit::Ok)
        })
    }
}
