//! `drover operator snapshot ...`

mod inspect;
mod restore;
mod save;
mod state;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{context::Reach, exit::Exit, verbs};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        self.command.run(reach)
    }
}

verbs! {
    /// Write the servers' state into a file
    Save(save::Args),
    /// Check a file and show what is in it
    Inspect(inspect::Args),
    /// Replace the servers' state by a file's
    Restore(restore::Args),
    /// Print what is in a file as JSON, without keys and secrets
    State(state::Args),
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
