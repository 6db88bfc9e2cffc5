//! Consul: its key-value store, its catalogue, and its agent on this machine.

use std::{fmt, sync::Arc, time::Duration};

use drover_model::{ids::NodeId, secret::SecretText};
use drover_runtime::Random;
use reqwest::Method;
use serde::de::DeserializeOwned;

use crate::{
    Access, Answer, Catalogue, ConsulCluster, Error, KeyValue, Query, Result, ServiceRegistry, Tokens,
    catalogue::Instance,
    http::{self, Call, Endpoint, Reply, Tls, encode},
};

pub use advertise::{Advertiser, Part};
pub use login::LoginMethods;
pub use sync::{ServiceLogins, ServiceSync};

mod advertise;
mod agent;
mod catalogue;
mod kv;
mod login;
mod sync;

/// The answer to a waiting query comes up to a sixteenth later than asked, which is how Consul spreads them, and takes a while to arrive.
const WAIT_MARGIN: Duration = Duration::from_secs(10);

/// Where a Consul is and how to speak to it, as the agent's configuration says.
#[derive(Clone, Debug, Default)]
pub struct ConsulConfig {
    /// The cluster's name in the agent's configuration: `default` unless there are several.
    pub name: String,
    /// `HOST:PORT`, with or without a scheme, or `unix:///PATH`.
    pub address: String,
    pub ssl: bool,
    pub tls: Tls,
    pub token: SecretText,
    /// `USER:PASSWORD` for a proxy before it.
    pub auth: SecretText,
    pub namespace: Option<String>,
    /// For one call; zero: the default.
    pub timeout: Duration,
    pub login: LoginMethods,
}

/// A Consul. Clones share the connections.
#[derive(Clone)]
pub struct Consul {
    name: Arc<str>,
    endpoint: Endpoint,
    token: SecretText,
    auth: SecretText,
    namespace: Option<String>,
    partition: Option<String>,
    login: LoginMethods,
    registry: Option<Arc<ServiceSync>>,
}

