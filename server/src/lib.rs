//! The servers: what everybody agrees on, and who decides what runs where.
//!
//! What it is: consensus and the state it replicates ([`fsm`], [`state`]), the evaluation broker, workers and the plan applier, the watchers of deployments,
//! drains and heartbeats, and what answers RPC calls.
//!
//! What it must not know: HTTP, the client's inside. Servers and clients meet in `drover_model::rpc`.
//!
//! Where to start: [`fsm::command::Command`] is everything that can change the state, [`fsm::apply`] how it does, [`state::State`] what is read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod fsm;
pub mod identity;
pub mod state;
