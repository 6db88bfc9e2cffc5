//! What an agent hands to a client: the ways to the outside that it does not know itself.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use drover_integrations::{ConsulCluster, VaultCluster};
use drover_model::job::WorkloadIdentity;

use crate::{drivers::Driver, servers::Servers, templates::Sources};

#[derive(Clone, Debug)]
pub struct ClientParts {
    /// The way to the servers: in process, or over a connection ([`crate::servers::RemoteServers`]).
    pub servers: Arc<dyn Servers>,
    /// The drivers of this node.
    pub drivers: Vec<Arc<dyn Driver>>,
    /// By name; the one called `default` is used when a job names none. A cluster without a registry stands for the servers' own catalogue.
    pub consul: BTreeMap<String, ConsulPart>,
    /// By name, as above.
    pub vault: BTreeMap<String, VaultPart>,
    /// Where templates get their data.
    pub sources: Arc<dyn Sources>,
}

/// A Consul and how tasks log in there.
#[derive(Clone, Debug)]
pub struct ConsulPart {
    pub cluster: Arc<dyn ConsulCluster>,
    /// The workload identity of tasks that read from it; none: they read with the agent's own token, unless the job itself names an identity.
    pub tasks: Option<LoginIdentity>,
    /// The same for services.
    pub services: Option<LoginIdentity>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginIdentity {
    pub audience: Vec<String>,
    pub ttl: Duration,
    /// The task finds the identity itself in its environment, or in a file.
    pub env: bool,
    pub file: bool,
    /// Where, when not at the usual place.
    pub filepath: String,
}

impl LoginIdentity {
    /// The same as a job would write it.
    pub fn identity(&self, name: &str) -> WorkloadIdentity {
        WorkloadIdentity {
            name: name.to_owned(),
            audience: self.audience.clone().into(),
            ttl: self.ttl,
            env: self.env,
            file: self.file,
            filepath: self.filepath.clone(),
            ..WorkloadIdentity::default()
        }
    }
}
