//! Volumes on nodes.

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{
    ids::{Name, NodeId, VolumeId},
    json::Map,
    method,
    rpc::client::Done,
    volume::{Volume, VolumeStub},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeList {
    pub options: ReadOptions,
    pub node_id: Option<NodeId>,
    pub node_pool: Option<String>,
}
method!(VolumeList, "volumes.list", Read<Vec<VolumeStub>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeGet {
    pub options: ReadOptions,
    pub id: VolumeId,
}
method!(VolumeGet, "volumes.get", Read<Option<Volume>>);

/// Makes a folder that is on a node already known as a volume, or changes what is known of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeRegister {
    pub volume: Volume,
}
method!(VolumeRegister, "volumes.register", VolumeWritten);

/// Lets a node make a volume. Without a node in it, one is chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeCreate {
    pub volume: Volume,
}
method!(VolumeCreate, "volumes.create", VolumeWritten);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeWritten {
    pub index: u64,
    pub volume: Volume,
}

/// Removes a volume that nobody uses; what its plugin made is gone with it. `force`: also when its node cannot be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeDelete {
    pub namespace: Name,
    pub id: VolumeId,
    pub force: bool,
}
method!(VolumeDelete, "volumes.delete", VolumeDeleted);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct VolumeDeleted {
    pub index: u64,
}

/// Asks a client to make a volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeMake {
    pub id: VolumeId,
    pub plugin_id: String,
    pub parameters: Map<String>,
}
method!(VolumeMake, "client.volume.make", VolumeMade);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeMade {
    pub host_path: String,
    pub capacity_bytes: i64,
}

/// Asks a client to remove what it made. Nothing is done about what it did not make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeRemove {
    pub id: VolumeId,
}
method!(VolumeRemove, "client.volume.remove", Done);
