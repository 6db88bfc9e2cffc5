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

impl TokenAnswer {
    /// How long it has left by the clock of whoever answered; zero: until it is given back. Without a word about the time, half of its life is taken: rather
    /// replaced early than late.
    fn left(&self, answered: Option<&str>) -> Duration {
        let life = self.life();
        let now = answered.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp().as_second());
        match (now, self.expiration_time.as_deref().and_then(unix_seconds)) {
            (Some(now), Some(end)) if !life.is_zero() => {
                Duration::from_secs(u64::try_from(end.saturating_sub(now)).unwrap_or(0).max(1)).min(life)
            }
            _ => life / 2,
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
            let reply = self.consul.holding(token).call(Call::get("/v1/acl/token/self")).await?;
            let answer: TokenAnswer = self.consul.endpoint.parse("the look-up of a token", &reply.body)?;
            Ok(TokenInfo { ttl: answer.left(reply.header("date")), accessor: answer.accessor_id, policies: Vec::new(), renewable: false })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_has_left_is_told_by_the_clock_of_whoever_answers() {
        let answer = |text: &str| serde_json::from_str::<TokenAnswer>(text).unwrap();
        let ends = answer(r#"{"SecretID":"s","CreateTime":"2026-01-02T03:00:00.5-01:00","ExpirationTime":"2026-01-02T05:00:00.5Z"}"#);
        for (name, date, minutes) in [
            ("in the middle", Some("Fri, 02 Jan 2026 04:45:00 GMT"), 15.0),
            ("before it was made", Some("Fri, 02 Jan 2026 03:00:00 GMT"), 60.0),
            ("after its end", Some("Fri, 02 Jan 2026 06:00:00 GMT"), 1.0 / 60.0),
            ("no clock", None, 30.0),
            ("no time", Some("soon"), 30.0),
        ] {
            assert_eq!(ends.left(date), Duration::from_secs_f64(minutes * 60.0), "{name}");
        }
        let lasts = answer(r#"{"SecretID":"s","CreateTime":"2026-01-02T03:00:00Z"}"#);
        assert_eq!(lasts.left(Some("Fri, 02 Jan 2026 04:45:00 GMT")), Duration::ZERO);
    }
}
