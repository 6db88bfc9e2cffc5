//! `drover operator raft remove-peer`

use anyhow::Result;

use super::Which;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let (key, value) = self.which.query()?;
        block_on(async {
            client.remove_peer(key, value).await?;
            println!("Removed peer with {key} {value:?}");
            Ok(Exit::Ok)
        })
    }
}
