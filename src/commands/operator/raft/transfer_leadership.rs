//! `drover operator raft transfer-leadership`

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
            let done = client.transfer_leadership(key, value).await?.data;
            if done.noop {
                println!("The server at {} leads already", done.to.address);
            } else {
                println!("Transferred leadership to peer with {key} {value:?}");
            }
            Ok(Exit::Ok)
        })
    }
}
