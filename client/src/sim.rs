//! Simulated nodes: as many as wanted in one process, which speak to the servers exactly as real ones do and only pretend to run tasks.
//!
//! Registration, heartbeats, the stream of allocations and the reports are the client's own code. What differs is that many nodes share a connection, and
//! that a task is a few lines in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use drover_model::{ids::NodeId, rpc::node::NodeAuth, secret::SecretText};
use drover_runtime::{
    Runtime,
    rpc::{Hello, Role},
};
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{reports::Reports, servers::RemoteServers, servers::Servers, session::Session};

mod node;
mod pretend;

/// Nodes that register at a time; the others wait for their turn.
const REGISTERING: usize = 256;
/// Connections that are opened when nobody says how many: servers take so many from one address.
const CONNECTIONS: usize = 64;
/// Nodes that may share one connection: each has a stream open, and servers serve so many at a time.
const NODES_PER_CONNECTION: usize = 2048;
/// Items of the servers' stream that wait for a node.
const ITEM_QUEUE: usize = 1;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// RPC addresses, as `HOST:PORT`.
    pub servers: Vec<String>,
    pub nodes: usize,
    /// Nodes are called `PREFIX-NUMBER`, from 0.
    pub prefix: String,
    /// The version of the API that the nodes say they speak.
    pub version: String,
    pub region: String,
    pub datacenter: String,
    pub node_class: String,
    pub node_pool: String,
    pub meta: BTreeMap<String, String>,
    pub cpu_mhz: u64,
    pub memory_mib: u64,
    pub disk_mib: u64,
    /// The drivers that each node says it has.
    pub drivers: Vec<String>,
    /// Shared by all nodes; none: as many as servers take from one address.
    pub connections: Option<usize>,
    /// How long a task takes to start.
    pub start_after: Duration,
    /// At most so much longer, never the same.
    pub start_spread: Duration,
    /// How long tasks run that do not say so themselves (`run_for` in the configuration of `mock_driver`); none: until they are stopped.
    pub run_for: Option<Duration>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            nodes: 1,
            prefix: "sim".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            node_class: String::new(),
            node_pool: "default".to_owned(),
            meta: BTreeMap::new(),
            cpu_mhz: 10_000,
            memory_mib: 10_000,
            disk_mib: 100_000,
            drivers: ["mock_driver", "raw_exec", "exec", "docker"].map(str::to_owned).to_vec(),
            connections: None,
            start_after: Duration::ZERO,
            start_spread: Duration::ZERO,
            run_for: None,
        }
    }
}

impl SimConfig {
    /// How many connections the nodes share.
    pub fn connections(&self) -> usize {
        let least = self.nodes.div_ceil(NODES_PER_CONNECTION);
        self.connections.unwrap_or(CONNECTIONS).clamp(1, self.nodes.max(1)).max(least)
    }
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Nodes whose first heartbeat was answered.
    pub ready: usize,
}

/// Runs the nodes until `stop`. They end without a word, as machines do that lose their power.
pub async fn run(config: SimConfig, runtime: Runtime, progress: watch::Sender<Progress>, stop: CancellationToken) {
    let config = Arc::new(config);
    let line = |_| {
        let hello = Hello::new(Role::Client, config.region.as_str(), config.prefix.as_str());
        Arc::new(RemoteServers::new(runtime.clone(), hello, config.servers.clone()))
    };
    let lines: Vec<Arc<RemoteServers>> = (0..config.connections()).map(line).collect();
    let (registering, mut nodes) = (Arc::new(Semaphore::new(REGISTERING)), JoinSet::new());
    for number in 0..config.nodes {
        let node = SimulatedNode {
            number,
            config: Arc::clone(&config),
            runtime: runtime.clone(),
            servers: Arc::clone(&lines[number % lines.len()]) as Arc<dyn Servers>,
        };
        nodes.spawn(stop.clone().run_until_cancelled_owned(node.live(Arc::clone(&registering), progress.clone())));
    }
    while nodes.join_next().await.is_some() {}
}

struct SimulatedNode {
    number: usize,
    config: Arc<SimConfig>,
    runtime: Runtime,
    servers: Arc<dyn Servers>,
}

impl SimulatedNode {
    async fn live(self, registering: Arc<Semaphore>, progress: watch::Sender<Progress>) {
        let Self { number, config, runtime, servers } = self;
        let random = Arc::clone(&runtime.random);
        let auth = NodeAuth { id: NodeId::from_random(random.id_bytes()), secret: secret(random.id_bytes()) };
        let node = node::describe(&config, &auth, number, runtime.clock.now());
        let (items, received) = mpsc::channel(ITEM_QUEUE);
        let (contact, registered) = (watch::channel(Instant::now()).0, watch::channel(0).0);
        let session = Session {
            servers: Arc::clone(&servers),
            random: Arc::clone(&random),
            auth: auth.clone(),
            // Its sender is gone: a simulated node does not change.
            node: watch::channel(Arc::new(node)).1,
            contact: contact.clone(),
            items,
            registered: registered.clone(),
            seen: AtomicU64::new(0),
            moved: Notify::new(),
        };
        let reports = Reports::default();
        let pretend = pretend::Pretend::new(config, &runtime, &reports);
        let mut heard = contact.subscribe();
        let ready = async {
            // Owned until the node is ready, so that not all of them come at once.
            let Ok(permit) = registering.acquire_owned().await else { return };
            let speak = async {
                // The answers to the registration and to the first heartbeat.
                for _ in 0..2 {
                    let _ = heard.changed().await;
                }
                progress.send_modify(|progress| progress.ready += 1);
                drop(permit);
                std::future::pending().await
            };
            tokio::select! {
                biased;
                () = session.run() => {}
                () = speak => {}
            }
        };
        let told = registered.subscribe();
        tokio::join!(ready, reports.run(&*servers, &auth, &*random, told, contact.subscribe()), pretend.run(received));
    }
}

fn secret(bytes: [u8; 16]) -> SecretText {
    SecretText::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
