//! The types of the `consul` and `vault` blocks.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use drover_model::secret::SecretText;

/// The cluster that is meant when a job or a block names none.
pub const DEFAULT_CLUSTER: &str = "default";

/// The clusters of one kind: the one that jobs mean when they name none, and others by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters<T> {
    pub default: T,
    pub named: BTreeMap<String, T>,
}

impl<T> Clusters<T> {
    /// All of them with their names, the default one first.
    pub fn all(&self) -> impl Iterator<Item = (&str, &T)> {
        std::iter::once((DEFAULT_CLUSTER, &self.default)).chain(self.named.iter().map(|(name, cluster)| (name.as_str(), cluster)))
    }
}

/// How a part of the agent is checked by Consul.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdvertisedCheck {
    pub failures_before_critical: u32,
    pub failures_before_warning: u32,
}

/// Where the catalogue and the key-value store are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulSection {
    /// Whether a block or the environment said anything.
    pub given: bool,
    pub embedded: bool,
    pub address: String,
    pub token: SecretText,
    pub auth: SecretText,
    pub ssl: bool,
    pub verify_ssl: bool,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub namespace: String,
    pub timeout: Duration,
    pub tags: Vec<String>,
    pub auto_advertise: bool,
    pub server_auto_join: bool,
    pub client_auto_join: bool,
    pub server_service_name: String,
    pub client_service_name: String,
    /// Checks ask the advertised addresses, not those that are listened at.
    pub checks_use_advertise: bool,
    pub server_http_check_name: String,
    pub server_serf_check_name: String,
    pub server_rpc_check_name: String,
    pub client_http_check_name: String,
    pub server_check: AdvertisedCheck,
    pub client_check: AdvertisedCheck,
    pub service_auth_method: String,
    pub task_auth_method: String,
    pub service_identity: Option<IdentitySection>,
    pub task_identity: Option<IdentitySection>,
}

impl Default for ConsulSection {
    fn default() -> Self {
        Self {
            given: false,
            embedded: false,
            address: "127.0.0.1:8500".to_owned(),
            token: SecretText::default(),
            auth: SecretText::default(),
            ssl: false,
            verify_ssl: true,
            ca_file: None,
            cert_file: None,
            key_file: None,
            namespace: String::new(),
            timeout: Duration::from_secs(5),
            tags: Vec::new(),
            auto_advertise: true,
            server_auto_join: true,
            client_auto_join: true,
            server_service_name: "nomad".to_owned(),
            client_service_name: "nomad-client".to_owned(),
            checks_use_advertise: false,
            server_http_check_name: "Nomad Server HTTP Check".to_owned(),
            server_serf_check_name: "Nomad Server Serf Check".to_owned(),
            server_rpc_check_name: "Nomad Server RPC Check".to_owned(),
            client_http_check_name: "Nomad Client HTTP Check".to_owned(),
            server_check: AdvertisedCheck::default(),
            client_check: AdvertisedCheck::default(),
            service_auth_method: "nomad-workloads".to_owned(),
            task_auth_method: "nomad-workloads".to_owned(),
            service_identity: None,
            task_identity: None,
        }
    }
}

/// Where secrets and certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultSection {
    /// Whether a block or the environment said anything.
    pub given: bool,
    pub enabled: Option<bool>,
    pub embedded: bool,
    pub address: String,
    pub token: SecretText,
    pub namespace: String,
    pub create_from_role: String,
    pub jwt_auth_backend_path: String,
    pub ca_file: Option<PathBuf>,
    pub ca_path: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub tls_skip_verify: bool,
    pub tls_server_name: String,
    pub default_identity: Option<IdentitySection>,
}

impl Default for VaultSection {
    fn default() -> Self {
        Self {
            given: false,
            enabled: None,
            embedded: false,
            address: "https://vault.service.consul:8200".to_owned(),
            token: SecretText::default(),
            namespace: String::new(),
            create_from_role: String::new(),
            jwt_auth_backend_path: "jwt-nomad".to_owned(),
            ca_file: None,
            ca_path: None,
            cert_file: None,
            key_file: None,
            tls_skip_verify: false,
            tls_server_name: String::new(),
            default_identity: None,
        }
    }
}

/// The workload identity that tasks get without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySection {
    pub audience: Vec<String>,
    pub env: bool,
    pub file: bool,
    pub filepath: String,
    pub ttl: Duration,
    pub extra_claims: BTreeMap<String, String>,
}
