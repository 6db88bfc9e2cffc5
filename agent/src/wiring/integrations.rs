//! Consul and Vault as the configuration names them, or the servers in their place.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use drover_client::{
    Handle as ClientHandle,
    parts::{ConsulPart, LoginIdentity, VaultPart},
    servers::Servers,
};
use drover_integrations::{
    ConsulCluster,
    consul::{Consul, ConsulConfig, LoginMethods, ServiceLogins},
    embedded::{Embedded, ServerCalls},
    http::Tls,
    vault::{LoginMethod, Vault, VaultConfig},
};
use drover_model::{node::Node, rpc::node::NodeAuth, secret::SecretText};
use drover_runtime::Runtime;

use super::identities::Signer;
use crate::{
    StartError,
    config::{Config, ConsulSection, DEFAULT_CLUSTER, IdentitySection, VaultSection},
};

/// How long finding out a neighbour's version may delay the start.
const PROBE_TIMEOUT: Duration = Duration::from_millis(1500);
/// How often a neighbour that was away at the start is looked for.
const PROBE_PACE: Duration = Duration::from_secs(10);
/// What the embedded stores are as good as. Jobs that use Consul or Vault ask nodes for at least an old version of them.
const EMBEDDED_CONSUL: &str = "1.21.0";
const EMBEDDED_VAULT: &str = "1.19.0";

/// The neighbours of a node.
pub(crate) struct Integrations {
    pub(crate) consul: BTreeMap<String, ConsulPart>,
    pub(crate) vault: BTreeMap<String, VaultPart>,
    /// Kept to ask how they are, by name.
    real_consul: BTreeMap<String, Consul>,
    real_vault: BTreeMap<String, Vault>,
    embedded_consul: bool,
    embedded_vault: bool,
}

/// Who the node is, and how it reaches the servers.
pub(crate) struct NodeParts<'a> {
    pub(crate) auth: &'a NodeAuth,
    /// None: nothing runs here that would be registered, or would log in.
    pub(crate) servers: Option<&'a Arc<dyn Servers>>,
    pub(crate) calls: &'a Arc<dyn ServerCalls>,
    /// Where the client keeps what it needs after a restart; none: nobody comes back for it.
    pub(crate) state_dir: Option<&'a Path>,
}

impl Integrations {
    pub(crate) fn new(config: &Config, runtime: &Runtime, node: &NodeParts<'_>) -> Result<Self, StartError> {
        let embedded = || Arc::new(Embedded::new(DEFAULT_CLUSTER, node.auth.clone(), Arc::clone(node.calls)));
        let mut all = Self {
            consul: BTreeMap::new(),
            vault: BTreeMap::new(),
            real_consul: BTreeMap::new(),
            real_vault: BTreeMap::new(),
            embedded_consul: config.consul.default.embedded,
            embedded_vault: config.vault.default.embedded && config.vault.default.enabled != Some(false),
        };
        if all.embedded_consul {
            all.consul.insert(DEFAULT_CLUSTER.to_owned(), ConsulPart { cluster: embedded(), tasks: None, services: None });
        }
        if all.embedded_vault {
            let part = VaultPart { cluster: embedded(), login: None, default_role: String::new() };
            all.vault.insert(DEFAULT_CLUSTER.to_owned(), part);
        }
        for (name, section) in config.consul.all().filter(|(_, section)| !section.embedded) {
            all.add_consul(name, section, runtime, node)?;
        }
        for (name, section) in config.vault.all().filter(|(_, section)| !section.embedded && section.enabled == Some(true)) {
            all.add_vault(name, section)?;
        }
        Ok(all)
    }

    fn add_consul(&mut self, name: &str, section: &ConsulSection, runtime: &Runtime, node: &NodeParts<'_>) -> Result<(), StartError> {
        let plain = consul(name, section)?;
        let services = section.service_identity.as_ref().map(login_identity);
        let cluster = match node.servers {
            Some(servers) => {
                let logins = ServiceLogins {
                    signer: Arc::new(Signer::new(node.auth.clone(), Arc::clone(servers))),
                    default: services.clone().map(|login| (login.audience, login.ttl)),
                    kept: node.state_dir.map(|folder| (Arc::clone(&runtime.disk), folder.join(format!("consul-{name}.tokens")))),
                };
                plain.clone().registering(node.auth.id, Arc::clone(&runtime.random), Some(logins))
            }
            None => plain.clone(),
        };
        let tasks = section.task_identity.as_ref().map(login_identity);
        self.consul.insert(name.to_owned(), ConsulPart { cluster: Arc::new(cluster), tasks, services });
        self.real_consul.insert(name.to_owned(), plain);
        Ok(())
    }

    fn add_vault(&mut self, name: &str, section: &VaultSection) -> Result<(), StartError> {
        let cluster = vault(name, section)?;
        let part = VaultPart {
            cluster: Arc::new(cluster.clone()),
            login: section.default_identity.as_ref().map(login_identity),
            default_role: section.create_from_role.clone(),
        };
        self.vault.insert(name.to_owned(), part);
        self.real_vault.insert(name.to_owned(), cluster);
        Ok(())
    }

    /// All Consuls, to read from.
    pub(crate) fn clusters(&self) -> BTreeMap<String, Arc<dyn ConsulCluster>> {
        self.consul.iter().map(|(name, part)| (name.clone(), Arc::clone(&part.cluster))).collect()
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
        attributes.extend(self.probe(&|_| true, Some(PROBE_TIMEOUT)).await);
        attributes
    }

