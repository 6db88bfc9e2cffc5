//! What an agent hands to a client: the ways to the outside that it does not know itself.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use drover_integrations::{ConsulCluster, VaultCluster};

use crate::{drivers::Driver, servers::Servers, templates::Sources};

#[derive(Clone, Debug)]
pub struct ClientParts {
    /// The way to the servers: in process, or over a connection ([`crate::servers::RemoteServers`]).
    pub servers: Arc<dyn Servers>,
    /// The drivers of this node.
    pub drivers: Vec<Arc<dyn Driver>>,
    /// By name; the one called `default` is used when a job names none. A cluster without a registry stands for the servers' own catalogue.
    pub consul: BTreeMap<String, Arc<dyn ConsulCluster>>,
    /// By name, as above.
    pub vault: BTreeMap<String, VaultPart>,
    /// Where templates get their data.
    pub sources: Arc<dyn Sources>,
}

/// A Vault and how tasks log in there.
#[derive(Clone)]
pub struct VaultPart {
    pub cluster: Arc<dyn VaultCluster>,
    /// The workload identity to log in with; none: a child of the agent's own token is made.
    pub login: Option<LoginIdentity>,
    /// The role to log in as when the job names none; empty: the login method's own.
    pub default_role: String,
}

impl fmt::Debug for VaultPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultPart").field("cluster", &self.cluster).field("login", &self.login).finish_non_exhaustive()
    }
}

/// Which workload identity to have signed for a login, when the job does not name one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginIdentity {
    pub audience: Vec<String>,
    pub ttl: Duration,
}
