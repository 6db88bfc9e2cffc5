//! Tokens that services are registered with, where Consul's access control wants each to have its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::secret::SecretText;
use drover_runtime::Random;
use tokio::time::Instant;

use super::super::Consul;
use crate::{
    ConsulCluster, Error, Result,
    lease::{first_renew_after, renew_after},
    registry::{Service, ServiceIdentity, ServiceSigner, allocation_of},
    tokens::{Login, Proof},
};

/// How services get tokens of their own.
#[derive(Clone, Debug)]
pub struct ServiceLogins {
    pub signer: Arc<dyn ServiceSigner>,
    /// Who accepts the identity of services whose job names none, and how long it lasts; none: such services are registered with the agent's token.
    pub default: Option<(Vec<String>, Duration)>,
}

#[derive(Debug, Default)]
pub(super) struct ServiceTokens {
    logins: Option<ServiceLogins>,
    /// By service id.
    held: Mutex<BTreeMap<String, Held>>,
}

#[derive(Debug)]
struct Held {
    token: SecretText,
    /// None: it does not end.
    renew_at: Option<Instant>,
    /// To be given back once the service is registered with the new one.
    replaced: Vec<SecretText>,
}

impl Held {
    fn all(self) -> Vec<SecretText> {
        let mut all = self.replaced;
        all.push(self.token);
        all
    }
}

impl ServiceTokens {
    pub(super) fn new(logins: Option<ServiceLogins>) -> Self {
        Self { logins, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Services that are to be registered anew because their token ends.
    pub(super) fn due(&self) -> BTreeSet<String> {
        let now = Instant::now();
        self.held().iter().filter(|(_, held)| held.renew_at.is_some_and(|at| at <= now)).map(|(id, _)| id.clone()).collect()
    }

    /// The token of a service, if it has one; the agent's (an empty one) otherwise.
    pub(super) fn known(&self, id: &str) -> SecretText {
        self.held().get(id).map(|held| held.token.clone()).unwrap_or_default()
    }

    /// The token to register a service with, got by logging in when there is none or it ends.
    pub(super) async fn of(&self, consul: &Consul, service: &Service, random: &dyn Random) -> Result<SecretText> {
        let Some((signer, identity)) = self.identity(&service.identity) else { return Ok(SecretText::default()) };
        let now = Instant::now();
        if let Some(held) = self.held().get(&service.id).filter(|held| held.renew_at.is_none_or(|at| at > now)) {
            return Ok(held.token.clone());
        }
        let Some(allocation) = allocation_of(&service.id) else { return Ok(SecretText::default()) };
        let jwt = signer.sign(allocation, &identity).await?;
        let namespace = Some(service.consul_namespace.clone()).filter(|name| !name.is_empty());
        let login = Login { proof: Proof::Jwt(jwt), role: consul.login.services.clone(), namespace, ..Login::default() };
        let Some(tokens) = consul.tokens() else { return Ok(SecretText::default()) };
        let token = match tokens.login(&login).await {
            Ok(token) => token,
            // Whoever configures identities ahead of access control is not left without services.
            Err(error) if is_switched_off(&error) => return Ok(SecretText::default()),
            Err(error) => return Err(error),
        };
        let mut held = self.held();
        let before = held.remove(&service.id);
        let life = token.lease.duration;
        let renewal = if before.is_none() { first_renew_after(life, random) } else { renew_after(life, random) };
        let renew_at = (!life.is_zero()).then(|| now + renewal);
        let replaced = before.map(Held::all).unwrap_or_default();
        held.insert(service.id.clone(), Held { token: token.text.clone(), renew_at, replaced });
        Ok(token.text)
    }

    fn identity(&self, declared: &ServiceIdentity) -> Option<(Arc<dyn ServiceSigner>, ServiceIdentity)> {
        let logins = self.logins.as_ref()?;
        if !declared.name.is_empty() {
            return Some((Arc::clone(&logins.signer), declared.clone()));
        }
        let (audience, ttl) = logins.default.clone()?;
        let name = format!("consul-service_{}", declared.service);
        Some((Arc::clone(&logins.signer), ServiceIdentity { name, audience, ttl, ..declared.clone() }))
    }

    /// After a service was registered with its token.
    pub(super) async fn settled(&self, consul: &Consul, id: &str) {
        let replaced = self.held().get_mut(id).map(|held| std::mem::take(&mut held.replaced)).unwrap_or_default();
        give_back(consul, replaced).await;
    }

    /// Gives back what a service has: it was taken out, or Consul refused its token, and the next attempt logs in anew. A token that may merely not do what was
    /// wanted is as good as ever: without this, each attempt would leave one behind.
    pub(super) async fn let_go(&self, consul: &Consul, id: &str) {
        let held = self.held().remove(id);
        give_back(consul, held.map(Held::all).unwrap_or_default()).await;
    }
}

async fn give_back(consul: &Consul, all: Vec<SecretText>) {
    let Some(tokens) = consul.tokens() else { return };
    for token in all {
        if let Err(error) = tokens.revoke(&token).await {
            tracing::debug!(%error, "the token of a service was not given back; it ends by itself where the auth method says so");
        }
    }
}

fn is_switched_off(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 401 | 403, message, .. } if message.contains("ACL support disabled"))
}
