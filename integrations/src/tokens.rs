//! Tokens: got by logging in, kept alive, and given back.

use std::{collections::BTreeMap, fmt, time::Duration};

use drover_model::secret::SecretText;
use futures::future::BoxFuture;

use crate::{Result, secrets::Lease};

/// Gives out tokens.
pub trait Tokens: Send + Sync + fmt::Debug {
    fn login<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Token>>;

    /// What the peer knows of a token.
    fn lookup<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<TokenInfo>>;

    /// Extends a token's life; gives how long it now is.
    fn renew<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<Lease>>;

    /// Ends a token's life. One that has ended already is no error.
    fn revoke<'a>(&'a self, token: &'a SecretText) -> BoxFuture<'a, Result<()>>;
}

/// How a token is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub proof: Proof,
    /// The role to log in as; empty: the configuration's, else the login method's own default.
    pub role: String,
    /// The namespace inside the peer; none: the configuration's.
    pub namespace: Option<String>,
    /// Told to the peer, for its own log.
    pub meta: BTreeMap<String, String>,
}

/// What entitles to a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A signed identity.
    Jwt(SecretText),
    /// The agent's own token, of which a child with these policies is made.
    Policies(Vec<String>),
}

impl Default for Proof {
    fn default() -> Self {
        Self::Policies(Vec::new())
    }
}

/// A token and how long it lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    pub text: SecretText,
    pub accessor: String,
    pub policies: Vec<String>,
    /// A duration of zero: it does not end.
    pub lease: Lease,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenInfo {
    pub accessor: String,
    pub policies: Vec<String>,
    /// How long it still lives; zero: it does not end.
    pub ttl: Duration,
    pub renewable: bool,
}
