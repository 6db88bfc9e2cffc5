//! `drover kv get`

use std::io::Write;

use anyhow::{Context, Result};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The key
    key: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let entry = client.kv_get(&self.key).await?.with_context(|| format!("there is no key {:?}", self.key))?;
            if self.shown.print(&entry)? {
                return Ok(Exit::Ok);
            }
            std::io::stdout().write_all(&entry.value)?;
            println!();
            Ok(Exit::Ok)
        })
    }
}
