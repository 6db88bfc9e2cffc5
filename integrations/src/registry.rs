//! The catalogue, written: the services that this node's allocations offer.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use drover_model::{
    ids::{AllocId, Name},
    secret::SecretText,
    service::CheckStatus,
};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::Result;

/// Keeps the catalogue as declared: [`ServiceRegistry::set`] says what an allocation offers, and the registry sees to it, however often the catalogue is
/// away or loses it. All methods return at once, except where they return a future.
pub trait ServiceRegistry: Send + Sync + fmt::Debug {
    /// Declares all that an allocation offers; what it offered before and is not among `services` goes. The same declaration again writes nothing.
    fn set(&self, services: ServiceSet);

    /// Takes all services of an allocation out. The future ends when the catalogue has confirmed it, or after [`REMOVE_PATIENCE`]; it is done in any case.
    fn remove(&self, allocation: AllocId) -> BoxFuture<'static, ()>;

    /// The state of an allocation's checks, looked at about once per `every` while somebody holds the receiver.
    fn health(&self, allocation: AllocId, every: Duration) -> watch::Receiver<Arc<Health>>;

    /// Reports the outcome of a check of kind [`CheckKind::Reported`].
    fn report(&self, check_id: &str, status: CheckStatus, output: &str);

    /// Says that all allocations which still run have been declared: from now on, what earlier runs of this node left in the catalogue goes.
    fn restored(&self);
}

/// How long [`ServiceRegistry::remove`] waits for the catalogue.
pub const REMOVE_PATIENCE: Duration = Duration::from_secs(5);

/// How often a deployment's health is looked at.
pub const DEPLOYMENT_PACE: Duration = Duration::from_millis(250);

/// All services of one allocation.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSet {
    pub allocation: AllocId,
    /// The job's namespace and id.
    pub namespace: Name,
    pub job_id: Name,
    pub services: Vec<Service>,
}

/// A service as it shall stand in the catalogue: names, addresses and ports are resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// See [`service_id`].
    pub id: String,
    pub name: String,
    /// The namespace inside Consul; empty: the cluster's.
    pub consul_namespace: String,
    pub tags: Vec<String>,
    pub meta: BTreeMap<String, String>,
    pub address: String,
    pub port: u16,
    pub tagged_addresses: BTreeMap<String, (String, u16)>,
    /// Passing, warning.
    pub weights: Option<(u32, u32)>,
    pub enable_tag_override: bool,
    pub kind: String,
    pub checks: Vec<Check>,
    /// What to log in with, where a service needs a token of its own to be registered.
    pub identity: ServiceIdentity,
}

/// A workload identity of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// The identity's name; empty: the job names none, and the catalogue's own settings say whether there is one.
    pub name: String,
    /// The service's name as the job has it.
    pub service: String,
    /// The task that the service belongs to; empty: the group.
    pub task: String,
    pub audience: Vec<String>,
    pub ttl: Duration,
}

/// Has identities of services signed.
pub trait ServiceSigner: Send + Sync + fmt::Debug {
    fn sign<'a>(&'a self, allocation: AllocId, identity: &'a ServiceIdentity) -> BoxFuture<'a, Result<SecretText>>;
}

/// A check of a service, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// See [`check_id`].
    pub id: String,
    pub name: String,
    pub kind: CheckKind,
    pub interval: Duration,
    pub timeout: Duration,
    /// What it is until it has run; none: critical.
    pub initial_status: Option<CheckStatus>,
    pub success_before_passing: u32,
    pub failures_before_warning: u32,
    pub failures_before_critical: u32,
    pub notes: String,
    /// The catalogue itself forgets the service when the check was critical for as long.
    pub deregister_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    Http {
        url: String,
        method: String,
        headers: BTreeMap<String, Vec<String>>,
        body: String,
        tls_server_name: String,
        tls_skip_verify: bool,
    },
    /// `HOST:PORT`.
    Tcp { address: String },
    /// `HOST:PORT`, and the service's name in the health protocol (empty: the whole server).
    Grpc { address: String, service: String, tls: bool, tls_server_name: String, tls_skip_verify: bool },
    /// Run by somebody else, who calls [`ServiceRegistry::report`]; critical when that did not happen for `ttl`.
    Reported { ttl: Duration },
}

/// How the checks of one allocation are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// False until the catalogue was seen to have all services of the allocation.
    pub registered: bool,
    /// By check id.
    pub checks: BTreeMap<String, CheckState>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckState {
    pub name: String,
    pub service_id: String,
    pub service_name: String,
    pub status: CheckStatus,
    pub output: String,
}

/// What every service id of ours begins with.
pub const SERVICE_ID_PREFIX: &str = "_nomad-task-";

/// The id of a service: `owner` is `group-GROUP` or the task's name, `port` the label.
pub fn service_id(allocation: AllocId, owner: &str, name: &str, port: &str) -> String {
    format!("{SERVICE_ID_PREFIX}{allocation}-{owner}-{name}-{port}")
}

/// The allocation that a service id of ours belongs to.
pub fn allocation_of(service_id: &str) -> Option<AllocId> {
    service_id.strip_prefix(SERVICE_ID_PREFIX)?.get(..36)?.parse().ok()
}

/// The id of a service's check. It stays the same when tags, addresses or the check's own settings change, so that its state does too.
pub fn check_id(service_id: &str, check_name: &str, position: usize) -> String {
    let digest = Sha256::digest(format!("{service_id}\0{check_name}\0{position}"));
    let hex: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    format!("_nomad-check-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_their_allocation_and_stay() {
        let allocation: AllocId = "11111111-2222-3333-4444-555555555555".parse().unwrap();
        let id = service_id(allocation, "group-web", "shop", "https");
        assert_eq!(id, "_nomad-task-11111111-2222-3333-4444-555555555555-group-web-shop-https");
        assert_eq!(allocation_of(&id), Some(allocation));
        for foreign in ["web", "_nomad-task-", "_nomad-task-11111111-2222", "_nomad-client-11111111-2222-3333-4444-555555555555"] {
            assert_eq!(allocation_of(foreign), None, "{foreign}");
        }
        assert_eq!(check_id(&id, "ready", 0), check_id(&id, "ready", 0));
        assert_ne!(check_id(&id, "ready", 0), check_id(&id, "ready", 1));
    }
}
