//! The parts of an agent put together: nothing here decides anything about jobs.

pub(crate) mod client;
pub(crate) mod discovery;
pub(crate) mod identities;
pub(crate) mod integrations;
pub(crate) mod server;
pub(crate) mod servers;
pub(crate) mod sources;
pub(crate) mod tls;
