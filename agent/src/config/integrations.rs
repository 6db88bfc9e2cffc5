//! The `consul` and `vault` blocks, and what the environment says about both.

use std::path::PathBuf;

use drover_model::secret::SecretText;

use super::{
    Clusters, Config, ConfigError, ConsulSection, DEFAULT_CLUSTER, Environment, IdentitySection, VaultSection, section::Section, set,
    set_some,
};

/// The most clusters of one kind.
const MOST_CLUSTERS: usize = 32;

pub(super) fn from_environment(config: &mut Config, environment: Environment<'_>) {
    let read = |name: &str| environment(name).filter(|value| !value.is_empty());
    let consul = &mut config.consul.default;
    if let Some(address) = read("CONSUL_HTTP_ADDR") {
        consul.given = true;
        consul.address = address;
    }
    set(&mut consul.token, read("CONSUL_HTTP_TOKEN").map(SecretText::new));
    set(&mut consul.auth, read("CONSUL_HTTP_AUTH").map(SecretText::new));
    set(&mut consul.ssl, read("CONSUL_HTTP_SSL").map(|value| is_true(&value)));
    set(&mut consul.verify_ssl, read("CONSUL_HTTP_SSL_VERIFY").map(|value| is_true(&value)));
    set_some(&mut consul.ca_file, read("CONSUL_CACERT").map(PathBuf::from));
    set_some(&mut consul.cert_file, read("CONSUL_CLIENT_CERT").map(PathBuf::from));
    set_some(&mut consul.key_file, read("CONSUL_CLIENT_KEY").map(PathBuf::from));
    set(&mut consul.namespace, read("CONSUL_NAMESPACE"));
    let vault = &mut config.vault.default;
    if let Some(address) = read("VAULT_ADDR") {
        vault.given = true;
        vault.address = address;
    }
    set(&mut vault.token, read("VAULT_TOKEN").map(SecretText::new));
    set(&mut vault.namespace, read("VAULT_NAMESPACE"));
    set_some(&mut vault.ca_file, read("VAULT_CACERT").map(PathBuf::from));
    set_some(&mut vault.ca_path, read("VAULT_CAPATH").map(PathBuf::from));
    set_some(&mut vault.cert_file, read("VAULT_CLIENT_CERT").map(PathBuf::from));
    set_some(&mut vault.key_file, read("VAULT_CLIENT_KEY").map(PathBuf::from));
    set(&mut vault.tls_skip_verify, read("VAULT_SKIP_VERIFY").map(|value| is_true(&value)));
    set(&mut vault.tls_server_name, read("VAULT_TLS_SERVER_NAME"));
}

fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true" | "TRUE" | "True" | "t" | "T")
}

pub(super) fn apply(top: &mut Section, config: &mut Config) -> Result<(), ConfigError> {
    top.each("consul", |section| {
        let name = cluster("consul", section)?;
        consul(section, &name, &mut config.consul)
    })?;
    top.each("vault", |section| {
        let name = cluster("vault", section)?;
        vault(section, &name, &mut config.vault)
    })
}

/// The name of the cluster that a block is about. It becomes part of attributes, so it is a plain word.
fn cluster(block: &str, section: &mut Section) -> Result<String, ConfigError> {
    let name = section.text("name")?.filter(|name| !name.is_empty()).unwrap_or_else(|| DEFAULT_CLUSTER.to_owned());
    if name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_')) {
        return Ok(name);
    }
    Err(ConfigError::Conflict(format!("{block} {name:?}: the name of a cluster has only letters, digits, `-` and `_`")))
}

/// The settings of a cluster: those of earlier blocks of this name, which later ones change.
fn entry<'a, T: Default>(block: &str, name: &str, clusters: &'a mut Clusters<T>) -> Result<&'a mut T, ConfigError> {
    if name == DEFAULT_CLUSTER {
        return Ok(&mut clusters.default);
    }
    if clusters.named.len() >= MOST_CLUSTERS && !clusters.named.contains_key(name) {
        return Err(ConfigError::Conflict(format!("{block} {name:?}: more than {MOST_CLUSTERS} {block} clusters")));
    }
    Ok(clusters.named.entry(name.to_owned()).or_default())
}

