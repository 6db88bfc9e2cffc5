//! Snapshots of the servers' whole state, as files.

use serde::{Deserialize, Serialize};

use super::job::Written;
use crate::{method, stream_method};

/// Asks for the state as a file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SnapshotSave {
    /// Any server may give its own.
    pub stale: bool,
}
stream_method!(SnapshotSave, "operator.snapshot.save", SnapshotPiece);

/// A piece of a file. The first one comes when all of it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPiece {
    #[serde(with = "crate::rpc::as_bytes")]
    pub data: Vec<u8>,
    /// Of the whole file, as the HTTP header `Digest` has it.
    pub digest: String,
}

/// A piece of a file that the state is to be replaced with; the pieces of one file share an id and come in order. With the last one it happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotRestore {
    pub id: u64,
    pub offset: u64,
    #[serde(with = "crate::rpc::as_bytes")]
    pub data: Vec<u8>,
    pub is_last: bool,
}
method!(SnapshotRestore, "operator.snapshot.restore", Option<Written>);
