//! `drover quota list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown},
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
            let quotas = client.quotas().await?.data;
            output::described(&quotas, &self.shown, |quota| (&quota.name, &quota.description))?;
            Ok(Exit::Ok)
        })
    }
}
