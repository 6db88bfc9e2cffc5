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
    /// When both times are there, the token ends.
    #[serde(default)]
    create_time: Option<String>,
    #[serde(default)]
    expiration_time: Option<String>,
}

impl TokenAnswer {
    /// How long the token lives from its creation; zero: until it is given back.
    fn life(&self) -> Duration {
        let seconds = |text: &Option<String>| unix_seconds(text.as_deref()?);
        match (seconds(&self.create_time), seconds(&self.expiration_time)) {
            (Some(from), Some(to)) => Duration::from_secs(u64::try_from(to.saturating_sub(from)).unwrap_or(0).max(1)),
            _ => Duration::ZERO,
        }
    }
}

/// A time as Go programs write it (`2026-01-02T03:04:05.6Z`, with a zone or without), to the second.
fn unix_seconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
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
            // Consul's tokens last until they are given back, unless the auth method gives them an end, which nobody can put off.
            let lease = Lease { duration: answer.life(), renewable: false };
            Ok(Token { text: answer.secret_id, accessor: answer.accessor_id, policies: Vec::new(), lease })
        })
    }

    fn lookup<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<TokenInfo>> {
        Box::pin(async move {
            let answer: TokenAnswer = self.consul.holding(token).get(Call::get("/v1/acl/token/self")).await?;
            // A token that is taken up in the middle of its life is replaced early rather than late.
            Ok(TokenInfo { ttl: answer.life() / 2, accessor: answer.accessor_id, policies: Vec::new(), renewable: false })
        })
    }

    fn renew<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, Result<Lease>> {
        Box::pin(async move { Err(unsupported(&self.consul, "renewing a token")) })
    }

    fn revoke<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match self.consul.holding(token).call(Call::new(Method::POST, "/v1/acl/logout")).await {
                // It is gone already.
                Err(error) if error.is_forbidden() => Ok(()),
                done => done.map(|_| ()),
            }
        })
    }
}
