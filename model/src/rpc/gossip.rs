//! The keys that servers seal their gossip with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{method, secret::SecretText};

/// What is to be done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOperation {
    List,
    /// Take what it has sealed.
    Install,
    /// Seal with it.
    Use,
    /// Take no more what it has sealed.
    Remove,
}

/// Lets all servers do something with a key. For [`KeyOperation::List`] it is empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GossipKeyring {
    pub operation: KeyOperation,
    pub key: SecretText,
}
method!(GossipKeyring, "server.gossip_keyring", KeyringReport);

/// What the servers said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyringReport {
    /// Why a server could not do it, by the server's name.
    pub messages: BTreeMap<String, String>,
    /// On how many servers each key is.
    pub keys: BTreeMap<String, u32>,
    /// On how many servers each key is the one that seals.
    pub primary_keys: BTreeMap<String, u32>,
    /// How many servers were asked.
    pub servers: u32,
}

impl KeyringReport {
    /// One line, when not all servers did it.
    pub fn failure(&self) -> Option<String> {
        let failed = self.messages.len();
        (failed > 0).then(|| format!("{failed}/{} nodes reported failure", self.servers))
    }
}
