//! `drover setup vault`

use anyhow::Result;
use drover_agent::setup::{self, Mode, VaultSetup};

use super::Common;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// Vault is reached as `VAULT_ADDR`, `VAULT_TOKEN` and the like say; the token must be allowed to write auth methods and policies.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Where the auth method is mounted: `jwt_auth_backend_path` of the agent's configuration
    #[arg(long, value_name = "PATH", default_value = VaultSetup::AUTH_PATH)]
    auth_path: String,
    /// The role: `create_from_role` of the agent's configuration
    #[arg(long, value_name = "NAME", default_value = VaultSetup::ROLE)]
    role: String,
    /// The key-value mount (version 2) that jobs read from
    #[arg(long, value_name = "PATH", default_value = VaultSetup::SECRETS_PATH)]
    secrets_path: String,
    /// A path at which every job may have certificates issued, such as `pki/issue/web`; may be given several times
    #[arg(long = "issue", value_name = "PATH")]
    issue_paths: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let common = &self.common;
        let setup = VaultSetup {
            vault: setup::vault(&super::environment)?,
            auth_path: self.auth_path.trim_matches('/').to_owned(),
            role: self.role.clone(),
            policy: VaultSetup::POLICY.to_owned(),
            secrets_path: self.secrets_path.trim_matches('/').to_owned(),
            issue_paths: self.issue_paths.iter().map(|path| path.trim_matches('/').to_owned()).collect(),
            audience: common.audience.clone().unwrap_or_else(|| VaultSetup::AUDIENCE.to_owned()),
            jwks_url: common.jwks_url(reach)?,
            jwks_ca_pem: common.jwks_ca()?,
        };
        block_on(async {
            let mode = common.mode();
            if mode != Mode::Check && !common.confirm("Vault", &setup.run(Mode::Check).await?).await? {
                return Ok(Exit::Error);
            }
            common.print(&setup.run(mode).await?)
        })
    }
}
