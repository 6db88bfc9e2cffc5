//! One module for each noun, one file for each verb.

pub(crate) mod agent;
pub(crate) mod agent_info;
pub(crate) mod alloc;
pub(crate) mod bench;
pub(crate) mod ca;
pub(crate) mod completion;
pub(crate) mod deployment;
pub(crate) mod eval;
pub(crate) mod job;
pub(crate) mod kv;
pub(crate) mod monitor;
pub(crate) mod namespace;
pub(crate) mod node;
pub(crate) mod operator;
pub(crate) mod quota;
pub(crate) mod scaling;
pub(crate) mod secret;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod setup;
pub(crate) mod sim;
pub(crate) mod system;
pub(crate) mod template;
pub(crate) mod tls;
pub(crate) mod var;
pub(crate) mod volume;
