//! `drover kv put`

use anyhow::{Result, bail};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The key, such as shop/flags/beta
    key: String,
    /// The value; `@FILE` reads a file, `-` standard input
    value: String,
    /// Only when the index of the key is this (0: only when there is no such key)
    #[arg(long, value_name = "INDEX")]
    cas: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let value = crate::context::value(&self.value)?;
            if !client.kv_put(&self.key, value, self.cas).await? {
                bail!("{} was not written: its index is not {}", self.key, self.cas.unwrap_or(0));
            }
            println!("Success! Data written to: {}", self.key);
            Ok(Exit::Ok)
        })
    }
}
