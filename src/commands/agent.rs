//! `drover agent`

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use drover_agent::config::AgentFlags;
use drover_model::secret::SecretText;

use crate::{context::Reach, exit::Exit};

/// Files are HCL or JSON; several `-config` merge in order, folders in the order of their files' names, and flags win
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A configuration file, or a folder of them
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Everything in one process, in memory: for laptops and tests
    #[arg(long)]
    dev: bool,
    /// The address to listen at
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Where state is kept
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// trace, debug, info, warn or error
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Write log lines as JSON
    #[arg(long)]
    log_json: bool,
    /// Write where in the code a log line comes from
    #[arg(long)]
    log_include_location: bool,
    /// The datacenter
    #[arg(long, value_name = "NAME")]
    dc: Option<String>,
    /// The agent's name (default: the host's)
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Run a server
    #[arg(long)]
    server: bool,
    /// Run a client
    #[arg(long)]
    client: bool,
    /// How many servers there will be
    #[arg(long, value_name = "N")]
    bootstrap_expect: Option<u32>,
    /// A server to join; tried until it answers
    #[arg(long, value_name = "ADDRESS")]
    retry_join: Vec<String>,
    /// The same as -retry-join
    #[arg(long, value_name = "ADDRESS", hide = true)]
    join: Vec<String>,
    /// Between tries to join, in seconds or as 30s
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    retry_interval: Option<Duration>,
    /// Give up joining after so many tries (0: never)
    #[arg(long, value_name = "N")]
    retry_max: Option<u32>,
    /// The key that gossip between servers is sealed with, in base64
    #[arg(long, value_name = "KEY")]
    encrypt: Option<String>,
    /// A server for the client, as HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    servers: Vec<String>,
    /// The node's class
    #[arg(long, value_name = "NAME")]
    node_class: Option<String>,
    /// The node's pool
    #[arg(long, value_name = "NAME")]
    node_pool: Option<String>,
    /// Something that constraints can ask for
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// The interface that ports are given on
    #[arg(long, value_name = "NAME")]
    network_interface: Option<String>,
    /// Its speed in Mbit/s
    #[arg(long, value_name = "N")]
    network_speed: Option<u32>,
    /// Where the client keeps its state
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Where allocations live
    #[arg(long, value_name = "FOLDER")]
    alloc_dir: Option<PathBuf>,
    /// Where plugins are
    #[arg(long, value_name = "FOLDER", hide = true)]
    plugin_dir: Option<PathBuf>,
    /// Switch access control on
    #[arg(long, hide = true)]
    acl_enabled: bool,
    /// Consul's HTTP address
    #[arg(long, value_name = "ADDRESS")]
    consul_address: Option<String>,
    /// Vault's address
    #[arg(long, value_name = "URL")]
    vault_address: Option<String>,
    /// Use Vault
    #[arg(long)]
    vault_enabled: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let mut retry_join = self.retry_join;
        retry_join.extend(self.join);
        drover_agent::run(AgentFlags {
            config: self.config,
            dev: self.dev,
            bind: self.bind,
            data_dir: self.data_dir,
            plugin_dir: self.plugin_dir,
            log_level: self.log_level,
            log_json: self.log_json,
            log_include_location: self.log_include_location,
            region: reach.region().map(str::to_owned),
            datacenter: self.dc,
            node: self.node,
            server: self.server,
            client: self.client,
            bootstrap_expect: self.bootstrap_expect,
            retry_join,
            retry_interval: self.retry_interval,
            retry_max: self.retry_max,
            encrypt: self.encrypt.map(SecretText::new),
            servers: self.servers,
            node_class: self.node_class,
            node_pool: self.node_pool,
            meta: self.meta,
            network_interface: self.network_interface,
            network_speed: self.network_speed,
            state_dir: self.state_dir,
            alloc_dir: self.alloc_dir,
            acl_enabled: self.acl_enabled,
            consul_address: self.consul_address,
            vault_address: self.vault_address,
            vault_enabled: self.vault_enabled.then_some(true),
            ..AgentFlags::default()
        })?;
        Ok(Exit::Ok)
    }
}

fn seconds(text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => crate::commands::node::drain::duration(text),
    }
}
