//! Consul and Vault as an operator's environment names them (`CONSUL_HTTP_ADDR`, `VAULT_ADDR`, ...), to be set up for workloads.

pub use drover_integrations::{
    Error, Result,
    consul::Consul,
    setup::{ConsulSetup, Found, Mode, Step, VaultSetup},
    vault::Vault,
};

use crate::{
    StartError,
    config::{Config, DEFAULT_CLUSTER, Environment},
    wiring::integrations,
};

/// Where a Vault on this machine listens when nothing says otherwise.
const LOCAL_VAULT: &str = "https://127.0.0.1:8200";

/// The Consul of the environment; the one on this machine when it names none.
pub fn consul(environment: Environment<'_>) -> std::result::Result<Consul, StartError> {
    let config = Config::of_environment(environment);
    integrations::consul(DEFAULT_CLUSTER, &config.consul.default)
}

/// The Vault of the environment; the one on this machine when it names none.
pub fn vault(environment: Environment<'_>) -> std::result::Result<Vault, StartError> {
    let mut section = Config::of_environment(environment).vault.default;
    if !section.given {
        section.address = LOCAL_VAULT.to_owned();
    }
    integrations::vault(DEFAULT_CLUSTER, &section)
}
