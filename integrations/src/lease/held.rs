//! Secrets that are lent: kept alive as long as the peer lets them, also by an agent that was started anew.

use std::time::Duration;

use drover_model::{secret::SecretText, time::UnixNanos};
use drover_runtime::Random;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{SHORTEST, first_renew_after, late_in, renew_after, renew_until};
use crate::{Error, Secret, Secrets, secrets::Lease};

/// The form of what is kept; another one is not read.
const VERSION: u32 = 1;

/// A leased secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// As it was read.
    pub secret: Secret,
    /// As it was granted last.
    lease: Lease,
    left: Duration,
    /// Whether it has not been renewed since it was read, or since the agent was started.
    is_first: bool,
}

/// What is kept in a file.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    /// Whose lease it is: it ends with the token that it was taken with. Only a digest of that.
    token: String,
    until: UnixNanos,
    lease: Span,
    /// As it was read.
    read: Span,
    lease_id: String,
    request_id: String,
    warnings: Vec<String>,
    data: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Span {
    seconds: u64,
    renewable: bool,
}

impl From<Lease> for Span {
    fn from(lease: Lease) -> Self {
        Self { seconds: lease.duration.as_secs(), renewable: lease.renewable }
    }
}

impl From<Span> for Lease {
    fn from(span: Span) -> Self {
        Self { duration: Duration::from_secs(span.seconds), renewable: span.renewable }
    }
}

fn digest(token: &SecretText) -> String {
    Sha256::digest(token.expose()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Held {
    /// None: the secret is not lent.
    pub fn of(secret: &Secret) -> Option<Self> {
        let is_lent = !secret.lease_id.is_empty() && !secret.lease.duration.is_zero();
        is_lent.then(|| Self { secret: secret.clone(), lease: secret.lease, left: secret.lease.duration, is_first: true })
    }

    /// Waits until the lease is due, and renews it. False: another secret is to be read.
    ///
    /// `told` hears of each attempt that fails and is made again.
    pub async fn renewed(&mut self, secrets: &dyn Secrets, random: &dyn Random, told: &(dyn Fn(&Error) + Sync)) -> bool {
        if !self.lease.renewable {
            tokio::time::sleep(late_in(self.left, random)).await;
            return false;
        }
        let pause = if self.is_first { first_renew_after(self.left, random) } else { renew_after(self.left, random) };
        tokio::time::sleep(pause).await;
        let (left, before) = (self.left.saturating_sub(pause), self.lease.duration);
        match renew_until(&|| secrets.renew(&self.secret.lease_id, before), left, random, told).await {
            // A lease that is extended less and less has reached its end.
            Ok(lease) if lease.duration > SHORTEST && lease.duration * 2 > before => {
                (self.lease, self.left, self.is_first) = (lease, lease.duration, false);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(%error, "a lease was not renewed; the secret is read anew");
                false
            }
        }
    }

    /// All of it in one text, which [`Held::from_file`] reads back. None: there is more to it than a lease.
    pub fn to_file(&self, token: &SecretText, now: UnixNanos) -> Option<SecretText> {
        let Secret { auth: None, wrap: None, .. } = &self.secret else { return None };
        let record = Record {
            version: VERSION,
            token: digest(token),
            until: now.plus(self.left),
            lease: self.lease.into(),
            read: self.secret.lease.into(),
            lease_id: self.secret.lease_id.clone(),
            request_id: self.secret.request_id.clone(),
            warnings: self.secret.warnings.clone(),
            data: self.secret.data.clone(),
        };
        serde_json::to_string(&record).ok().map(SecretText::from)
    }

    /// What was kept, unless it has ended, or another token was in use then.
    pub fn from_file(bytes: &[u8], token: &SecretText, now: UnixNanos) -> Option<Self> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        let is_own = record.version == VERSION && record.token == digest(token);
        let lease = Lease::from(record.lease);
        // A clock that was put back makes no lease longer.
        let left = record.until.since(now).min(lease.duration);
        let secret = Secret {
            request_id: record.request_id,
            lease_id: record.lease_id,
            lease: record.read.into(),
            data: record.data,
            warnings: record.warnings,
            ..Secret::default()
        };
        (is_own && !left.is_zero()).then_some(Self { secret, lease, left, is_first: true })
    }
}

#[cfg(test)]
mod tests;
