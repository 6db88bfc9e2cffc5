//! `drover operator snapshot restore`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use drover_agent::backup;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let bytes = super::read(&self.file)?;
        // What is wrong with it is said before anything is sent.
        backup::read(&bytes).with_context(|| self.file.display().to_string())?;
        block_on(async {
            client.raw("PUT", "/v1/operator/snapshot", &[], bytes).await?;
            println!("Snapshot restored");
            Ok(Exit::Ok)
        })
    }
}
