//! The story's scheduling part with one server and two clients, in one thread, from one seed.
//!
//! Server, network and disk are the real code over simulated surroundings; the clients speak the real protocol and only pretend to run tasks. A failure
//! prints its seed; the same seed gives the same run.

#![allow(clippy::unwrap_used)]

mod story;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use drover_client::sim::{Progress, SimConfig};
use drover_runtime::{disk::MemoryDisk, sim};
use drover_server::{Server, ServerConfig, identity::Algorithm};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Virtual time that a run may take.
const LIMIT: Duration = Duration::from_secs(600);
const SEEDS: std::ops::Range<u64> = 1..6;

/// What happened, as far as anybody can tell from outside.
pub(crate) type Trace = Arc<Mutex<Vec<String>>>;

async fn serve(seed: u64, disk: MemoryDisk) -> turmoil::Result {
    let config = ServerConfig {
        node_name: "server".to_owned(),
        rpc_address: "0.0.0.0:4647".to_owned(),
        rpc_advertise: Some("server:4647".to_owned()),
        signing: Algorithm::EdDsa,
        ..ServerConfig::default()
    };
    let running = Server::start(config, sim::runtime(seed, &disk)).await?;
    std::future::pending::<()>().await;
    drop(running);
    Ok(())
}

/// A client that speaks the real protocol and pretends to run tasks. Starting them takes a moment, never the same one.
async fn live(name: &str, seed: u64) -> turmoil::Result {
    let config = SimConfig {
        servers: vec!["server:4647".to_owned()],
        prefix: name.to_owned(),
        cpu_mhz: 4000,
        memory_mib: 4096,
        start_spread: Duration::from_millis(200),
        ..SimConfig::default()
    };
    let progress = watch::channel(Progress::default()).0;
    drover_client::sim::run(config, sim::runtime(seed, &MemoryDisk::default()), progress, CancellationToken::new()).await;
    Ok(())
}

fn run(seed: u64) -> Vec<String> {
    let trace = Trace::default();
    let mut simulation = turmoil::Builder::new().rng_seed(seed).simulation_duration(LIMIT).build();
    let disk = MemoryDisk::default();
    simulation.host("server", move || serve(seed, disk.clone()));
    for (name, number) in [("n1", 1), ("n2", 2)] {
        simulation.host(name, move || live(name, seed.wrapping_mul(31).wrapping_add(number)));
    }
    simulation.client("operator", story::play(Arc::clone(&trace)));
    if let Err(error) = simulation.run() {
        panic!("seed {seed}: {error}\n{}", trace.lock().unwrap().join("\n"));
    }
    let lines = trace.lock().unwrap().clone();
    assert!(!lines.is_empty(), "seed {seed}: nothing happened");
    lines
}

#[test]
fn the_story_is_scheduled_whatever_the_seed() {
    for seed in SEEDS {
        run(seed);
    }
}

/// The same events in the same order, with the same ids. When, in tenths of a second, may differ by one: a connection's halves are polled in no fixed order.
#[test]
fn the_same_seed_gives_the_same_run() {
    let events =
        || run(7).iter().map(|line| line.split_once(" s: ").map_or(line.as_str(), |(_, what)| what).to_owned()).collect::<Vec<_>>();
    assert_eq!(events(), events());
}
