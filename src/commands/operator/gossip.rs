//! `drover operator gossip keyring ...`

mod keyring;

use anyhow::Result;

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
    /// Make, list and change the keys, on all servers at once
    Keyring(keyring::Args),
}
