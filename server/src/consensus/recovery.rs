//! When the majority is lost for good: an operator says who the servers are from now on, in the file `peers.json`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use drover_runtime::Disk;
use openraft::{Membership, RaftLogReader, RaftSnapshotBuilder, storage::RaftLogStorage, storage::RaftStateMachine};
use serde::Deserialize;

use super::{
    Error,
    log::LogStore,
    machine::Adapter,
    types::{ServerNode, StoredMembership},
};
use crate::membership;

const FILE: &str = "peers.json";
const DONE: &str = "peers.json.done";
const FILE_BYTES: u64 = 64 << 10;

/// A server that the file names.
#[derive(Debug, Deserialize)]
struct Given {
    id: String,
    address: String,
    #[serde(default)]
    non_voter: bool,
}

/// Who the servers are from now on.
#[derive(Debug)]
pub(super) struct Recovery {
    voters: BTreeSet<u64>,
    nodes: BTreeMap<u64, ServerNode>,
}

/// Reads the file, when there is one.
pub(super) fn read(disk: &dyn Disk, folder: &Path, own: u64) -> Result<Option<Recovery>, Error> {
    let path = folder.join(FILE);
    let refused = |why: String| Error::Start(format!("{}: {why}", path.display()));
    let bytes = match disk.read(&path, FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(format!("cannot read it: {error}"))),
    };
    let given: Vec<Given> = serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
    let (mut voters, mut nodes) = (BTreeSet::new(), BTreeMap::new());
    for Given { id, address, non_voter } in given {
        let number =
            membership::parse(&id).ok_or_else(|| refused(format!("{id:?} is no id of a server: see `operator raft list-peers`")))?;
        if !non_voter {
            voters.insert(number);
        }
        nodes.insert(number, ServerNode { addr: address, non_voting: non_voter, ..ServerNode::default() });
    }
    if !voters.contains(&own) {
        return Err(refused(format!("it must name this server, {}, as one with a vote", membership::show(own))));
    }
    Ok(Some(Recovery { voters, nodes }))
}

impl Recovery {
    /// Takes everything in the log as agreed on, and the file's servers as those who take part. The file is moved away.
    pub(super) async fn run(self, disk: &dyn Disk, folder: &Path, log: &mut LogStore, adapter: &mut Adapter) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Start(format!("{}: cannot recover: {error}", folder.join(FILE).display()));
        let first = adapter.applied().map_or(0, |applied| applied.index + 1);
        let entries = log.try_get_log_entries(first..).await.map_err(|error| failed(&error))?;
        adapter.apply(entries).await.map_err(|error| failed(&error))?;
        let Some(last) = adapter.applied() else {
            return Err(failed(&"this server has nothing in its log; recover one that has"));
        };
        tracing::warn!(servers = self.nodes.len(), index = last.index, "the servers of the cluster are replaced by those in peers.json");
        let members = Membership::new(vec![self.voters], self.nodes);
        adapter.replace_membership(StoredMembership::new(Some(last), members));
        adapter.get_snapshot_builder().await.build_snapshot().await.map_err(|error| failed(&error))?;
        log.purge(last).await.map_err(|error| failed(&error))?;
        disk.rename(&folder.join(FILE), &folder.join(DONE)).and_then(|()| disk.sync_dir(folder)).map_err(|error| failed(&error))
    }
}
