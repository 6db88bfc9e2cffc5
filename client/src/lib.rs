//! The part of an agent that runs allocations on its machine.
//!
//! What it is: it tells the servers what the node is, receives the allocations placed there, takes each through its hooks and drivers, and reports what
//! becomes of them. It persists before it acts, so that after a crash it finds the same processes again.
//!
//! What it must not know: HTTP routes, the server crate, how Consul or Vault are spoken to. It meets them in the messages of `model::rpc` and in the traits
//! of [`parts`]: [`servers::Servers`], [`templates::Sources`], [`drivers::Driver`], and those of the integrations crate.
//!
//! Where to start: [`Client::start`], then `allocations` (one runner per allocation), `tasks` (one runner per task) and `drivers`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod checks;
pub mod config;
pub mod drivers;
mod environment;
pub mod files;
pub mod fingerprint;
mod health;
pub mod limits;
pub mod machine;
pub mod parts;
pub mod rpc;
pub mod servers;
mod services;
pub mod sim;
mod state;
pub mod templates;
mod volumes;

mod allocations;
mod client;
mod error;
mod exec;
mod fs;
mod identities;
mod isolation;
mod labels;
mod reports;
mod session;
mod shared;
mod stats;
mod tasks;

pub use client::{Client, Handle};
pub use config::ClientConfig;
pub use error::Error;
pub use parts::ClientParts;
