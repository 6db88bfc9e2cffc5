//! Tokens that services are registered with, where Consul's access control wants each to have its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::secret::SecretText;
use drover_runtime::{Disk, Random, apart};
use tokio::time::Instant;

use super::{
    super::Consul,
    kept::{Kept, TokenFile},
};
use crate::{
    ConsulCluster, Error, Result,
    lease::{first_renew_after, renew_after},
    registry::{Service, ServiceIdentity, ServiceSigner, allocation_of},
    tokens::{Login, Proof},
};

/// Within so long a token of an earlier agent is replaced, if it ends at all.
const RENEWED_AGAIN: Duration = Duration::from_secs(60);

/// How services get tokens of their own.
#[derive(Clone, Debug)]
pub struct ServiceLogins {
    pub signer: Arc<dyn ServiceSigner>,
    /// Who accepts the identity of services whose job names none, and how long it lasts; none: such services are registered with the agent's token.
    pub default: Option<(Vec<String>, Duration)>,
    /// The file in which tokens outlive the agent; none: those of services that end while no agent runs stay until they end by themselves.
    pub kept: Option<(Arc<dyn Disk>, PathBuf)>,
}

#[derive(Debug, Default)]
pub(super) struct ServiceTokens {
    logins: Option<ServiceLogins>,
    /// By service id.
    held: Mutex<BTreeMap<String, Held>>,
    file: Option<Arc<TokenFile>>,
}

#[derive(Debug)]
struct Held {
    token: SecretText,
    /// From its beginning to its end; zero: it has none.
    life: Duration,
    /// None: it does not end.
    renew_at: Option<Instant>,
    /// To be given back once the service is registered with the new one.
    replaced: Vec<SecretText>,
}

impl Held {
    /// As an earlier agent left it. How old the token is, nobody knows: it is soon replaced.
    fn again(kept: Kept, random: &dyn Random) -> Option<Self> {
        let Kept { mut tokens, life } = kept;
        let token = tokens.pop()?;
        let renew_at = (!life.is_zero()).then(|| Instant::now() + random.jitter((life / 10).min(RENEWED_AGAIN)));
        Some(Self { token, life, renew_at, replaced: tokens })
    }

    fn kept(&self) -> Kept {
        Kept { tokens: self.replaced.iter().chain([&self.token]).cloned().collect(), life: self.life }
    }

    fn all(self) -> Vec<SecretText> {
        let mut all = self.replaced;
        all.push(self.token);
        all
    }
}

impl ServiceTokens {
    /// With what an earlier agent on this node held.
    pub(super) fn new(logins: Option<ServiceLogins>, random: &dyn Random) -> Self {
        let kept = logins.as_ref().and_then(|logins| logins.kept.clone());
        let opened = kept.and_then(|(disk, path)| {
            let warn = |error: &std::io::Error| tracing::warn!(path = %path.display(), %error, "the tokens of services of an earlier agent cannot be read");
            TokenFile::open(disk, &path).inspect_err(warn).ok()
        });
        let (file, found) = opened.map(|(file, found)| (Arc::new(file), found)).unzip();
        let held = found.into_iter().flatten().filter_map(|(id, kept)| Some((id, Held::again(kept, random)?)));
        Self { logins, held: Mutex::new(held.collect()), file }
    }

    /// Writes down what a service has now.
    async fn note(&self, id: &str) {
        let Some(file) = self.file.clone() else { return };
        let kept = self.held().get(id).map(Held::kept).unwrap_or_default();
        let id = id.to_owned();
        if let Err(error) = apart(move || file.note(&id, kept)).await {
            tracing::warn!(%error, "the tokens of a service were not written down");
        }
    }

    /// Whose tokens are held.
    pub(super) fn holders(&self) -> Vec<String> {
        self.held().keys().cloned().collect()
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
        {
            let mut held = self.held();
            let before = held.remove(&service.id);
            let life = token.lease.duration;
            let renewal = if before.is_none() { first_renew_after(life, random) } else { renew_after(life, random) };
            let renew_at = (!life.is_zero()).then(|| now + renewal);
            let replaced = before.map(Held::all).unwrap_or_default();
            held.insert(service.id.clone(), Held { token: token.text.clone(), life, renew_at, replaced });
        }
        self.note(&service.id).await;
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
        if !replaced.is_empty() && give_back(consul, replaced).await {
            self.note(id).await;
        }
    }

    /// Gives back what a service has: it was taken out, or Consul refused its token, and the next attempt logs in anew. A token that may merely not do what was
    /// wanted is as good as ever: without this, each attempt would leave one behind.
    pub(super) async fn let_go(&self, consul: &Consul, id: &str) {
        let Some(held) = self.held().remove(id) else { return };
        // What Consul did not take back is found, and tried again, by the next agent.
        if give_back(consul, held.all()).await {
            self.note(id).await;
        }
    }
}

/// Whether all were taken back.
async fn give_back(consul: &Consul, all: Vec<SecretText>) -> bool {
    let Some(tokens) = consul.tokens() else { return false };
    let mut is_done = true;
    for token in all {
        if let Err(error) = tokens.revoke(&token).await {
            tracing::debug!(%error, "the token of a service was not given back; it ends by itself where the auth method says so");
            is_done = false;
        }
    }
    is_done
}

fn is_switched_off(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 401 | 403, message, .. } if message.contains("ACL support disabled"))
}
