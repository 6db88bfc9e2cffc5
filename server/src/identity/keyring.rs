//! The keyring at work: its first key, signing, and what anybody may read of it.

use std::{sync::Arc, time::Duration};

use drover_model::{
    rpc::{
        Error, Read, ReadMeta,
        embedded::{Jwks, JwksDocument, OidcConfiguration, OidcDocument},
        node::{IdentityRequest, NodeAuth, SignIdentities, SignedIdentities, SignedIdentity},
    },
    secret::SecretText,
};
use drover_runtime::{Clock, Random, apart};
use tokio::time::Instant;

use super::{
    Algorithm, Claims, StoredKey,
    claims::{self, Issue},
    document, sign,
};
use crate::{
    embedded::authenticate,
    fsm::command::Command,
    propose::Propose,
    state::{State, StateStore, TableId},
};

/// How long a request that needs a key waits for the cluster's first key.
const KEY_PATIENCE: Duration = Duration::from_secs(15);
/// Identities in one message.
const SIGN_LIMIT: usize = 1024;
/// The pause after a key that could not be made or written.
const RETRY: Duration = Duration::from_secs(1);
/// How long a read of the public keys waits when it does not say.
const READ_WAIT: Duration = Duration::from_secs(300);

/// What may be configured of identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyringConfig {
    pub region: String,
    /// Where this cluster's OpenID Connect documents can be reached from outside; stands in identities as `iss`.
    pub issuer: Option<String>,
    /// Of new keys.
    pub algorithm: Algorithm,
}

/// Signs identities.
#[derive(Clone, Debug)]
pub struct Keyring {
    state: Arc<StateStore>,
    propose: Arc<dyn Propose>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    config: Arc<KeyringConfig>,
}

impl Keyring {
    pub fn new(
        state: Arc<StateStore>,
        propose: Arc<dyn Propose>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        config: KeyringConfig,
    ) -> Self {
        Self { state, propose, clock, random, config: Arc::new(config) }
    }

    /// Makes the first key when there is none. For the leader, beside whatever else it does: making a key takes its time, and nobody but those who need a
    /// signature waits for it. Returns once there is a key; drop the future when leadership ends.
    pub async fn ensure(&self) {
        while sign::active_key(self.state.snapshot().keys()).is_none() {
            match self.add_key().await {
                Ok(()) => tracing::info!(algorithm = ?self.config.algorithm, "made a key for the keyring"),
                Err(error) => {
                    tracing::warn!(%error, "no key for the keyring yet");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn add_key(&self) -> Result<(), Error> {
        let (algorithm, random, now) = (self.config.algorithm, Arc::clone(&self.random), self.clock.now());
        let made = apart(move || StoredKey::generate(algorithm, &*random, now)).await;
        let key = made.map_err(|_| Error::internal("making a key was cut off"))?.map_err(|error| Error::internal(error.to_string()))?;
        self.propose.propose(Command::KeyUpsert { key: Box::new(key) }).await?.accepted().map(|_| ())
    }

    /// Signs identities of allocations that run on the calling node.
    pub async fn sign(&self, request: SignIdentities) -> Result<SignedIdentities, Error> {
        authenticate(&self.state.snapshot(), &request.auth)?;
        if request.requests.len() > SIGN_LIMIT {
            return Err(Error::bad_request(format!("more than {SIGN_LIMIT} identities in one message")));
        }
        let (state, key) = with_key(&self.state).await?;
        let SignIdentities { auth, requests } = request;
        let (config, random, now) = (Arc::clone(&self.config), Arc::clone(&self.random), self.clock.now());
        // A signature takes about a millisecond of computing, and a node that starts asks for many.
        let signed = apart(move || {
            let sign = |request: &IdentityRequest| {
                let issue = Issue { region: &config.region, issuer: config.issuer.as_deref(), now, jti: random.id_bytes(), node: None };
                sign_one(&state, &key, &auth, request, issue)
            };
            requests.iter().map(sign).collect()
        });
        let identities = signed.await.map_err(|_| Error::internal("signing was cut off"))?;
        Ok(SignedIdentities { identities })
    }

    /// Who a signed identity says its bearer is, if it was signed here and its allocation still runs.
    pub fn bearer(&self, jwt: &SecretText) -> Result<Claims, Error> {
        let state = self.state.snapshot();
        let claims = sign::verify(state.keys(), jwt, self.clock.now().seconds()).map_err(|_| Error::forbidden())?;
        let runs = claims
            .nomad_allocation_id
            .parse()
            .ok()
            .and_then(|id| state.allocation(id))
            .is_some_and(|allocation| !allocation.is_client_terminal());
        if runs { Ok(claims) } else { Err(Error::forbidden()) }
    }

    /// The public keys. A cluster that is starting has none for a moment: the first reader waits for it rather than be told that nobody can be trusted.
    pub async fn jwks(&self, request: Jwks) -> Result<Read<JwksDocument>, Error> {
        let options = request.options;
        let state = if options.min_index == 0 {
            with_key(&self.state).await?.0
        } else {
            let wait = options.max_wait.filter(|wait| !wait.is_zero()).unwrap_or(READ_WAIT).min(READ_WAIT);
            self.state.wait_for(&[TableId::Keys], options.min_index, wait).await
        };
        let meta = ReadMeta { index: state.index_of(&[TableId::Keys]).max(1), known_leader: true, ..ReadMeta::default() };
        Ok(Read { meta, data: document::jwks(state.keys()) })
    }

    /// None without a configured issuer.
    pub async fn openid_configuration(&self, _: OidcConfiguration) -> Result<Option<OidcDocument>, Error> {
        let Some(issuer) = &self.config.issuer else { return Ok(None) };
        let (_, key) = with_key(&self.state).await?;
        Ok(Some(document::openid_configuration(issuer, key.algorithm)))
    }
}

fn sign_one(
    state: &State,
    key: &StoredKey,
    auth: &NodeAuth,
    request: &IdentityRequest,
    issue: Issue<'_>,
) -> Result<SignedIdentity, String> {
    let allocation = state
        .allocation(request.alloc_id)
        .filter(|allocation| allocation.node_id == auth.id)
        .ok_or_else(|| format!("allocation {} does not run on this node", request.alloc_id))?;
    if allocation.is_client_terminal() {
        return Err(format!("allocation {} has ended", request.alloc_id));
    }
    let node = state.node(allocation.node_id).map(|node| &**node);
    let claims = claims::claims(allocation, request, Issue { node, ..issue })?;
    let jwt = sign::sign(key, &claims).map_err(|error| error.to_string())?;
    Ok(SignedIdentity { jwt, expires: claims.exp.unwrap_or_default() })
}

/// The state once it has an active key, and that key. The leader makes the first one when the cluster begins, which takes a moment.
pub(crate) async fn with_key(store: &StateStore) -> Result<(Arc<State>, Arc<StoredKey>), Error> {
    let deadline = Instant::now() + KEY_PATIENCE;
    loop {
        let state = store.snapshot();
        if let Some(key) = sign::active_key(state.keys()) {
            let key = Arc::clone(key);
            return Ok((state, key));
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(Error::unavailable("the keyring has no key yet: try again in a moment"));
        }
        store.wait_for(&[TableId::Keys], state.index_of(&[TableId::Keys]), deadline - now).await;
    }
}
