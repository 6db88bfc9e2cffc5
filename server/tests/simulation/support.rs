//! Servers as simulated hosts, and what tests ask of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use drover_model::rpc::{Error, embedded::KvPut};
use drover_runtime::{
    Random, Runtime,
    disk::MemoryDisk,
    rpc::{Connection, Header, Hello, Role, Router},
    sim::{self, SeededRandom, SimClock},
};
use drover_server::{
    Server, ServerConfig,
    gossip::{GossipConfig, GossipKey},
    identity::Algorithm,
};

pub(crate) const SERVERS: [&str; 3] = ["a", "b", "c"];
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const RETRIES: usize = 50;
/// How finely virtual time goes: the finer, the longer a simulation takes.
const TICK: Duration = Duration::from_millis(5);

/// What a simulated host leaves for the test to look at.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) disk: MemoryDisk,
    pub(crate) clock: Arc<SimClock>,
    now: Arc<Mutex<Option<Arc<Server>>>>,
}

impl Seat {
    fn new() -> Self {
        Self { disk: MemoryDisk::new(), clock: Arc::new(SimClock::new(sim::EPOCH)), now: Arc::default() }
    }

    pub(crate) fn get(&self) -> Option<Arc<Server>> {
        self.now.lock().unwrap().clone()
    }
}

/// The servers of a simulation.
pub(crate) struct Cluster {
    pub(crate) simulation: turmoil::Sim<'static>,
    pub(crate) seats: BTreeMap<&'static str, Seat>,
    seed: u64,
}

impl Cluster {
    pub(crate) fn new(seed: u64) -> Self {
        let simulation = turmoil::Builder::new()
            .rng_seed(seed)
            .simulation_duration(Duration::from_secs(3600))
            .tick_duration(TICK)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(10))
            .tcp_capacity(1024)
            .build();
        Self { simulation, seats: BTreeMap::new(), seed }
    }

    /// Three servers that begin a cluster.
    pub(crate) fn of_three(seed: u64) -> Self {
        let mut cluster = Self::new(seed);
        for name in SERVERS {
            cluster.add(name, 3, &SERVERS);
        }
        cluster
    }

    /// A server that knows of others.
    pub(crate) fn add(&mut self, name: &'static str, expect: u32, join: &[&str]) {
        self.add_with(name, config(name, expect, join));
    }

    pub(crate) fn add_with(&mut self, name: &'static str, config: ServerConfig) {
        let seat = Seat::new();
        let seed = self.seed.wrapping_mul(31).wrapping_add(self.seats.len() as u64);
        self.seats.insert(name, seat.clone());
        self.simulation.host(name, move || serve(config.clone(), seed, seat.clone()));
    }

    pub(crate) fn server(&self, name: &str) -> Arc<Server> {
        self.seats[name].get().unwrap()
    }

    /// The keys that a server's own state has.
    pub(crate) fn keys(&self, name: &str) -> Vec<String> {
        let server = self.seats[name].get();
        server.map(|server| server.store().snapshot().kv_with_prefix("").map(|entry| entry.key.clone()).collect()).unwrap_or_default()
    }

    /// Cuts the power of a host.
    pub(crate) fn crash(&mut self, name: &'static str) {
        self.simulation.crash(name);
        self.seats[name].disk.crash();
        self.seats[name].now.lock().unwrap().take();
    }

    /// The same, where a part of what was not synced got through.
    pub(crate) fn crash_torn(&mut self, name: &'static str, random: &dyn Random) {
        self.simulation.crash(name);
        self.seats[name].disk.crash_torn(random);
        self.seats[name].now.lock().unwrap().take();
    }

    pub(crate) fn leader(&self) -> Option<&'static str> {
        self.seats.iter().find(|(_, seat)| seat.get().is_some_and(|server| server.is_leader())).map(|(name, _)| *name)
    }

    pub(crate) fn wait_for_leader(&mut self) -> &'static str {
        self.until("somebody leads", |cluster| cluster.leader().is_some());
        self.leader().unwrap()
    }

    /// Drives the simulation until `done`, at most for some virtual minutes.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.simulation.elapsed() + PATIENCE * 8;
        while self.simulation.elapsed() < end {
            if done(self) {
                return;
            }
            self.simulation.step().unwrap();
        }
        panic!("seed {}: it never came true that {what}", self.seed);
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.simulation.elapsed() + time;
        while self.simulation.elapsed() < end {
            self.simulation.step().unwrap();
        }
    }
}

/// How a server of a simulation is started.
pub(crate) fn config(name: &'static str, expect: u32, join: &[&str]) -> ServerConfig {
    ServerConfig {
        node_name: name.to_owned(),
        rpc_address: "0.0.0.0:4647".to_owned(),
        rpc_advertise: Some(format!("{name}:4647")),
        gossip: Some(gossip(name, None)),
        bootstrap_expect: expect,
        join: join.iter().filter(|other| **other != name).map(|other| format!("{other}:4647")).collect(),
        retry_interval: Duration::from_secs(2),
        signing: Algorithm::EdDsa,
        snapshot_entries: Some(64),
        trailing_entries: Some(16),
        ..ServerConfig::default()
    }
}

/// How it gossips.
pub(crate) fn gossip(name: &str, key: Option<&str>) -> GossipConfig {
    let key = key.map(|text| GossipKey::parse(text).unwrap());
    GossipConfig { address: "0.0.0.0:4648".to_owned(), advertise: Some(format!("{name}:4648")), key }
}

async fn serve(config: ServerConfig, seed: u64, seat: Seat) -> turmoil::Result {
    let runtime = Runtime {
        clock: Arc::clone(&seat.clock) as _,
        random: Arc::new(SeededRandom::new(seed)),
        network: Arc::new(sim::TurmoilNetwork),
        disk: Arc::new(seat.disk.clone()),
    };
    let running = Server::start(config, runtime).await?;
    *seat.now.lock().unwrap() = Some(Arc::clone(running.server()));
    std::future::pending::<()>().await;
    drop(running);
    Ok(())
}

pub(crate) async fn dial(name: &str) -> Connection {
    let hello = Hello::new(Role::Agent, "global", "operator");
    Connection::open(&sim::TurmoilNetwork, &format!("{name}:4647"), hello, Arc::new(Router::new())).await.unwrap()
}

/// Writes a key. Until a new leader is known everywhere, an answer may be that nobody can be asked: then it is asked again.
pub(crate) async fn put(connection: &Connection, key: String) -> Result<(), Error> {
    put_value(connection, key, b"1".to_vec()).await
}

pub(crate) async fn put_value(connection: &Connection, key: String, value: Vec<u8>) -> Result<(), Error> {
    let message = KvPut { key, value, flags: 0, check: None };
    for _ in 0..RETRIES {
        match connection.call(&Header::default(), &message, PATIENCE).await {
            Err(error) if error.is_unavailable() => tokio::time::sleep(Duration::from_millis(200)).await,
            other => return other.map(drop),
        }
    }
    Err(Error::no_leader())
}
