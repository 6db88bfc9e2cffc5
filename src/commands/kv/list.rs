//! `drover kv list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only keys that begin with this
    #[arg(default_value = "")]
    prefix: String,
    /// Print entries as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let entries = client.kv_list(&self.prefix).await?;
            if self.json {
                crate::output::json(&entries)?;
                return Ok(Exit::Ok);
            }
            for entry in entries {
                println!("{}", entry.key);
            }
            Ok(Exit::Ok)
        })
    }
}
