//! `drover config validate`

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use drover_agent::{AgentFlags, Config};

use crate::{context::Reach, exit::Exit};

/// They are read as `drover agent` with a `-config` for each would read them; nothing is started
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A configuration file, or a folder of them; several merge in order
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        let flags = AgentFlags { config: self.paths, ..AgentFlags::default() };
        Config::load(&flags, &|name| std::env::var(name).ok()).map_err(|error| anyhow!("the configuration is not valid: {error}"))?;
        println!("Configuration is valid!");
        Ok(Exit::Ok)
    }
}
