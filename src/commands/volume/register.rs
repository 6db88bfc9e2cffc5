//! `drover volume register`

use anyhow::{Context, Result};

use super::{announce, read};
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A file that describes the volume, HCL or JSON (- for standard input)
    file: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let volume = read(&self.file)?;
        let client = reach.client()?;
        block_on(async {
            let volume = client
                .register_host_volume(&volume)
                .await
                .with_context(|| format!("cannot register volume {:?}", volume.name))?
                .data
                .volume;
            announce("Registered", &volume, reach);
            Ok(Exit::Ok)
        })
    }
}
