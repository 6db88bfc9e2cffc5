//! `drover kv delete`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The key
    key: String,
    /// All keys that begin with it
    #[arg(long)]
    recurse: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            client.kv_delete(&self.key, self.recurse).await?;
            println!("Success! Deleted: {}", self.key);
            Ok(Exit::Ok)
        })
    }
}