impl fmt::Debug for Consul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consul").field("name", &self.name).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Consul {
    pub fn new(config: ConsulConfig) -> Result<Self> {
        let timeout = if config.timeout.is_zero() { http::DEFAULT_TIMEOUT } else { config.timeout };
        let endpoint = Endpoint::new("Consul", &config.address, config.ssl, &config.tls, timeout)?;
        Ok(Self {
            name: config.name.into(),
            endpoint,
            token: config.token,
            auth: config.auth,
            namespace: config.namespace.filter(|name| !name.is_empty()),
            partition: None,
            login: config.login,
            registry: None,
        })
    }

    /// Also registers the services of the allocations of `node`. The tasks that do so end when the last clone of the result is dropped.
    /// `logins` says how services get tokens of their own; none: all are registered with the agent's.
    pub fn registering(mut self, node: NodeId, random: Arc<dyn Random>, logins: Option<ServiceLogins>) -> Self {
        self.registry = Some(Arc::new(ServiceSync::start(self.clone(), node, random, logins)));
        self
    }

    /// The same Consul, asked with another token and namespace.
    fn acting_as(&self, access: &Access) -> Self {
        let mut other = self.clone();
        if let Some(token) = access.current_token() {
            other.token = token;
        }
        if access.namespace.as_ref().is_some_and(|name| !name.is_empty()) {
            other.namespace.clone_from(&access.namespace);
        }
        if access.partition.as_ref().is_some_and(|name| !name.is_empty()) {
            other.partition.clone_from(&access.partition);
        }
        other
    }

    /// The version and what else the agent says of itself: what fingerprints show. Fields that are missing stay empty.
    pub async fn describe(&self) -> Result<agent::SelfDescription> {
        self.get(Call::get("/v1/agent/self")).await
    }

    /// Addresses (`HOST:PORT`) of the instances of `service` that carry `tag` and pass their checks, sorted: how servers are found.
    pub async fn find(&self, service: &str, tag: &str) -> Result<Vec<String>> {
        let path = format!("/v1/health/service/{}", encode(service, ""));
        let found: Answer<Vec<Instance>> = self.ask(&path, &Query::now(), &[("passing", "1"), ("tag", tag)], None).await?;
        let mut addresses: Vec<String> = found.data.iter().map(|instance| host_port(instance.address(), instance.service.port)).collect();
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }

    fn authorized(&self, call: Call) -> Call {
        let call = call.header("x-consul-token", self.token.clone());
        if self.auth.is_empty() {
            return call;
        }
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, self.auth.expose());
        call.header("authorization", format!("Basic {basic}").into())
    }

    /// Makes a call that must succeed and reads its answer.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let reply = self.call(call).await?;
        self.endpoint.parse("the question", &reply.body)
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Reply> {
        let call = self.authorized(call).query_option("ns", self.namespace.as_deref()).query_option("partition", self.partition.as_deref());
        self.endpoint.expect(call, refusal).await
    }

    /// The same Consul, asked by whoever has this token. An empty one is the agent's own.
    fn holding(&self, token: &SecretText) -> Self {
        let mut other = self.clone();
        if !token.is_empty() {
            other.token = token.clone();
        }
        other
    }

    /// The same Consul, asked in a namespace; an empty one is the cluster's.
    fn within(&self, namespace: &str) -> Self {
        let mut other = self.clone();
        if !namespace.is_empty() {
            other.namespace = Some(namespace.to_owned());
        }
        other
    }

    async fn put(&self, path: String, body: &serde_json::Value) -> Result<()> {
        self.call(Call::new(Method::PUT, path).json(body)).await.map(|_| ())
    }

    /// Asks a question that may wait. `missing` is the answer to a 404, which has an index too.
    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        parameters: &[(&str, &str)],
        missing: Option<T>,
    ) -> Result<Answer<T>> {
        let shown = format!("GET {path}");
        let stale = !query.max_stale.is_zero();
        let mut reply = self.endpoint.send(self.question(path, query, parameters, stale)).await?;
        if stale && age(&reply) > query.max_stale {
            // Whoever answered has been cut off for too long.
            reply = self.endpoint.send(self.question(path, query, parameters, false)).await?;
        }
        let index = reply.header("x-consul-index").and_then(|text| text.parse().ok()).unwrap_or(0);
        match missing {
            Some(data) if reply.status == 404 => Ok(Answer { index, data }),
            _ if !reply.is_success() => Err(self.endpoint.refused(&shown, &reply, refusal)),
            _ => Ok(Answer { index, data: self.endpoint.parse(&shown, &reply.body)? }),
        }
    }

    fn question(&self, path: &str, query: &Query, parameters: &[(&str, &str)], stale: bool) -> Call {
        let scope = &query.scope;
        let mut call = self.authorized(Call::get(path));
        for (name, value) in parameters {
            call = call.query(name, *value);
        }
        for (name, value) in [
            ("dc", scope.datacenter.as_deref()),
            ("ns", scope.namespace.as_deref().or(self.namespace.as_deref())),
            ("partition", scope.partition.as_deref().or(self.partition.as_deref())),
            ("peer", scope.peer.as_deref()),
            ("sg", scope.sameness_group.as_deref()),
            ("near", scope.near.as_deref()),
        ] {
            call = call.query_option(name, value);
        }
        if stale {
            call = call.query("stale", "");
        }
        if query.index > 0 {
            let wait = query.wait.min(Query::LONGEST_WAIT);
            call = call.query("index", query.index.to_string()).query("wait", duration_text(wait)).timeout(wait + wait / 16 + WAIT_MARGIN);
        }
        call
    }
}

/// How long ago whoever answered last heard of its leader.
fn age(reply: &Reply) -> Duration {
    let milliseconds = reply.header("x-consul-lastcontact").and_then(|text| text.parse().ok()).unwrap_or(0);
    Duration::from_millis(milliseconds)
}

impl ConsulCluster for Consul {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_embedded(&self) -> bool {
        false
    }

    fn key_value(&self, access: &Access) -> Arc<dyn KeyValue> {
        Arc::new(kv::ConsulKeyValue { consul: self.clone(), access: access.clone() })
    }

    fn catalogue(&self, access: &Access) -> Arc<dyn Catalogue> {
        Arc::new(catalogue::ConsulCatalogue { consul: self.clone(), access: access.clone() })
    }

    fn registry(&self) -> Option<Arc<dyn ServiceRegistry>> {
        self.registry.clone().map(|registry| registry as Arc<dyn ServiceRegistry>)
    }

    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        Some(Arc::new(login::ConsulTokens { consul: self.clone() }))
    }
}

fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A duration as Go programs read it.
fn duration_text(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// Consul's errors are plain text.
fn refusal(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().to_owned()
}

/// Something that Consul does not have at all.
fn unsupported(consul: &Consul, what: &str) -> Error {
    Error::Unsupported { peer: consul.endpoint.peer().to_owned(), what: what.to_owned() }
}
