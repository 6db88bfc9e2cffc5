//! `drover tls cert ...`

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
    /// Make a certificate for a server, a client, or the command line
    Create(create::Args),
}
