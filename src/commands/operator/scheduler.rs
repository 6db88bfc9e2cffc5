//! `drover operator scheduler ...`

mod get_config;
mod set_config;

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
    /// Show how allocations are placed
    GetConfig(get_config::Args),
    /// Change how they are
    SetConfig(set_config::Args),
}
