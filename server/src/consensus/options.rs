//! How a server takes part.

use std::path::PathBuf;

use openraft::{Config, SnapshotPolicy};

use super::Error;

/// Between heartbeats. They are sent when a clock of one and a half times as much ticks.
const HEARTBEAT_MS: u64 = 100;
/// A follower that hears nothing for the lease (the longer of these two), and then for a random time between them, stands for election: after 850 to 1150 ms.
/// One that knows that the leader's process has ended waits for the lease alone; see `failover`.
const ELECTION_MIN_MS: u64 = 350;
const ELECTION_MAX_MS: u64 = 500;
/// For one piece of a snapshot to arrive and, for the last one, to be installed.
const INSTALL_SNAPSHOT_MS: u64 = 60_000;
const SNAPSHOT_CHUNK_BYTES: u64 = 4 << 20;
/// Entries in one message to a follower; their bytes are bounded by the log's reader.
const ENTRIES_PER_MESSAGE: u64 = 256;

/// How this server takes part.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the log, the snapshot and this server's id are kept; nobody else writes there.
    pub folder: PathBuf,
    /// The RPC address that other servers reach this one at.
    pub address: String,
    pub region: String,
    pub name: String,
    /// 1: a new server is a cluster by itself. More: it waits until a cluster is begun ([`super::Consensus::initialize`]).
    pub bootstrap_expect: u32,
    /// A snapshot is written after so many entries.
    pub snapshot_entries: u64,
    /// So many entries are kept behind a snapshot, for followers that lag a little.
    pub trailing_entries: u64,
    /// Does not stand for election until it is told to.
    pub hold_elections: bool,
    /// In which datacenter this server is, for people.
    pub datacenter: String,
    /// It shall follow without a vote.
    pub non_voting: bool,
    /// Stretches all timeouts, for slow networks and disks. At least 1.
    pub timeout_multiplier: u32,
}

impl Options {
    pub fn new(folder: impl Into<PathBuf>, address: impl Into<String>) -> Self {
        Self {
            folder: folder.into(),
            address: address.into(),
            region: "global".into(),
            name: "server".into(),
            bootstrap_expect: 1,
            snapshot_entries: 8192,
            trailing_entries: 4096,
            hold_elections: false,
            datacenter: String::new(),
            non_voting: false,
            timeout_multiplier: 1,
        }
    }

    pub(super) fn raft_config(&self) -> Result<Config, Error> {
        let stretch = u64::from(self.timeout_multiplier.max(1));
        let config = Config {
            cluster_name: format!("drover-{}", self.region),
            heartbeat_interval: HEARTBEAT_MS * stretch,
            election_timeout_min: ELECTION_MIN_MS * stretch,
            election_timeout_max: ELECTION_MAX_MS * stretch,
            install_snapshot_timeout: INSTALL_SNAPSHOT_MS,
            max_payload_entries: ENTRIES_PER_MESSAGE,
            replication_lag_threshold: self.snapshot_entries.saturating_add(self.trailing_entries),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_entries.max(1)),
            snapshot_max_chunk_size: SNAPSHOT_CHUNK_BYTES,
            max_in_snapshot_log_to_keep: self.trailing_entries,
            // Purging writes to the log: not for every entry.
            purge_batch_size: (self.trailing_entries / 4).max(1),
            enable_elect: !self.hold_elections,
            ..Config::default()
        };
        config.validate().map_err(|error| Error::Start(error.to_string()))
    }
}
