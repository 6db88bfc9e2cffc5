//! The neighbours of a cluster: the catalogue, the key-value store, the secrets and their certificates.
//!
//! What it is: one object-safe trait for each ([`KeyValue`], [`Catalogue`], [`ServiceRegistry`], [`Secrets`], [`Tokens`]), beside the forms it has: Consul
//! and Vault, spoken to over pooled connections, and the embedded ones, which ask the servers through [`embedded::ServerCalls`].
//!
//! What it must not know: jobs, tasks, templates. Whoever uses it translates.
//!
//! Where to start: the two kinds of cluster that an agent's configuration names, [`ConsulCluster`] and [`VaultCluster`]. Everything else comes out of them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{fmt, sync::Arc};

use drover_model::{ids::AllocId, secret::SecretText};
use tokio::sync::watch;

pub use catalogue::Catalogue;
pub use error::Error;
pub use key_value::KeyValue;
pub use query::{Answer, Query, Scope};
pub use registry::ServiceRegistry;
pub use secrets::{Secret, Secrets};
pub use tokens::{Token, Tokens};

pub mod catalogue;
pub mod certificate;
pub mod consul;
pub mod embedded;
pub mod error;
pub mod http;
pub mod key_value;
pub mod lease;
pub mod query;
pub mod registry;
pub mod secrets;
pub mod setup;
pub mod tokens;
pub mod vault;

/// The result of a call to a neighbour.
pub type Result<T> = std::result::Result<T, Error>;

/// On whose behalf something is read: which token goes to Consul or Vault, and which workload the servers check.
#[derive(Clone)]
pub struct Access {
    pub alloc_id: AllocId,
    pub task: String,
    /// The task's own token, as it is now: a renewed or replaced one is used from the next call on. None: the agent's.
    pub token: Option<watch::Receiver<SecretText>>,
    /// The namespace inside Consul or Vault; none: the cluster's.
    pub namespace: Option<String>,
    /// The admin partition inside Consul; none: the agent's.
    pub partition: Option<String>,
}

impl Access {
    /// The token to send now, when the task has one.
    pub fn current_token(&self) -> Option<SecretText> {
        self.token.as_ref().map(|token| token.borrow().clone()).filter(|token| !token.is_empty())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("alloc_id", &self.alloc_id)
            .field("task", &self.task)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// One Consul of the agent's configuration, or the servers in its place.
pub trait ConsulCluster: Send + Sync + fmt::Debug {
    fn name(&self) -> &str;
    /// Whether the servers stand in its place.
    fn is_embedded(&self) -> bool;
    fn key_value(&self, access: &Access) -> Arc<dyn KeyValue>;
    fn catalogue(&self, access: &Access) -> Arc<dyn Catalogue>;
    /// Where this node's services are registered; none: the client itself keeps the servers' own catalogue.
    fn registry(&self) -> Option<Arc<dyn ServiceRegistry>>;
    /// Where a task logs in for a token of its own; none: tasks have no Consul tokens here.
    fn tokens(&self) -> Option<Arc<dyn Tokens>>;
}

/// One Vault of the agent's configuration, or the servers in its place.
pub trait VaultCluster: Send + Sync + fmt::Debug {
    fn name(&self) -> &str;
    /// Whether the servers stand in its place.
    fn is_embedded(&self) -> bool;
    fn secrets(&self, access: &Access) -> Arc<dyn Secrets>;
    /// Where a task gets a token of its own; none: the servers know the task by its node and allocation, and it needs no token.
    fn tokens(&self) -> Option<Arc<dyn Tokens>>;
}
