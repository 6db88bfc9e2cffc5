//! The life of a simulation as a command: see [`drover_client::sim`].

use std::{
    io::{self, Write},
    time::Duration,
};

pub use drover_client::sim::SimConfig;
use drover_client::sim::{self, Progress};
use drover_runtime::Runtime;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    API_VERSION, RunError,
    config::{LogConfig, LogLevel},
    logging,
};

/// How often somebody who waits is told how many nodes are ready.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Runs simulated nodes until it is told to stop.
pub fn run(config: SimConfig) -> Result<(), RunError> {
    logging::install(&LogConfig { level: LogLevel::Warn, json: false, include_location: false, file: None }).map_err(RunError::Logging)?;
    // One thread: whoever measures leaves the other cores to the servers.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    runtime.block_on(live(SimConfig { version: API_VERSION.to_owned(), ..config }))
}

async fn live(config: SimConfig) -> Result<(), RunError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Runtime)?;
    let (progress, seen) = watch::channel(Progress::default());
    let (stop, nodes) = (CancellationToken::new(), config.nodes);
    say(&format!("==> Simulating {nodes} nodes over {} connections to {}\n", config.connections(), config.servers.join(", ")));
    let work = sim::run(config, Runtime::real(), progress, stop.child_token());
    tokio::pin!(work);
    tokio::select! {
        () = &mut work => return Ok(()),
        () = tell(seen, nodes) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say("==> Caught signal: the simulated nodes fall silent\n");
    stop.cancel();
    work.await;
    Ok(())
}

/// Says how far it is until all nodes are ready, and then nothing more.
async fn tell(mut seen: watch::Receiver<Progress>, nodes: usize) {
    let begun = Instant::now();
    let mut every = interval(TELL_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.tick().await;
    loop {
        tokio::select! {
            all = seen.wait_for(|progress| progress.ready >= nodes) => {
                if all.is_ok() {
                    say(&format!("    {nodes} nodes are ready after {:.2} s\n", begun.elapsed().as_secs_f64()));
                }
                break;
            }
            _ = every.tick() => {}
        }
        let ready = seen.borrow_and_update().ready;
        say(&format!("    {ready} of {nodes} nodes are ready\n"));
    }
    std::future::pending().await
}

/// To standard output, which may be gone.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
