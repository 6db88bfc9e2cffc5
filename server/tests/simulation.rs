//! Three whole servers in one thread, from one seed: they find each other, answer through whichever is asked, and lose nothing when the leader crashes.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use drover_model::rpc::{
    Error, ReadOptions,
    embedded::KvPut,
    node::{KvGet, KvList},
};
use drover_runtime::{
    disk::MemoryDisk,
    rpc::{Connection, Header, Hello, Role, Router},
    sim,
};
use drover_server::{Server, ServerConfig, identity::Algorithm};

const SERVERS: [&str; 3] = ["a", "b", "c"];
const PATIENCE: Duration = Duration::from_secs(30);
const RETRIES: usize = 50;

/// What a simulated host leaves for the test to look at.
#[derive(Clone, Default)]
struct Seat {
    disk: MemoryDisk,
    now: Arc<Mutex<Option<Arc<Server>>>>,
}

impl Seat {
    fn get(&self) -> Option<Arc<Server>> {
        self.now.lock().unwrap().clone()
    }

    /// The keys that this server's own state has.
    fn keys(&self) -> Vec<String> {
        self.get().map(|server| server.store().snapshot().kv_with_prefix("").map(|entry| entry.key.clone()).collect()).unwrap_or_default()
    }
}

async fn serve(name: &'static str, seed: u64, seat: Seat) -> turmoil::Result {
    let config = ServerConfig {
        node_name: name.to_owned(),
        rpc_address: "0.0.0.0:4647".to_owned(),
        rpc_advertise: Some(format!("{name}:4647")),
        bootstrap_expect: 3,
        join: SERVERS.into_iter().filter(|other| *other != name).map(|other| format!("{other}:4647")).collect(),
        signing: Algorithm::EdDsa,
        ..ServerConfig::default()
    };
    let running = Server::start(config, sim::runtime(seed, &seat.disk)).await?;
    *seat.now.lock().unwrap() = Some(Arc::clone(running.server()));
    std::future::pending::<()>().await;
    drop(running);
    Ok(())
}

/// Drives the simulation until `done`, at most for some virtual minutes.
fn until(simulation: &mut turmoil::Sim<'_>, what: &str, done: impl Fn() -> bool) {
    for _ in 0..240_000 {
        if done() {
            return;
        }
        simulation.step().unwrap();
    }
    panic!("it never came true that {what}");
}

fn leader(seats: &BTreeMap<&'static str, Seat>) -> Option<&'static str> {
    seats.iter().find(|(_, seat)| seat.get().is_some_and(|server| server.is_leader())).map(|(name, _)| *name)
}

async fn dial(name: &str) -> Connection {
    let hello = Hello::new(Role::Agent, "global", "operator");
    Connection::open(&sim::TurmoilNetwork, &format!("{name}:4647"), hello, Arc::new(Router::new())).await.unwrap()
}

/// Writes a key. Until a new leader is known everywhere, an answer may be that nobody can be asked: then it is asked again.
async fn put(connection: &Connection, key: String) -> Result<(), Error> {
    let message = KvPut { key, value: b"1".to_vec(), flags: 0, check: None };
    for _ in 0..RETRIES {
        match connection.call(&Header::default(), &message, PATIENCE).await {
            Err(error) if error.is_unavailable() => tokio::time::sleep(Duration::from_millis(200)).await,
            other => return other.map(drop),
        }
    }
    Err(Error::no_leader())
}

/// Writes through one server and reads each key back through another, at once.
async fn write_and_read(through: &'static str, by: &'static str, prefix: &'static str) -> turmoil::Result {
    let (writer, reader) = (dial(through).await, dial(by).await);
    for number in 0..20 {
        let key = format!("{prefix}/{number:02}");
        put(&writer, key.clone()).await?;
        let read = KvGet { options: ReadOptions::default(), key };
        let found = reader.call(&Header::default(), &read, PATIENCE).await?;
        assert!(found.data.is_some(), "what was answered is read by everybody");
    }
    let list = KvList { options: ReadOptions::default(), prefix: prefix.to_owned() };
    assert_eq!(reader.call(&Header::default(), &list, PATIENCE).await?.data.len(), 20);
    Ok(())
}

#[test]
fn any_server_answers_and_a_crash_loses_nothing() {
    let seats: BTreeMap<_, _> = SERVERS.into_iter().map(|name| (name, Seat::default())).collect();
    let mut simulation = turmoil::Builder::new().rng_seed(7).simulation_duration(Duration::from_secs(900)).build();
    for (name, seed) in SERVERS.into_iter().zip(1..) {
        let seat = seats[name].clone();
        simulation.host(name, move || serve(name, seed, seat.clone()));
    }
    until(&mut simulation, "somebody leads", || leader(&seats).is_some());
    let old = leader(&seats).unwrap();
    let others: Vec<_> = SERVERS.into_iter().filter(|name| *name != old).collect();
    let (one, other) = (others[0], others[1]);
    simulation.client("operator-1", write_and_read(one, other, "one"));
    until(&mut simulation, "twenty are everywhere", || seats.values().all(|seat| seat.keys().len() == 20));

    simulation.crash(old);
    seats[old].disk.crash();
    seats[old].now.lock().unwrap().take();
    until(&mut simulation, "another leads", || leader(&seats).is_some());
    simulation.client("operator-2", write_and_read(one, other, "two"));
    until(&mut simulation, "forty are on both", || others.iter().all(|name| seats[name].keys().len() == 40));

    simulation.bounce(old);
    until(&mut simulation, "the old one has caught up", || seats[old].keys() == seats[one].keys());
}
