//! The HTTP API, `/v1/...`: one file for each family of paths.
//!
//! A route unpacks a request into a message of `drover_model::rpc`, makes one call, and packs the answer. Who answers is the [`backend::Backend`]'s matter.
//! What goes wrong is one plain line with a status; malformed requests get a 4xx, and even a panic costs only the request that met it.
//! Start at `route`.

pub use api::{Api, LocalClient};
pub use serve::{HttpLimits, serve};

pub mod backend;

mod agent;
mod allocations;
mod api;
mod ca;
mod call;
mod client;
mod deployments;
mod evaluations;
mod events;
mod exec;
mod fs;
mod job;
mod jobs;
mod kv;
mod metrics;
mod monitor;
mod namespaces;
mod node_pools;
mod nodes;
mod operator;
mod quotas;
mod reply;
mod route;
mod scaling;
mod search;
mod secret;
mod serve;
mod services;
mod status;
mod variables;
mod volumes;
mod well_known;
