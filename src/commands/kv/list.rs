//! `drover kv list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only keys that begin with this
    #[arg(default_value = "")]
    prefix: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let entries = client.kv_list(&self.prefix).await?;
            if self.shown.print(&entries)? {
                return Ok(Exit::Ok);
            }
            for entry in entries {
                println!("{}", entry.key);
            }
            Ok(Exit::Ok)
        })
    }
}
