//! `drover ca show`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
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
            let authority = client.ca().await?;
            if self.json {
                crate::output::json(&authority)?
            } else {
                print!("{}", authority.certificate_pem)
            }
            Ok(Exit::Ok)
        })
    }
}
