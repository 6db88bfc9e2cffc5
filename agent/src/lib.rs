//! One process: configuration, HTTP routes, and the parts of a server and a client put together.
//!
//! What it is: [`config`] reads files and flags, [`http`] answers `/v1/...`, and [`Agent`] starts and stops what the configuration asks for. `wiring` translates
//! between the parts, which do not know each other.
//!
//! What it must not know: how anything is scheduled.
//!
//! Where to start: [`run()`] is the whole life of an agent as a command, [`Agent::start`] the same for tests and for those who embed it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub use agent::{Agent, StartError};
pub use drover_server::backup;

pub use config::{AgentFlags, Config, ConfigError};
pub use run::{RunError, run};

mod agent;
pub mod config;
mod footprint;
pub mod http;
mod logging;
pub mod render;
mod rendezvous;
mod run;
pub mod setup;
pub mod sim;
mod wiring;

/// A new key for gossip between servers, as text.
pub fn new_gossip_key() -> String {
    drover_server::gossip::GossipKey::generate(&drover_runtime::OsRandom).to_text()
}

/// The version of the API that is spoken, as nodes tell it: job files ask for it in constraints.
pub const API_VERSION: &str = "2.0.6";
