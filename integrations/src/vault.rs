//! Vault, and whatever speaks its API: OpenBao, RustyVault.

use std::{fmt, sync::Arc, time::Duration};

use drover_model::secret::SecretText;
use serde::Deserialize;

use crate::{
    Access, Error, Result, Secrets, Tokens, VaultCluster,
    http::{self, Call, Endpoint, Reply, Tls},
};

pub use tokens::LoginMethod;

mod answer;
mod mounts;
mod secrets;
mod tokens;

/// Where a Vault is and how to speak to it, as the agent's configuration says.
#[derive(Clone, Debug, Default)]
pub struct VaultConfig {
    /// The cluster's name in the agent's configuration: `default` unless there are several.
    pub name: String,
    /// `http(s)://HOST:PORT`.
    pub address: String,
    pub tls: Tls,
    pub namespace: Option<String>,
    /// The agent's own token: tasks without an identity for this Vault get children of it.
    pub token: SecretText,
    pub login: LoginMethod,
    /// For one call; zero: the default.
    pub timeout: Duration,
}

/// A Vault. Clones share the connections and what was learned of its mounts.
#[derive(Clone)]
pub struct Vault {
    name: Arc<str>,
    endpoint: Endpoint,
    token: SecretText,
    namespace: Option<String>,
    login: LoginMethod,
    mounts: Arc<mounts::Mounts>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("name", &self.name).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// How a Vault is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Empty when it does not say.
    pub version: String,
    pub sealed: bool,
    pub cluster_id: String,
    pub cluster_name: String,
}

impl Vault {
    pub fn new(config: VaultConfig) -> Result<Self> {
        let timeout = if config.timeout.is_zero() { http::DEFAULT_TIMEOUT } else { config.timeout };
        let endpoint = Endpoint::new("Vault", &config.address, true, &config.tls, timeout)?;
        Ok(Self {
            name: config.name.into(),
            endpoint,
            token: config.token,
            namespace: config.namespace.filter(|name| !name.is_empty()),
            login: config.login,
            mounts: Arc::default(),
        })
    }

    /// How it is; an error when it cannot be reached. A sealed one is an answer.
    pub async fn status(&self) -> Result<Status> {
        let health = ["standbyok", "perfstandbyok"].iter().fold(Call::get("/v1/sys/health"), |call, name| call.query(name, "true"));
        let reply = self.endpoint.send(health.query("sealedcode", "200").query("uninitcode", "200")).await?;
        if reply.is_success() {
            return self.endpoint.parse("GET sys/health", &reply.body);
        }
        // Smaller servers tell their seal alone.
        let reply = self.endpoint.expect(Call::get("/v1/sys/seal-status"), answer::refusal).await?;
        self.endpoint.parse("GET sys/seal-status", &reply.body)
    }

    /// The same Vault, asked with another token and namespace.
    fn acting_as(&self, access: &Access) -> Self {
        let mut other = self.clone();
        if let Some(token) = access.current_token() {
            other.token = token;
        }
        other.in_namespace(access.namespace.as_deref());
        other
    }

    fn in_namespace(&mut self, namespace: Option<&str>) {
        if let Some(namespace) = namespace.filter(|name| !name.is_empty()) {
            self.namespace = Some(namespace.to_owned());
        }
    }

    /// Makes a call that may be refused; a sealed Vault is an error.
    async fn send(&self, call: Call) -> Result<Reply> {
        let call = call
            .header("x-vault-token", self.token.clone())
            .header("x-vault-namespace", self.namespace.clone().unwrap_or_default().into())
            .header("x-vault-request", "true".to_owned().into());
        let reply = self.endpoint.send(call).await?;
        if reply.status == 503 && answer::refusal(&reply.body).to_lowercase().contains("sealed") {
            return Err(Error::Sealed { peer: self.endpoint.peer().to_owned() });
        }
        Ok(reply)
    }

    /// Makes a call that must succeed. `shown` stands in errors.
    pub(crate) async fn call(&self, call: Call, shown: &str) -> Result<Reply> {
        let reply = self.send(call).await?;
        if reply.is_success() { Ok(reply) } else { Err(self.endpoint.refused(shown, &reply, answer::refusal)) }
    }

    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self, shown: &str, body: &[u8]) -> Result<T> {
        self.endpoint.parse(shown, body)
    }

    fn unsupported(&self, what: &str) -> Error {
        Error::Unsupported { peer: self.endpoint.peer().to_owned(), what: what.to_owned() }
    }
}

impl VaultCluster for Vault {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_embedded(&self) -> bool {
        false
    }

    fn secrets(&self, access: &Access) -> Arc<dyn Secrets> {
        Arc::new(secrets::VaultSecrets { vault: self.clone(), access: access.clone() })
    }

    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        Some(Arc::new(tokens::VaultTokens { vault: self.clone() }))
    }
}
