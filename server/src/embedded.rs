//! What the servers are in place of Consul and Vault: a catalogue, a key-value store, secrets and a certificate authority; and the variables.
//!
//! [`Stores`] answers the calls about them. Everything it keeps is rows of the replicated state; secrets and the authority's key are encrypted under the
//! keyring ([`crate::identity`]).

use std::{collections::BTreeMap, sync::Arc};

use drover_runtime::{Clock, Random};

use crate::{propose::Propose, state::StateStore};

pub use access::authenticate;
pub use names::Role;

mod access;
mod authority;
mod catalogue;
mod certificates;
mod kv;
mod names;
mod path;
mod secrets;
mod variables;
mod wait;

/// What may be configured of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoresConfig {
    /// What certificates of a role may name. A role that is not here is [`Role::default`].
    pub roles: BTreeMap<String, Role>,
}

/// Answers calls about the embedded stores. Writes need the leader; reads are as fresh as this server's state.
#[derive(Clone, Debug)]
pub struct Stores {
    state: Arc<StateStore>,
    propose: Arc<dyn Propose>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    config: Arc<StoresConfig>,
}

impl Stores {
    pub fn new(
        state: Arc<StateStore>,
        propose: Arc<dyn Propose>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        config: StoresConfig,
    ) -> Self {
        Self { state, propose, clock, random, config: Arc::new(config) }
    }
}

#[cfg(test)]
mod tests;
