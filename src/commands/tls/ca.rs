//! `drover tls ca ...`

mod create;

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
    /// Make an authority: its certificate and its key, as files here
    Create(create::Args),
}
