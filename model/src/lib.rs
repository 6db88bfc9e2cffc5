//! The nouns of Drover, and nothing that acts.
//!
//! What it is: jobs, allocations, evaluations, deployments, nodes, plans, services, and the messages in which servers, clients and the
//! HTTP API speak of them. Serde names are those of the HTTP API, so a type is written to disk, to the wire and to users in one way.
//!
//! What it must not know: clocks, randomness, files, networks, async. A value of "now" or a new id is always an argument.
//!
//! Where to start: [`spec`] is a job as submitted (everything optional), [`job`] the same job once admitted (nothing optional that has a
//! default), [`allocation`], [`evaluation`], [`deployment`], [`node`] and [`plan`] are what scheduling is about, [`rpc`] what is said over the wire.

pub mod allocation;
pub mod deployment;
pub mod diff;
pub mod evaluation;
pub mod ids;
pub mod job;
pub mod json;
pub mod kv;
pub mod lean;
pub mod namespace;
pub mod node;
pub mod plan;
pub mod quota;
pub mod resources;
pub mod rpc;
pub mod secret;
pub mod service;
pub mod spec;
pub mod text;
pub mod time;
pub mod variable;
pub mod view;
pub mod volume;
