//! What servers say to each other about who they are.

use drover_model::{method, rpc::gossip::KeyOperation};
use serde::{Deserialize, Serialize};

use crate::{consensus::ServerNode, gossip::GossipServer};

/// Asks a server who it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Introduce {
    /// Something that is sealed with the key of gossip, where there is one.
    #[serde(with = "drover_model::rpc::as_bytes")]
    pub(super) proof: Vec<u8>,
}
method!(Introduce, "server.introduce", Introduction);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Introduction {
    pub(crate) id: u64,
    pub(crate) address: String,
    /// How many servers it expects to begin a cluster with.
    pub(crate) expect: u32,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) datacenter: String,
    pub(crate) non_voting: bool,
    pub(crate) version: String,
    /// Who leads it; it has heard from there a moment ago.
    pub(crate) leader: Option<u64>,
    /// Who takes part, as far as it knows; empty before there is a cluster.
    pub(crate) members: Vec<u64>,
    pub(crate) last_term: u64,
    pub(crate) last_index: u64,
    /// Its disk is full, or nearly so.
    pub(crate) full: bool,
    /// It is shutting down.
    pub(crate) leaving: bool,
    /// Who it is in gossip.
    pub(crate) gossip: Option<GossipServer>,
}

impl Introduction {
    pub(super) fn node(&self) -> ServerNode {
        ServerNode { addr: self.address.clone(), name: self.name.clone(), datacenter: self.datacenter.clone(), non_voting: self.non_voting }
    }
}

/// Asks to be taken in; the leader does it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Join {
    pub(super) introduction: Introduction,
    /// As in [`Introduce`].
    #[serde(default, with = "drover_model::rpc::as_bytes")]
    pub(super) proof: Vec<u8>,
}
method!(Join, "server.join", ());

/// Says that a server leaves for good.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Leave {
    pub(super) id: u64,
}
method!(Leave, "server.leave", ());

/// Does something with a key of gossip on one server. What a key is part of is sealed with another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeyChange {
    pub(super) operation: KeyOperation,
    #[serde(with = "drover_model::rpc::as_bytes")]
    pub(super) key: Vec<u8>,
}
method!(KeyChange, "server.gossip_key", KeysHeld);

/// The keys that a server has by now, the one that seals first, as a sealed list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeysHeld {
    #[serde(with = "drover_model::rpc::as_bytes")]
    pub(super) keys: Vec<u8>,
}
