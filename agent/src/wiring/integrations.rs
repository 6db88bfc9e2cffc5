//! Consul and Vault as the configuration names them, or the servers in their place.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use drover_client::{
    Handle as ClientHandle,
    parts::{LoginIdentity, VaultPart},
};
use drover_integrations::{
    ConsulCluster,
    consul::{Consul, ConsulConfig},
    embedded::{Embedded, ServerCalls},
    http::Tls,
    vault::{LoginMethod, Vault, VaultConfig},
};
use drover_model::{node::Node, rpc::node::NodeAuth, secret::SecretText};
use drover_runtime::Runtime;

use crate::{
    StartError,
    config::{Config, ConsulSection, IdentitySection, VaultSection},
};

/// The cluster that jobs mean when they name none.
const DEFAULT: &str = "default";
/// How long finding out a neighbour's version may delay the start.
const PROBE_TIMEOUT: Duration = Duration::from_millis(1500);
/// How often a neighbour that was away at the start is looked for.
const PROBE_PACE: Duration = Duration::from_secs(10);
/// What the embedded stores are as good as. Jobs that use Consul or Vault ask nodes for at least an old version of them.
const EMBEDDED_CONSUL: &str = "1.21.0";
const EMBEDDED_VAULT: &str = "1.19.0";

/// The neighbours of a node.
pub(crate) struct Integrations {
    pub(crate) consul: BTreeMap<String, Arc<dyn ConsulCluster>>,
    pub(crate) vault: BTreeMap<String, VaultPart>,
    /// Kept to ask how they are.
    real_consul: Option<Consul>,
    real_vault: Option<Vault>,
    embedded_consul: bool,
    embedded_vault: bool,
}

impl Integrations {
    pub(crate) fn new(config: &Config, runtime: &Runtime, node: &NodeAuth, calls: &Arc<dyn ServerCalls>) -> Result<Self, StartError> {
        let embedded = || Arc::new(Embedded::new(DEFAULT, node.clone(), Arc::clone(calls)));
        let (mut consul, mut vault) = (BTreeMap::<String, Arc<dyn ConsulCluster>>::new(), BTreeMap::new());
        let (mut real_consul, mut real_vault) = (None, None);
        if config.consul.embedded {
            consul.insert(DEFAULT.to_owned(), embedded());
        } else {
            let plain = Consul::new(consul_config(&config.consul)?).map_err(|error| StartError::Integration(error.to_string()))?;
            let registering = plain.clone().registering(node.id, Arc::clone(&runtime.random));
            consul.insert(DEFAULT.to_owned(), Arc::new(registering));
            real_consul = Some(plain);
        }
        let embedded_vault = config.vault.embedded && config.vault.enabled != Some(false);
        if embedded_vault {
            vault.insert(DEFAULT.to_owned(), VaultPart { cluster: embedded(), login: None, default_role: String::new() });
        } else if config.vault.enabled == Some(true) {
            let cluster = Vault::new(vault_config(&config.vault)?).map_err(|error| StartError::Integration(error.to_string()))?;
            let part = VaultPart {
                cluster: Arc::new(cluster.clone()),
                login: config.vault.default_identity.as_ref().map(login_identity),
                default_role: config.vault.create_from_role.clone(),
            };
            vault.insert(DEFAULT.to_owned(), part);
            real_vault = Some(cluster);
        }
        Ok(Self { consul, vault, real_consul, real_vault, embedded_consul: config.consul.embedded, embedded_vault })
    }

