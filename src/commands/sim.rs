//! `drover sim`

use std::time::Duration;

use anyhow::Result;
use drover_agent::sim::{self, SimConfig};

use crate::{
    commands::node::drain::duration,
    context::{self, Reach},
    exit::Exit,
};

/// The nodes register, heartbeat, take allocations and report on them as real ones do; tasks run in name only. It ends with Ctrl-C, and for the servers the
/// nodes are then gone without a word. For measuring servers, and for trying out jobs on a cluster that nobody has to own
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A server's RPC address, as HOST:PORT; several are separated by commas
    #[arg(long, value_name = "ADDRESS", required = true, value_delimiter = ',')]
    servers: Vec<String>,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 100)]
    nodes: usize,
    /// What their names begin with
    #[arg(long, value_name = "TEXT", default_value = "sim")]
    prefix: String,
    /// The datacenter
    #[arg(long, value_name = "NAME", default_value = "dc1")]
    datacenter: String,
    /// The nodes' class
    #[arg(long, value_name = "NAME", default_value = "")]
    node_class: String,
    /// The nodes' pool
    #[arg(long, value_name = "NAME", default_value = "default")]
    node_pool: String,
    /// Something that constraints can ask for
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// Of each node, in MHz
    #[arg(long, value_name = "MHZ", default_value_t = 10_000)]
    cpu: u64,
    /// Of each node, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 10_000)]
    memory: u64,
    /// Of each node, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 100_000)]
    disk: u64,
    /// A driver that the nodes say they have (default: all usual ones)
    #[arg(long, value_name = "NAME")]
    driver: Vec<String>,
    /// How many connections the nodes share (default: at most 64, as servers take 100 from one address)
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// How long tasks take to start
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    start_after: Duration,
    /// At most so much longer, drawn for each
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    start_spread: Duration,
    /// How long tasks run (default: until they are stopped, or `run_for` of the mock_driver's tasks)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    run_for: Option<Duration>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let mut config = SimConfig {
            servers: self.servers,
            nodes: self.nodes,
            prefix: self.prefix,
            datacenter: self.datacenter,
            node_class: self.node_class,
            node_pool: self.node_pool,
            cpu_mhz: self.cpu,
            memory_mib: self.memory,
            disk_mib: self.disk,
            connections: self.connections,
            start_after: self.start_after,
            start_spread: self.start_spread,
            run_for: self.run_for,
            ..SimConfig::default()
        };
        for pair in self.meta {
            let (key, value) = context::label(&pair)?;
            config.meta.insert(key, value);
        }
        if !self.driver.is_empty() {
            config.drivers = self.driver;
        }
        if let Some(region) = reach.region() {
            config.region = region.to_owned();
        }
        sim::run(config)?;
        Ok(Exit::Ok)
    }
}
