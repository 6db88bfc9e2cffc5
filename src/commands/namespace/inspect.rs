//! `drover namespace inspect`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The namespace's name
    name: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            self.shown.print_at_least_json(&client.get_namespace(&self.name).await?.data)?;
            Ok(Exit::Ok)
        })
    }
}
