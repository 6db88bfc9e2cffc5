//! `drover ca rotate`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Do not print the new certificate
    #[arg(long)]
    quiet: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let authority = client.ca_rotate().await?;
            if !self.quiet {
                print!("{}", authority.certificate_pem);
            }
            Ok(Exit::Ok)
        })
    }
}
