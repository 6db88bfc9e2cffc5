//! What the command line says.

use std::{path::PathBuf, time::Duration};

use drover_model::secret::SecretText;

use super::{Config, ConfigError, server::gossip_key, set, set_some, top::log_level};

/// The flags of `agent`. They win over files.
#[derive(Clone, Debug, Default)]
pub struct AgentFlags {
    /// Files and folders, in order.
    pub config: Vec<PathBuf>,
    pub dev: bool,
    pub bind: Option<String>,
    pub data_dir: Option<PathBuf>,
    pub plugin_dir: Option<PathBuf>,
    pub log_level: Option<String>,
    pub log_json: bool,
    pub log_include_location: bool,
    pub region: Option<String>,
    pub datacenter: Option<String>,
    pub node: Option<String>,
    pub server: bool,
    pub client: bool,
    pub bootstrap_expect: Option<u32>,
    /// What gossip is sealed with.
    pub encrypt: Option<SecretText>,
    /// `-join` and `-retry-join`: both are tried until they succeed.
    pub retry_join: Vec<String>,
    pub retry_interval: Option<Duration>,
    pub retry_max: Option<u32>,
    /// `HOST:PORT` of servers.
    pub servers: Vec<String>,
    pub node_class: Option<String>,
    pub node_pool: Option<String>,
    /// `KEY=VALUE`.
    pub meta: Vec<String>,
    pub network_interface: Option<String>,
    pub network_speed: Option<u32>,
    pub state_dir: Option<PathBuf>,
    pub alloc_dir: Option<PathBuf>,
    pub acl_enabled: bool,
    pub consul_address: Option<String>,
    pub consul_token: Option<String>,
    pub consul_auth: Option<String>,
    pub consul_ssl: bool,
    pub consul_ca_file: Option<PathBuf>,
    pub consul_cert_file: Option<PathBuf>,
    pub consul_key_file: Option<PathBuf>,
    pub consul_auto_advertise: Option<bool>,
    pub consul_server_auto_join: Option<bool>,
    pub consul_client_auto_join: Option<bool>,
    pub vault_enabled: Option<bool>,
    pub vault_address: Option<String>,
    pub vault_namespace: Option<String>,
    pub vault_create_from_role: Option<String>,
    pub vault_ca_file: Option<PathBuf>,
    pub vault_cert_file: Option<PathBuf>,
    pub vault_key_file: Option<PathBuf>,
    pub vault_tls_skip_verify: bool,
}

impl AgentFlags {
    pub(super) fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        set(&mut config.bind_addr, self.bind.clone());
        set_some(&mut config.data_dir, self.data_dir.clone());
        set_some(&mut config.plugin_dir, self.plugin_dir.clone());
        if let Some(word) = &self.log_level {
            config.log.level = log_level(word)?;
        }
        config.log.json |= self.log_json;
        config.log.include_location |= self.log_include_location;
        set(&mut config.region, self.region.clone());
        set(&mut config.datacenter, self.datacenter.clone());
        set(&mut config.name, self.node.clone());
        config.server.enabled |= self.server;
        set(&mut config.server.bootstrap_expect, self.bootstrap_expect);
        if let Some(text) = &self.encrypt {
            config.server.encrypt = Some(gossip_key("-encrypt", text.expose())?);
        }
        self.apply_client(config)?;
        for join in [&mut config.server.join, &mut config.client.join] {
            join.addresses.extend(self.retry_join.iter().cloned());
            set(&mut join.retry_interval, self.retry_interval);
            set(&mut join.retry_max, self.retry_max);
        }
        if self.acl_enabled {
            return Err(ConfigError::Conflict("-acl-enabled: access control lists are not supported yet".to_owned()));
        }
        self.apply_consul(config);
        self.apply_vault(config);
        Ok(())
    }

    fn apply_client(&self, config: &mut Config) -> Result<(), ConfigError> {
        let client = &mut config.client;
        client.enabled |= self.client;
        client.servers.extend(self.servers.iter().flat_map(|servers| servers.split(',')).map(|server| server.trim().to_owned()));
        set(&mut client.node_class, self.node_class.clone());
        set(&mut client.node_pool, self.node_pool.clone());
        for pair in &self.meta {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| ConfigError::Conflict(format!("-meta {pair:?}: must have the form KEY=VALUE")))?;
            client.meta.insert(key.to_owned(), value.to_owned());
        }
        set_some(&mut client.network_interface, self.network_interface.clone());
        set(&mut client.network_speed, self.network_speed);
        set_some(&mut client.state_dir, self.state_dir.clone());
        set_some(&mut client.alloc_dir, self.alloc_dir.clone());
        Ok(())
    }

    fn apply_consul(&self, config: &mut Config) {
        let consul = &mut config.consul.default;
        if let Some(address) = &self.consul_address {
            consul.given = true;
            consul.embedded = false;
            consul.address.clone_from(address);
        }
        set(&mut consul.token, self.consul_token.clone().map(SecretText::new));
        set(&mut consul.auth, self.consul_auth.clone().map(SecretText::new));
        consul.ssl |= self.consul_ssl;
        set_some(&mut consul.ca_file, self.consul_ca_file.clone());
        set_some(&mut consul.cert_file, self.consul_cert_file.clone());
        set_some(&mut consul.key_file, self.consul_key_file.clone());
        set(&mut consul.auto_advertise, self.consul_auto_advertise);
        set(&mut consul.server_auto_join, self.consul_server_auto_join);
        set(&mut consul.client_auto_join, self.consul_client_auto_join);
    }

    fn apply_vault(&self, config: &mut Config) {
        let vault = &mut config.vault.default;
        if let Some(address) = &self.vault_address {
            vault.given = true;
            vault.embedded = false;
            vault.address.clone_from(address);
        }
        set_some(&mut vault.enabled, self.vault_enabled);
        set(&mut vault.namespace, self.vault_namespace.clone());
        set(&mut vault.create_from_role, self.vault_create_from_role.clone());
        set_some(&mut vault.ca_file, self.vault_ca_file.clone());
        set_some(&mut vault.cert_file, self.vault_cert_file.clone());
        set_some(&mut vault.key_file, self.vault_key_file.clone());
        vault.tls_skip_verify |= self.vault_tls_skip_verify;
    }
}
