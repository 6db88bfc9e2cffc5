//! `drover namespace list`

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
            let namespaces = client.namespaces().await?.data;
            output::described(&namespaces, &self.shown, |namespace| (&namespace.name, &namespace.description))?;
            Ok(Exit::Ok)
        })
    }
}
