//! `drover operator autopilot set-config`

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{
    commands::node::drain::duration,
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Take servers out that have died
    #[arg(long, value_name = "BOOL")]
    cleanup_dead_servers: Option<bool>,
    /// A server that the leader has not reached for longer is not healthy
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    last_contact_threshold: Option<Duration>,
    /// A server that lacks more log entries is not healthy
    #[arg(long, value_name = "COUNT")]
    max_trailing_logs: Option<u64>,
    /// So many voters are left at least
    #[arg(long, value_name = "COUNT")]
    min_quorum: Option<u32>,
    /// How long a server must be healthy before it gets a vote
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    server_stabilization_time: Option<Duration>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let mut config = client.autopilot_config().await?.data;
            config.cleanup_dead_servers = self.cleanup_dead_servers.unwrap_or(config.cleanup_dead_servers);
            config.last_contact_threshold = self.last_contact_threshold.unwrap_or(config.last_contact_threshold);
            config.max_trailing_logs = self.max_trailing_logs.unwrap_or(config.max_trailing_logs);
            config.min_quorum = self.min_quorum.unwrap_or(config.min_quorum);
            config.server_stabilization_time = self.server_stabilization_time.unwrap_or(config.server_stabilization_time);
            if !client.set_autopilot_config(&config).await?.data {
                bail!("the configuration was changed at the same time: look at it and try again");
            }
            println!("Configuration updated!");
            Ok(Exit::Ok)
        })
    }
}
