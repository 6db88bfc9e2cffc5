//! `drover monitor`

use std::io::Write;

use anyhow::{Context, Result, bail};
use drover_api::MonitorRequest;
use futures::StreamExt;

use crate::{
    commands::node,
    context::{Reach, block_on},
    exit::Exit,
};

/// The levels of a log, from the most talkative one on.
pub(crate) const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// Follows an agent's log, whatever level the agent itself writes, until Ctrl-C
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// From which level on
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = LEVELS, ignore_case = true)]
    log_level: String,
    /// Lines as JSON objects
    #[arg(long)]
    json: bool,
    /// Where in the code each line comes from
    #[arg(long)]
    log_include_location: bool,
    /// The agent must be the one of this node (its id, or the start of it)
    #[arg(long, value_name = "NODE", conflicts_with = "server_id")]
    node_id: Option<String>,
    /// The agent must be this server: its name, or `leader`
    #[arg(long, value_name = "SERVER")]
    server_id: Option<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let node = match &self.node_id {
                Some(prefix) => node::find(&client, prefix).await?.id.to_string(),
                None => String::new(),
            };
            let request = MonitorRequest {
                log_level: &self.log_level,
                json: self.json,
                include_location: self.log_include_location,
                node_id: &node,
                server_id: self.server_id.as_deref().unwrap_or_default(),
            };
            let mut lines = Box::pin(client.monitor(&request).await?);
            while let Some(piece) = lines.next().await {
                let piece = piece?;
                let mut out = std::io::stdout().lock();
                match out.write_all(&piece).and_then(|()| out.flush()) {
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Ok),
                    printed => printed.context("cannot print")?,
                }
            }
            bail!("the agent at {} has ended", client.address())
        })
    }
}