fn consul(section: &mut Section, name: &str, clusters: &mut Clusters<ConsulSection>) -> Result<(), ConfigError> {
    let consul = entry("consul", name, clusters)?;
    consul.given = true;
    if let Some(address) = section.text("address")? {
        consul.address = address;
        consul.embedded = false;
    }
    set(&mut consul.embedded, section.flag("embedded")?);
    set(&mut consul.token, section.text("token")?.map(SecretText::new));
    set(&mut consul.auth, section.text("auth")?.map(SecretText::new));
    set(&mut consul.ssl, section.flag("ssl")?);
    set(&mut consul.verify_ssl, section.flag("verify_ssl")?);
    set_some(&mut consul.ca_file, file(section, "ca_file")?);
    set_some(&mut consul.cert_file, file(section, "cert_file")?);
    set_some(&mut consul.key_file, file(section, "key_file")?);
    set(&mut consul.namespace, section.text("namespace")?);
    set(&mut consul.timeout, section.duration("timeout")?);
    set(&mut consul.tags, section.texts("tags")?);
    set(&mut consul.auto_advertise, section.flag("auto_advertise")?);
    set(&mut consul.server_auto_join, section.flag("server_auto_join")?);
    set(&mut consul.client_auto_join, section.flag("client_auto_join")?);
    set(&mut consul.server_service_name, section.text("server_service_name")?);
    set(&mut consul.client_service_name, section.text("client_service_name")?);
    set(&mut consul.service_auth_method, section.text("service_auth_method")?);
    set(&mut consul.task_auth_method, section.text("task_auth_method")?);
    section.each("service_identity", |block| identity(block, &mut consul.service_identity))?;
    section.each("task_identity", |block| identity(block, &mut consul.task_identity))?;
    set(&mut consul.checks_use_advertise, section.flag("checks_use_advertise")?);
    set(&mut consul.server_http_check_name, section.text("server_http_check_name")?);
    set(&mut consul.server_serf_check_name, section.text("server_serf_check_name")?);
    set(&mut consul.server_rpc_check_name, section.text("server_rpc_check_name")?);
    set(&mut consul.client_http_check_name, section.text("client_http_check_name")?);
    set(&mut consul.server_check.failures_before_critical, section.number("server_failures_before_critical")?);
    set(&mut consul.server_check.failures_before_warning, section.number("server_failures_before_warning")?);
    set(&mut consul.client_check.failures_before_critical, section.number("client_failures_before_critical")?);
    set(&mut consul.client_check.failures_before_warning, section.number("client_failures_before_warning")?);
    section.accepted(&["grpc_address", "grpc_ca_file", "share_ssl", "allow_unauthenticated"]);
    Ok(())
}

fn vault(section: &mut Section, name: &str, clusters: &mut Clusters<VaultSection>) -> Result<(), ConfigError> {
    let vault = entry("vault", name, clusters)?;
    vault.given = true;
    if let Some(address) = section.text("address")? {
        vault.address = address;
        vault.embedded = false;
    }
    set(&mut vault.embedded, section.flag("embedded")?);
    set_some(&mut vault.enabled, section.flag("enabled")?);
    set(&mut vault.token, section.text("token")?.map(SecretText::new));
    set(&mut vault.namespace, section.text("namespace")?);
    set(&mut vault.create_from_role, section.text("create_from_role")?);
    set(&mut vault.jwt_auth_backend_path, section.text("jwt_auth_backend_path")?);
    set_some(&mut vault.ca_file, file(section, "ca_file")?);
    set_some(&mut vault.ca_path, file(section, "ca_path")?);
    set_some(&mut vault.cert_file, file(section, "cert_file")?);
    set_some(&mut vault.key_file, file(section, "key_file")?);
    set(&mut vault.tls_skip_verify, section.flag("tls_skip_verify")?);
    set(&mut vault.tls_server_name, section.text("tls_server_name")?);
    section.each("default_identity", |block| identity(block, &mut vault.default_identity))?;
    section.accepted(&["allow_unauthenticated", "task_token_ttl"]);
    Ok(())
}

fn file(section: &mut Section, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
    Ok(section.text(key)?.filter(|path| !path.is_empty()).map(PathBuf::from))
}

fn identity(block: &mut Section, target: &mut Option<IdentitySection>) -> Result<(), ConfigError> {
    let identity = target.get_or_insert_default();
    set(&mut identity.audience, block.texts("aud")?);
    set(&mut identity.env, block.flag("env")?);
    set(&mut identity.file, block.flag("file")?);
    set(&mut identity.ttl, block.duration("ttl")?);
    identity.extra_claims.append(&mut block.map("extra_claims")?);
    set(&mut identity.filepath, block.text("filepath")?);
    block.accepted(&["name"]);
    Ok(())
}
