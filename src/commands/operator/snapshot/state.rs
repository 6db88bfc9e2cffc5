//! `drover operator snapshot state`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use drover_agent::backup;

use crate::{context::Reach, exit::Exit, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        let state = backup::show(&super::read(&self.file)?).with_context(|| self.file.display().to_string())?;
        output::json(&state)?;
        Ok(Exit::Ok)
    }
}
