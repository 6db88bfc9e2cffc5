//! `drover setup consul`

use std::time::Duration;

use anyhow::Result;
use drover_agent::setup::{self, ConsulSetup, Mode};

use super::Common;
use crate::{
    commands::node::drain::duration,
    context::{Reach, block_on},
    exit::Exit,
};

/// Consul is reached as `CONSUL_HTTP_ADDR`, `CONSUL_HTTP_TOKEN` and the like say; the token must be allowed to write ACLs.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// The name of the auth method: `service_auth_method` and `task_auth_method` of the agent's configuration
    #[arg(long, value_name = "NAME", default_value = ConsulSetup::AUTH_METHOD)]
    auth_method: String,
    /// The longest that a token of a task or service lives, 1m to 24h: what an agent's crash leaves behind ends then. It is replaced before [default: no end]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_token_ttl: Option<Duration>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let common = &self.common;
        let setup = ConsulSetup {
            consul: setup::consul(&super::environment)?,
            auth_method: self.auth_method.clone(),
            role: ConsulSetup::ROLE.to_owned(),
            policy: ConsulSetup::POLICY.to_owned(),
            audience: common.audience.clone().unwrap_or_else(|| ConsulSetup::AUDIENCE.to_owned()),
            jwks_url: common.jwks_url(reach)?,
            jwks_ca_pem: common.jwks_ca()?,
            max_token_ttl: self.max_token_ttl,
        };
        block_on(async {
            let mode = common.mode();
            if mode != Mode::Check && !common.confirm("Consul", &setup.run(Mode::Check).await?).await? {
                return Ok(Exit::Error);
            }
            common.print(&setup.run(mode).await?)
        })
    }
}
