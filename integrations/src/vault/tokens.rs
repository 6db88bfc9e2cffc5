//! Tokens of Vault: for a signed identity, or as children of the agent's own.

use std::time::Duration;

use drover_model::{json::null_is_default, secret::SecretText};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use vaultrs::{
    client::{VaultClient, VaultClientSettingsBuilder},
    error::ClientError,
};

use super::{
    Vault,
    answer::{Answer, AnswerAuth},
};
use crate::{
    Error, Result, Token, Tokens,
    http::{Call, DEFAULT_TIMEOUT, encode},
    secrets::Lease,
    tokens::{Login, Proof, TokenInfo},
};

/// How long a child of the agent's token lives when it is not renewed.
const CHILD_TTL: &str = "72h";

/// What a renewal asks for, where the server wants a number. It grants what the token's own settings allow.
const INCREMENT: Duration = Duration::from_secs(72 * 3600);

/// How tasks log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginMethod {
    /// Where the JWT auth method is mounted.
    pub jwt_path: String,
    /// The role of tasks that do not name one; none: the auth method's own default.
    pub default_role: Option<String>,
}

impl Default for LoginMethod {
    fn default() -> Self {
        Self { jwt_path: "jwt-nomad".to_owned(), default_role: None }
    }
}

#[derive(Debug)]
pub(super) struct VaultTokens {
    pub(super) vault: Vault,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LookupAnswer {
    data: LookupData,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LookupData {
    #[serde(deserialize_with = "null_is_default")]
    accessor: String,
    #[serde(deserialize_with = "null_is_default")]
    policies: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    ttl: u64,
    #[serde(deserialize_with = "null_is_default")]
    renewable: bool,
}

impl Tokens for VaultTokens {
    fn login<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Token>> {
        Box::pin(async move {
            let mut vault = self.vault.clone();
            vault.in_namespace(login.namespace.as_deref());
            let role = Some(login.role.as_str()).filter(|role| !role.is_empty()).or(vault.login.default_role.as_deref());
            match &login.proof {
                Proof::Jwt(jwt) => vault.login_by_identity(jwt, role).await,
                Proof::Policies(policies) => vault.child_token(policies, role, login).await,
            }
        })
    }

    fn lookup<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<TokenInfo>> {
        Box::pin(async move {
            let reply = self.holding(token).call(Call::get("/v1/auth/token/lookup-self"), "the look-up of a token").await?;
            let found = self.vault.endpoint.parse::<LookupAnswer>("the look-up of a token", &reply.body)?.data;
            let ttl = Duration::from_secs(found.ttl);
            Ok(TokenInfo { accessor: found.accessor, policies: found.policies, ttl, renewable: found.renewable })
        })
    }

    fn renew<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<Lease>> {
        Box::pin(async move {
            let holder = self.holding(token);
            let shown = "the renewal of a token";
            let mut done = holder.call(Call::post("/v1/auth/token/renew-self").json(&json!({})), shown).await;
            if done.as_ref().is_err_and(Error::is_unknown_call) {
                let path = format!("/v1/auth/token/renew/{}", encode(token.expose(), ""));
                done = holder.call(Call::post(path).shown_as(shown).json(&json!({ "increment": INCREMENT.as_secs() })), shown).await;
            }
            let reply = done.map_err(|error| if error.is_unknown_call() { self.vault.unsupported(shown) } else { error })?;
            let answer: Answer = self.vault.endpoint.parse(shown, &reply.body)?;
            Ok(answer.auth.as_ref().map(AnswerAuth::lease).unwrap_or_default())
        })
    }

    fn revoke<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let holder = self.holding(token);
            let shown = "the revocation of a token";
            let mut done = holder.call(Call::post("/v1/auth/token/revoke-self").json(&json!({})), shown).await;
            if done.as_ref().is_err_and(Error::is_unknown_call) {
                let path = format!("/v1/auth/token/revoke/{}", encode(token.expose(), ""));
                done = holder.call(Call::post(path).shown_as(shown).json(&json!({})), shown).await;
            }
            match done {
                // It has ended already.
                Err(error) if error.is_forbidden() => Ok(()),
                Err(error) if error.is_unknown_call() => Err(self.vault.unsupported(shown)),
                done => done.map(|_| ()),
            }
        })
    }
}

impl VaultTokens {
    /// The same Vault, asked by whoever has this token.
    fn holding(&self, token: &SecretText) -> Vault {
        let mut vault = self.vault.clone();
        vault.token = token.clone();
        vault
    }
}

