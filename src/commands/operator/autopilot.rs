//! `drover operator autopilot ...`

mod get_config;
mod health;
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
    /// Show how the servers look after each other
    GetConfig(get_config::Args),
    /// Change how they do
    SetConfig(set_config::Args),
    /// Show how the servers are
    Health(health::Args),
}
