//! `drover ca show`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let authority = client.ca().await?;
            if !self.shown.print(&authority)? {
                print!("{}", authority.certificate_pem)
            }
            Ok(Exit::Ok)
        })
    }
}
