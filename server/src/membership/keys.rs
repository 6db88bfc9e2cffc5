//! The keys of gossip: who has none of them is not spoken to, and all servers change theirs together.

use std::sync::Arc;

use drover_model::{
    rpc::{
        Error,
        gossip::{GossipKeyring, KeyOperation, KeyringReport},
    },
    secret::SecretText,
};
use drover_runtime::{
    apart,
    rpc::{Caller, Handle, Router},
};
use tracing::{info, warn};

use super::{CHANGE_WITHIN, KeyChange, messages::KeysHeld};
use crate::{
    Server,
    consensus::{Peer, network::server as only_servers},
    gossip::Pool,
};

/// What is sealed to show that a server has the key.
const PROOF: &[u8] = b"drover server";

pub(super) fn add(router: Router, server: &Arc<Server>) -> Router {
    router.handle::<GossipKeyring>(Arc::clone(server)).handle::<KeyChange>(Arc::clone(server))
}

impl Server {
    /// What shows that this server has the key of gossip; empty when there is none.
    pub(super) fn proof(&self) -> Vec<u8> {
        let sealed = self.gossip().filter(|pool| !pool.keyring().is_empty()).and_then(|pool| pool.keyring().seal(PROOF));
        sealed.unwrap_or_default()
    }

    /// Whether a server that asks has the same key as this one, or none like this one.
    pub(super) fn check_proof(&self, caller: &Caller, proof: &[u8]) -> Result<(), Error> {
        let Some(pool) = self.gossip() else { return Ok(()) };
        let why = match (pool.keyring().is_empty(), proof.is_empty()) {
            (true, true) => return Ok(()),
            (true, false) => "the server that was asked has no gossip key, and the one that asks has one",
            (false, true) => "the server that was asked has a gossip key, and the one that asks has none",
            (false, false) if pool.keyring().open_message(proof).is_some_and(|opened| opened == PROOF) => return Ok(()),
            (false, false) => "the server that asks has another gossip key than the one that was asked",
        };
        let name = caller.connection.as_ref().map_or_else(String::new, |connection| connection.peer().name.clone());
        if self.roster().is_first_refusal(&name) {
            warn!(name, "refused to speak to a server: {why}. All servers of a cluster need the same one (server.encrypt)");
        }
        Err(Error::new(403, format!("{why}: all servers of a cluster need the same one (server.encrypt)")))
    }

    /// What all servers said, this one among them.
    async fn change_keys(&self, pool: &Pool, message: &GossipKeyring) -> Result<KeyringReport, Error> {
        let mut report = KeyringReport::default();
        if pool.keyring().is_empty() {
            let own = self.own_keys(pool, message.operation, &message.key).await;
            report.note(self.config().node_name.clone(), own);
            return Ok(report);
        }
        let sealed = pool.keyring().seal(message.key.expose().as_bytes());
        let key = sealed.ok_or_else(|| Error::internal("the key cannot be sealed for the other servers"))?;
        let change = &KeyChange { operation: message.operation, key };
        let asked = self.others().into_iter().map(|peer| async move {
            let keys = self.others_keys(pool, &peer, change).await;
            (self.server_name(&peer), keys)
        });
        // The others first: what they are sent is sealed with a key that they still have.
        for (name, keys) in futures::future::join_all(asked).await {
            report.note(name, keys);
        }
        report.note(self.config().node_name.clone(), self.own_keys(pool, message.operation, &message.key).await);
        Ok(report)
    }

    async fn own_keys(&self, pool: &Pool, operation: KeyOperation, key: &SecretText) -> Result<Vec<String>, Error> {
        if operation == KeyOperation::List {
            let keys = pool.keyring().list();
            return if keys.is_empty() {
                Err(Error::internal("gossip is not encrypted on this server (server.encrypt)"))
            } else {
                Ok(keys)
            };
        }
        let (keyring, key) = (Arc::clone(pool.keyring()), key.clone());
        let changed = apart(move || keyring.change(operation, key.expose()).map(|()| keyring.list())).await;
        let keys = changed.map_err(|error| Error::internal(error.to_string()))??;
        info!(?operation, keys = keys.len(), "the gossip keyring was changed");
        Ok(keys)
    }

    async fn others_keys(&self, pool: &Pool, peer: &Peer, change: &KeyChange) -> Result<Vec<String>, Error> {
        let connection = self.peers().connection(&peer.address).await?;
        let KeysHeld { keys } = connection.call(&Self::header(), change, CHANGE_WITHIN).await?;
        let unreadable = || Error::internal("its answer is sealed with a key that this server does not have");
        let keys = pool.keyring().open_message(&keys).ok_or_else(unreadable)?;
        serde_json::from_slice(&keys).map_err(|error| Error::internal(error.to_string()))
    }
}

/// What one server said.
trait Note: Sized {
    fn note(&mut self, server: String, keys: Result<Vec<String>, Error>);

    fn noting(mut self, server: String, keys: Result<Vec<String>, Error>) -> Self {
        self.note(server, keys);
        self
    }
}

impl Note for KeyringReport {
    fn note(&mut self, server: String, keys: Result<Vec<String>, Error>) {
        self.servers += 1;
        match keys {
            Ok(keys) => {
                if let Some(first) = keys.first() {
                    *self.primary_keys.entry(first.clone()).or_default() += 1;
                }
                keys.into_iter().for_each(|key| *self.keys.entry(key).or_default() += 1);
            }
            Err(error) => drop(self.messages.insert(server, error.message)),
        }
    }
}

fn no_gossip() -> Error {
    Error::internal("this server does not gossip")
}

impl Handle<GossipKeyring> for Server {
    async fn handle(&self, caller: Caller, message: GossipKeyring) -> Result<KeyringReport, Error> {
        // The servers' own users ask in this process. No client has any business with these keys.
        if caller.connection.is_some() {
            only_servers(&caller)?;
        }
        let report = match self.gossip() {
            Some(pool) => self.change_keys(pool, &message).await?,
            None => KeyringReport::default().noting(self.config().node_name.clone(), Err(no_gossip())),
        };
        report
            .messages
            .iter()
            .for_each(|(name, why)| warn!(name, why, operation = ?message.operation, "a server did not change its gossip keys"));
        Ok(report)
    }
}

impl Handle<KeyChange> for Server {
    async fn handle(&self, caller: Caller, message: KeyChange) -> Result<KeysHeld, Error> {
        only_servers(&caller)?;
        let pool = self.gossip().ok_or_else(no_gossip)?;
        let unreadable = || Error::new(403, "the key is sealed with one that this server does not have");
        let key = pool.keyring().open_message(&message.key).ok_or_else(unreadable)?;
        let key = String::from_utf8(key).map_err(|_| unreadable())?;
        let keys = self.own_keys(pool, message.operation, &SecretText::from(key)).await?;
        let keys = serde_json::to_vec(&keys).map_err(|error| Error::internal(error.to_string()))?;
        let sealed = pool.keyring().seal(&keys).ok_or_else(|| Error::internal("the keys cannot be sealed"))?;
        Ok(KeysHeld { keys: sealed })
    }
}