impl Vault {
    /// Logs in with a signed identity, by the library's call over our connections.
    async fn login_by_identity(&self, jwt: &SecretText, role: Option<&str>) -> Result<Token> {
        let client = self.library_client()?;
        let login = vaultrs::auth::oidc::login(&client, &self.login.jwt_path, jwt.expose(), role.map(str::to_owned));
        let auth = match tokio::time::timeout(DEFAULT_TIMEOUT, login).await {
            Ok(done) => done.map_err(|error| self.login_error(&error))?,
            Err(_) => {
                return Err(Error::Timeout { peer: self.endpoint.peer().to_owned(), call: self.login_shown(), after: DEFAULT_TIMEOUT });
            }
        };
        let lease = Lease { duration: Duration::from_secs(auth.lease_duration), renewable: auth.renewable };
        Ok(Token { text: auth.client_token.into(), accessor: auth.accessor, policies: auth.policies, lease })
    }

    /// Makes a child of the agent's token. A role of that name limits it where the server has roles; elsewhere the role's name is the policy's.
    async fn child_token(&self, policies: &[String], role: Option<&str>, login: &Login) -> Result<Token> {
        if self.token.is_empty() {
            let reason = "a task without a signed identity needs the agent to have a token".to_owned();
            return Err(Error::Configuration { peer: self.endpoint.peer().to_owned(), reason });
        }
        let mut body = json!({ "ttl": CHILD_TTL, "renewable": true, "display_name": "drover", "meta": login.meta });
        if !policies.is_empty() {
            body["policies"] = json!(policies);
        }
        let shown = "the creation of a token";
        let mut done = match role {
            Some(role) => self.call(Call::post(format!("/v1/auth/token/create/{}", encode(role, ""))).json(&body), shown).await,
            None => Err(Error::NotFound { peer: self.endpoint.peer().to_owned(), what: "a role".to_owned() }),
        };
        let is_unknown_role = |error: &Error| {
            error.is_unknown_call() || matches!(error, Error::Refused { status: 400, message, .. } if message.contains("unknown role"))
        };
        if done.as_ref().is_err_and(is_unknown_role) {
            if policies.is_empty() {
                // Without any, a child would have all that the agent may do.
                body["policies"] = json!([role.unwrap_or("default")]);
            }
            done = self.call(Call::post("/v1/auth/token/create").json(&body), shown).await;
        }
        let answer: Answer = self.endpoint.parse(shown, &done?.body)?;
        let auth = answer.auth.ok_or_else(|| Error::Malformed {
            peer: self.endpoint.peer().to_owned(),
            call: shown.to_owned(),
            reason: "there is no token in it".to_owned(),
        })?;
        let lease = auth.lease();
        Ok(Token { text: auth.client_token, accessor: auth.accessor, policies: auth.policies, lease })
    }

    fn login_shown(&self) -> String {
        format!("the login at auth/{}/login", self.login.jwt_path)
    }

    /// A client of the library that uses this Vault's connections.
    fn library_client(&self) -> Result<VaultClient> {
        let configuration = |reason: &str| Error::Configuration { peer: self.endpoint.peer().to_owned(), reason: reason.to_owned() };
        // Every setting is given: what is left out, the library would take from the process's environment. The address is replaced below, together with the
        // connections, which are already set up for TLS.
        let settings = VaultClientSettingsBuilder::default()
            .address("http://127.0.0.1")
            .ca_certs(Vec::new())
            .identity(None)
            .token("")
            .verify(true)
            .namespace(self.namespace.clone())
            .build()
            .map_err(|_| configuration("its settings are incomplete"))?;
        let mut client = VaultClient::new(settings).map_err(|_| configuration("no connection can be set up"))?;
        client.http.base = self.endpoint.base().to_owned();
        client.http.http = self.endpoint.client().clone();
        Ok(client)
    }

    fn login_error(&self, error: &ClientError) -> Error {
        let (peer, call) = (self.endpoint.peer().to_owned(), self.login_shown());
        if let ClientError::APIError { code, errors } = error {
            let message = errors.iter().map(|text| text.trim()).collect::<Vec<_>>().join("; ");
            if *code == 503 && message.to_lowercase().contains("sealed") {
                return Error::Sealed { peer };
            }
            return Error::Refused { peer, call, status: *code, message };
        }
        // Other errors may hold the answer, and with it a token: only those of the connection are passed on.
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(inner) = cause {
            if let Some(connection) = inner.downcast_ref::<reqwest::Error>() {
                let reason = if connection.is_connect() { "no connection" } else { "the connection broke" };
                return Error::Unreachable { peer, call, reason: reason.to_owned() };
            }
            cause = inner.source();
        }
        Error::Malformed { peer, call, reason: "the answer is not one to a login".to_owned() }
    }
}
