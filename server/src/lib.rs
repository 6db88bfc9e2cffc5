//! The servers: what everybody agrees on, and who decides what runs where.
//!
//! What it is: consensus and the state it replicates ([`fsm`], [`state`]), the evaluation broker, workers and the plan applier, the watchers of deployments,
//! drains and heartbeats, and what answers RPC calls.
//!
//! What it must not know: HTTP, the client's inside. Servers and clients meet in `drover_model::rpc`.
//!
//! Where to start: [`fsm::command::Command`] is everything that can change the state, [`fsm::apply`] how it does, [`state::State`] what is read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub use config::{GcConfig, HeartbeatConfig, ScheduledSnapshots, ServerConfig};
pub use server::{Error, Running, Server};

mod agenda;
pub mod backup;
pub mod blocked;
pub mod broker;
mod clients;
pub mod config;
pub mod consensus;
pub mod deployments;
pub mod dirty;
pub mod drain;
pub mod embedded;
pub mod evaluations;
pub mod fsm;
pub mod gc;
pub mod gossip;
pub mod heartbeats;
pub mod identity;
pub mod in_flight;
pub mod leader;
pub mod machine;
pub mod membership;
mod node_rpc;
mod peers;
pub mod perform;
pub mod periodic;
pub mod plan_applier;
pub mod propose;
mod reading;
pub mod rolls;
pub mod rpc;
mod scheduled;
mod scheduling;
mod server;
#[cfg(test)]
mod simulation;
pub mod state;
#[cfg(test)]
mod testing;
mod timers;
pub mod worker;
