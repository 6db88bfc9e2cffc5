//! `drover secret delete`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path
    path: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            client.secret_delete(&self.path).await?;
            println!("Success! Deleted: {}", self.path);
            Ok(Exit::Ok)
        })
    }
}