    /// Asks the neighbours that are wanted, by their key in the attributes, all at the same time.
    async fn probe(&self, is_wanted: &(dyn Fn(&str) -> bool + Sync), limit: Option<Duration>) -> BTreeMap<String, String> {
        let limited = |work| async move {
            match limit {
                Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_default(),
                None => work.await,
            }
        };
        let consuls = self.real_consul.iter().filter(|(name, _)| is_wanted(&key("consul", name, "version")));
        let vaults = self.real_vault.iter().filter(|(name, _)| is_wanted(&key("vault", name, "version")));
        let consuls = futures::future::join_all(consuls.map(|(name, consul)| limited(Box::pin(probe_consul(name, consul)) as Probe<'_>)));
        let vaults = futures::future::join_all(vaults.map(|(name, vault)| limited(Box::pin(probe_vault(name, vault)) as Probe<'_>)));
        let (consuls, vaults) = tokio::join!(consuls, vaults);
        consuls.into_iter().chain(vaults).flatten().collect()
    }

    /// Looks for neighbours that were away when the node started, until all are found. What was found once stays: a neighbour that goes away later must
    /// not make the node unfit for what it already runs.
    pub(crate) async fn watch(self, client: ClientHandle) {
        let keys = self.real_consul.keys().map(|name| key("consul", name, "version"));
        let all: Vec<String> = keys.chain(self.real_vault.keys().map(|name| key("vault", name, "version"))).collect();
        loop {
            let node: Arc<Node> = client.node();
            let is_missing = |key: &str| !node.attributes.contains_key(key);
            if !all.iter().any(|key| is_missing(key)) {
                return;
            }
            let found = self.probe(&is_missing, None).await;
            if !found.is_empty() {
                client.update_node(|node| node.attributes.extend(found));
            }
            tokio::time::sleep(PROBE_PACE).await;
        }
    }
}

type Probe<'a> = futures::future::BoxFuture<'a, BTreeMap<String, String>>;

/// `consul.version`, or `consul.NAME.version` for other clusters than the default one.
fn key(product: &str, cluster: &str, what: &str) -> String {
    if cluster == DEFAULT_CLUSTER { format!("{product}.{what}") } else { format!("{product}.{cluster}.{what}") }
}

async fn probe_consul(name: &str, consul: &Consul) -> BTreeMap<String, String> {
    match consul.describe().await {
        Ok(description) => BTreeMap::from([
            (key("consul", name, "version"), description.config.version),
            (key("consul", name, "datacenter"), description.config.datacenter),
            (key("consul", name, "revision"), description.config.revision),
            (key("consul", name, "server"), description.config.server.to_string()),
            (format!("unique.{}", key("consul", name, "name")), description.config.node_name),
        ]),
        Err(error) => {
            tracing::debug!(cluster = name, %error, "Consul does not answer yet");
            BTreeMap::new()
        }
    }
}

async fn probe_vault(name: &str, vault: &Vault) -> BTreeMap<String, String> {
    match vault.status().await {
        Ok(status) => {
            // Servers that do not tell their version are taken for new enough.
            let version = if status.version.is_empty() { EMBEDDED_VAULT.to_owned() } else { status.version };
            BTreeMap::from([
                (key("vault", name, "version"), version),
                (key("vault", name, "accessible"), (!status.sealed).to_string()),
                (key("vault", name, "cluster_id"), status.cluster_id),
                (key("vault", name, "cluster_name"), status.cluster_name),
            ])
        }
        Err(error) => {
            tracing::debug!(cluster = name, %error, "Vault does not answer yet");
            BTreeMap::new()
        }
    }
}

fn login_identity(section: &IdentitySection) -> LoginIdentity {
    LoginIdentity {
        audience: section.audience.clone(),
        ttl: section.ttl,
        env: section.env,
        file: section.file,
        filepath: section.filepath.clone(),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// The Consul of one block.
pub(crate) fn consul(name: &str, section: &ConsulSection) -> Result<Consul, StartError> {
    Consul::new(consul_config(name, section)?).map_err(|error| StartError::Integration(error.to_string()))
}

fn consul_config(name: &str, section: &ConsulSection) -> Result<ConsulConfig, StartError> {
    let tls = tls(section.ca_file.as_deref(), None, section.cert_file.as_deref(), section.key_file.as_deref(), !section.verify_ssl)?;
    Ok(ConsulConfig {
        name: name.to_owned(),
        address: section.address.clone(),
        ssl: section.ssl,
        tls,
        token: section.token.clone(),
        auth: section.auth.clone(),
        namespace: text(&section.namespace),
        timeout: section.timeout,
        login: LoginMethods { services: section.service_auth_method.clone(), tasks: section.task_auth_method.clone() },
    })
}

/// The Vault of one block.
pub(crate) fn vault(name: &str, section: &VaultSection) -> Result<Vault, StartError> {
    Vault::new(vault_config(name, section)?).map_err(|error| StartError::Integration(error.to_string()))
}

fn vault_config(name: &str, section: &VaultSection) -> Result<VaultConfig, StartError> {
    let (certificate, key) = (section.cert_file.as_deref(), section.key_file.as_deref());
    let mut tls = tls(section.ca_file.as_deref(), section.ca_path.as_deref(), certificate, key, section.tls_skip_verify)?;
    tls.server_name = text(&section.tls_server_name);
    Ok(VaultConfig {
        name: name.to_owned(),
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
