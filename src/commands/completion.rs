//! `drover completion`

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, exit::Exit};

/// For bash: source <(drover completion bash)
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit> {
        clap_complete::generate(self.shell, &mut Cli::command(), "drover", &mut std::io::stdout());
        Ok(Exit::Ok)
    }
}
