//! The servers in place of Consul and Vault: the same traits over calls to them.

use std::{fmt, sync::Arc, time::Duration};

use drover_model::kv::SecretVersion;
use drover_model::{
    kv::KvEntry,
    rpc::{
        self, Read, ReadMeta, ReadOptions,
        node::{
            CertificateIssue, IssuedCertificate, KvGet, KvList, NodeAuth, ServiceInstances, ServiceName, ServiceNames, WorkloadAuth,
            WorkloadSecretGet, WorkloadSecretList,
        },
        variable::{WorkloadVariableGet, WorkloadVariableList},
    },
    service::ServiceRegistration,
    variable::{Variable, VariableMetadata},
};
use futures::future::BoxFuture;

use crate::{Access, Answer, Catalogue, ConsulCluster, Error, KeyValue, Query, Result, Secrets, ServiceRegistry, Tokens, VaultCluster};

mod catalogue;
mod key_value;
mod secrets;

/// The answer of the servers to one call.
pub type Reply<'a, T> = BoxFuture<'a, std::result::Result<T, rpc::Error>>;

/// The calls that are made to the servers. Whoever implements it finds a server that answers, in process or over a connection.
pub trait ServerCalls: Send + Sync + fmt::Debug {
    fn kv_get(&self, request: KvGet) -> Reply<'_, Read<Option<Arc<KvEntry>>>>;
    fn kv_list(&self, request: KvList) -> Reply<'_, Read<Vec<Arc<KvEntry>>>>;
    fn service_instances(&self, request: ServiceInstances) -> Reply<'_, Read<Vec<Arc<ServiceRegistration>>>>;
    fn service_names(&self, request: ServiceNames) -> Reply<'_, Read<Vec<ServiceName>>>;
    fn secret_get(&self, request: WorkloadSecretGet) -> Reply<'_, Read<Option<SecretVersion>>>;
    fn secret_list(&self, request: WorkloadSecretList) -> Reply<'_, Read<Vec<String>>>;
    fn variable_get(&self, request: WorkloadVariableGet) -> Reply<'_, Read<Option<Variable>>>;
    fn variable_list(&self, request: WorkloadVariableList) -> Reply<'_, Read<Vec<VariableMetadata>>>;
    fn certificate_issue(&self, request: CertificateIssue) -> Reply<'_, IssuedCertificate>;
}

/// What a call that does not wait may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a waiting call may take beyond its wait.
const WAIT_MARGIN: Duration = Duration::from_secs(10);

/// The servers as a cluster of either kind.
#[derive(Clone)]
pub struct Embedded {
    name: Arc<str>,
    node: NodeAuth,
    calls: Arc<dyn ServerCalls>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Embedded {
    /// `node` is who asks: the servers check what its allocations may read.
    pub fn new(name: impl Into<Arc<str>>, node: NodeAuth, calls: Arc<dyn ServerCalls>) -> Self {
        Self { name: name.into(), node, calls }
    }
}

impl ConsulCluster for Embedded {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_embedded(&self) -> bool {
        true
    }

    fn key_value(&self, _: &Access) -> Arc<dyn KeyValue> {
        Arc::new(key_value::EmbeddedKeyValue { calls: Arc::clone(&self.calls) })
    }

    fn catalogue(&self, access: &Access) -> Arc<dyn Catalogue> {
        Arc::new(catalogue::EmbeddedCatalogue { calls: Arc::clone(&self.calls), namespace: access.namespace.clone() })
    }

    fn registry(&self) -> Option<Arc<dyn ServiceRegistry>> {
        None
    }

    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        None
    }
}

impl VaultCluster for Embedded {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_embedded(&self) -> bool {
        true
    }

    fn secrets(&self, access: &Access) -> Arc<dyn Secrets> {
        let auth = WorkloadAuth { node: self.node.clone(), alloc_id: access.alloc_id, task: access.task.clone() };
        Arc::new(secrets::EmbeddedSecrets { calls: Arc::clone(&self.calls), auth })
    }

    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        None
    }
}

/// A question to the servers, as they are asked.
fn options(query: &Query) -> ReadOptions {
    let max_wait = (query.index > 0).then(|| query.wait.min(Query::LONGEST_WAIT));
    ReadOptions { min_index: query.index, max_wait, stale: !query.max_stale.is_zero(), ..ReadOptions::default() }
}

/// Makes a call with a time limit that fits its question.
async fn ask<T>(call: &str, query: &Query, reply: Reply<'_, T>) -> Result<T> {
    let limit = if query.index > 0 { query.wait.min(Query::LONGEST_WAIT) + WAIT_MARGIN } else { CALL_TIMEOUT };
    match tokio::time::timeout(limit, reply).await {
        Ok(done) => done.map_err(|error| refused(call, error)),
        Err(_) => Err(Error::Timeout { peer: peer(), call: call.to_owned(), after: limit }),
    }
}

fn answer<T>(read: Read<T>) -> Answer<T> {
    let Read { meta: ReadMeta { index, .. }, data } = read;
    Answer { index, data }
}

fn refused(call: &str, error: rpc::Error) -> Error {
    let call = call.to_owned();
    if error.is_unavailable() {
        Error::Unreachable { peer: peer(), call, reason: error.message }
    } else if error.status == 404 {
        Error::NotFound { peer: peer(), what: error.message }
    } else {
        Error::Refused { peer: peer(), call, status: error.status, message: error.message }
    }
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported { peer: peer(), what: what.to_owned() }
}

fn peer() -> String {
    "the servers".to_owned()
}

#[cfg(test)]
mod tests;