    /// What the node says of its neighbours: jobs that use them go to nodes that have them.
    pub(crate) async fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::new();
        if self.embedded_consul {
            attributes.insert("consul.version".to_owned(), EMBEDDED_CONSUL.to_owned());
            attributes.insert("consul.embedded".to_owned(), "true".to_owned());
        }
        if self.embedded_vault {
            attributes.insert("vault.version".to_owned(), EMBEDDED_VAULT.to_owned());
            attributes.insert("vault.accessible".to_owned(), "true".to_owned());
            attributes.insert("vault.embedded".to_owned(), "true".to_owned());
        }
        let probes = async { tokio::join!(self.probe_consul(), self.probe_vault()) };
        if let Ok((consul, vault)) = tokio::time::timeout(PROBE_TIMEOUT, probes).await {
            attributes.extend(consul);
            attributes.extend(vault);
        }
        attributes
    }

    async fn probe_consul(&self) -> BTreeMap<String, String> {
        let Some(consul) = &self.real_consul else { return BTreeMap::new() };
        match consul.describe().await {
            Ok(description) => BTreeMap::from([
                ("consul.version".to_owned(), description.config.version),
                ("consul.datacenter".to_owned(), description.config.datacenter),
                ("unique.consul.name".to_owned(), description.config.node_name),
            ]),
            Err(error) => {
                tracing::debug!(%error, "Consul does not answer yet");
                BTreeMap::new()
            }
        }
    }

    async fn probe_vault(&self) -> BTreeMap<String, String> {
        let Some(vault) = &self.real_vault else { return BTreeMap::new() };
        match vault.status().await {
            Ok(status) => {
                // Servers that do not tell their version are taken for new enough.
                let version = if status.version.is_empty() { EMBEDDED_VAULT.to_owned() } else { status.version };
                BTreeMap::from([
                    ("vault.version".to_owned(), version),
                    ("vault.accessible".to_owned(), (!status.sealed).to_string()),
                    ("vault.cluster_id".to_owned(), status.cluster_id),
                    ("vault.cluster_name".to_owned(), status.cluster_name),
                ])
            }
            Err(error) => {
                tracing::debug!(%error, "Vault does not answer yet");
                BTreeMap::new()
            }
        }
    }

    /// Looks for neighbours that were away when the node started, until all are found. What was found once stays: a neighbour that goes away later must
    /// not make the node unfit for what it already runs.
    pub(crate) async fn watch(self, client: ClientHandle) {
        let is_missing = |node: &Node, product: &str| !node.attributes.contains_key(&format!("{product}.version"));
        loop {
            let node = client.node();
            let consul = self.real_consul.is_some() && is_missing(&node, "consul");
            let vault = self.real_vault.is_some() && is_missing(&node, "vault");
            if !consul && !vault {
                return;
            }
            let found = async {
                let mut found = if consul { self.probe_consul().await } else { BTreeMap::new() };
                found.extend(if vault { self.probe_vault().await } else { BTreeMap::new() });
                found
            };
            let found = found.await;
            if !found.is_empty() {
                client.update_node(|node| node.attributes.extend(found));
            }
            tokio::time::sleep(PROBE_PACE).await;
        }
    }
}

fn login_identity(section: &IdentitySection) -> LoginIdentity {
    LoginIdentity { audience: section.audience.clone(), ttl: section.ttl }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn consul_config(section: &ConsulSection) -> Result<ConsulConfig, StartError> {
    let tls = tls(section.ca_file.as_deref(), None, section.cert_file.as_deref(), section.key_file.as_deref(), !section.verify_ssl)?;
    Ok(ConsulConfig {
        name: DEFAULT.to_owned(),
        address: section.address.clone(),
        ssl: section.ssl,
        tls,
        token: section.token.clone(),
        auth: section.auth.clone(),
        namespace: text(&section.namespace),
        timeout: section.timeout,
        ..ConsulConfig::default()
    })
}

fn vault_config(section: &VaultSection) -> Result<VaultConfig, StartError> {
    let (certificate, key) = (section.cert_file.as_deref(), section.key_file.as_deref());
    let mut tls = tls(section.ca_file.as_deref(), section.ca_path.as_deref(), certificate, key, section.tls_skip_verify)?;
    tls.server_name = text(&section.tls_server_name);
    Ok(VaultConfig {
        name: DEFAULT.to_owned(),
        address: section.address.clone(),
        tls,
        namespace: text(&section.namespace),
        token: section.token.clone(),
        login: LoginMethod { jwt_path: section.jwt_auth_backend_path.clone(), default_role: text(&section.create_from_role) },
        timeout: Duration::ZERO,
    })
}

fn tls(
    ca_file: Option<&Path>,
    ca_folder: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
    skip_verify: bool,
) -> Result<Tls, StartError> {
    let read = |path: &Path| fs::read(path).map_err(|source| StartError::Read { path: path.to_owned(), source });
    let mut ca_pem = ca_file.map(read).transpose()?.into_iter().collect::<Vec<_>>();
    if let Some(folder) = ca_folder {
        let listed = fs::read_dir(folder).map_err(|source| StartError::Read { path: folder.to_owned(), source })?;
        let mut files: Vec<_> = listed.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        for file in files {
            ca_pem.push(read(&file)?);
        }
    }
    let key = key.map(read).transpose()?.map(|bytes| SecretText::new(String::from_utf8_lossy(&bytes).into_owned()));
    Ok(Tls { ca_pem, certificate_pem: certificate.map(read).transpose()?, private_key_pem: key, server_name: None, skip_verify })
}
