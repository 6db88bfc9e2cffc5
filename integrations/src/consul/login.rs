//! Tokens of Consul, for a signed identity.

use std::time::Duration;

use drover_model::secret::SecretText;
use futures::future::BoxFuture;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Consul, unsupported};
use crate::{
    Result, Token, Tokens,
    http::Call,
    secrets::Lease,
    tokens::{Login, Proof, TokenInfo},
};

/// The auth methods that identities log in at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginMethods {
    pub services: String,
    pub tasks: String,
}

impl Default for LoginMethods {
    fn default() -> Self {
        Self { services: "nomad-workloads".to_owned(), tasks: "nomad-workloads".to_owned() }
    }
}

#[derive(Debug)]
pub(super) struct ConsulTokens {
    pub(super) consul: Consul,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TokenAnswer {
    #[serde(rename = "SecretID")]
    secret_id: SecretText,
    #[serde(rename = "AccessorID", default)]
    accessor_id: String,
}

impl Tokens for ConsulTokens {
    /// `login.role` names the auth method; empty is the one for tasks.
    fn login<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Token>> {
        Box::pin(async move {
            let Proof::Jwt(jwt) = &login.proof else { return Err(unsupported(&self.consul, "a token without an identity")) };
            let method = if login.role.is_empty() { &self.consul.login.tasks } else { &login.role };
            let body = json!({ "AuthMethod": method, "BearerToken": jwt.expose(), "Meta": login.meta });
            let call = Call::post("/v1/acl/login").query_option("ns", login.namespace.as_deref()).json(&body);
            let answer: TokenAnswer = self.consul.get(call).await?;
            // Consul's tokens last until they are given back, unless the auth method says otherwise; Consul itself ends those.
            Ok(Token { text: answer.secret_id, accessor: answer.accessor_id, policies: Vec::new(), lease: Lease::default() })
        })
    }

    fn lookup<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<TokenInfo>> {
        Box::pin(async move {
            let mut own = self.consul.clone();
            own.token = token.clone();
            let answer: TokenAnswer = own.get(Call::get("/v1/acl/token/self")).await?;
            Ok(TokenInfo { accessor: answer.accessor_id, policies: Vec::new(), ttl: Duration::ZERO, renewable: false })
        })
    }

    fn renew<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, Result<Lease>> {
        Box::pin(async move { Err(unsupported(&self.consul, "renewing a token")) })
    }

    fn revoke<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut own = self.consul.clone();
            own.token = token.clone();
            match own.call(Call::new(Method::POST, "/v1/acl/logout")).await {
                // It is gone already.
                Err(error) if error.is_forbidden() => Ok(()),
                done => done.map(|_| ()),
            }
        })
    }
}
