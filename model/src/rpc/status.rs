//! Who is there, and who leads.

use serde::{Deserialize, Serialize};

use crate::method;

/// The leader's RPC address; empty when nobody leads.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct LeaderGet {}
method!(LeaderGet, "status.leader", String);

/// The RPC addresses of all servers of the region.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PeersGet {}
method!(PeersGet, "status.peers", Vec<String>);

/// The regions that can be reached.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RegionList {}
method!(RegionList, "status.regions", Vec<String>);

/// The servers as a list of members.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct MemberList {}
method!(MemberList, "status.members", Vec<Member>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Member {
    pub name: String,
    pub addr: String,
    pub port: u16,
    pub status: String,
    pub tags: std::collections::BTreeMap<String, String>,
    pub protocol_min: u8,
    pub protocol_max: u8,
    pub protocol_cur: u8,
    pub delegate_min: u8,
    pub delegate_max: u8,
    pub delegate_cur: u8,
}

/// Lets the server that is asked join the cluster of the servers at these addresses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerJoin {
    pub addresses: Vec<String>,
}
method!(ServerJoin, "server.join_cluster", ServerJoined);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerJoined {
    /// How many of the addresses were servers of the cluster that it is in now.
    pub num_joined: u32,
    /// Why the others were not; empty when all were.
    pub error: String,
}

/// Takes a server that is gone for good out of the list of members and out of consensus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerForceLeave {
    /// Its name, with or without the region.
    pub node: String,
}
method!(ServerForceLeave, "server.force_leave", ());
