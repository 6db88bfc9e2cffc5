//! What a server is started with. The agent reads it from its files and flags; here it is only used.

use std::{path::PathBuf, time::Duration};

use drover_model::rpc::autopilot::AutopilotConfig;
use tokio::sync::watch;

use crate::{embedded::StoresConfig, gossip::GossipConfig, identity::Algorithm, state::SchedulerConfig};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub region: String,
    pub datacenter: String,
    /// Unique among the servers of the region.
    pub node_name: String,
    /// Where log and snapshots are kept, on the runtime's disk.
    pub data_dir: PathBuf,
    /// Where RPC calls are accepted, `HOST:PORT`; port 0 lets the system choose.
    pub rpc_address: String,
    /// RPC connections that one address may have open; 0: as many as there are in all.
    pub rpc_connections_per_address: usize,
    /// How others reach it; none: the address that it really listens on.
    pub rpc_advertise: Option<String>,
    /// How it gossips with other servers; none: it does not.
    pub gossip: Option<GossipConfig>,
    /// How many servers make up the first cluster. 1 begins alone at once; 0 waits to be joined to one.
    pub bootstrap_expect: u32,
    /// RPC addresses of other servers.
    pub join: Vec<String>,
    /// Further ones, as whoever looks for servers elsewhere finds them.
    pub found: Option<watch::Receiver<Vec<String>>>,
    /// The longest pause between two rounds of asking them.
    pub retry_interval: Duration,
    /// After so many rounds in vain a new server asks no more; 0: it always does.
    pub retry_max: u32,
    /// After it has left, a server asks those that it knew to take it in again, when it starts.
    pub rejoin_after_leave: bool,
    /// It follows and answers stale reads, but never gets a vote.
    pub non_voting: bool,
    /// Stretches the times that decide when a leader is given up.
    pub raft_multiplier: u32,
    /// A snapshot is written after so many log entries, and so many are kept behind it; none: the standard.
    pub snapshot_entries: Option<u64>,
    pub trailing_entries: Option<u64>,
    /// Snapshots that the leader writes by itself; none: it does not.
    pub snapshots: Option<ScheduledSnapshots>,
    /// How a new cluster looks after its servers.
    pub autopilot: AutopilotConfig,
    pub heartbeat: HeartbeatConfig,
    pub gc: GcConfig,
    /// How many evaluations are computed side by side.
    pub schedulers: usize,
    /// The settings that a new cluster begins with.
    pub scheduler: SchedulerConfig,
    /// With what kind of key a new cluster signs workload identities. Simulations take `EdDsa`, which comes from their seed.
    pub signing: Algorithm,
    /// Where the cluster's OpenID Connect documents can be reached from outside.
    pub oidc_issuer: Option<String>,
    pub stores: StoresConfig,
}

impl ServerConfig {
    /// All servers that are known of so far, to join them.
    pub fn others(&self) -> Vec<String> {
        let found = self.found.as_ref().map(|found| found.borrow().clone()).unwrap_or_default();
        self.join.iter().cloned().chain(found).collect()
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            node_name: String::new(),
            data_dir: PathBuf::from("/server"),
            rpc_address: "127.0.0.1:4647".to_owned(),
            rpc_connections_per_address: 100,
            rpc_advertise: None,
            gossip: None,
            bootstrap_expect: 1,
            join: Vec::new(),
            found: None,
            retry_interval: Duration::from_secs(30),
            retry_max: 0,
            rejoin_after_leave: false,
            non_voting: false,
            raft_multiplier: 1,
            snapshot_entries: None,
            trailing_entries: None,
            snapshots: None,
            autopilot: AutopilotConfig::default(),
            heartbeat: HeartbeatConfig::default(),
            gc: GcConfig::default(),
            schedulers: 2,
            scheduler: SchedulerConfig::default(),
            signing: Algorithm::default(),
            oidc_issuer: None,
            stores: StoresConfig::default(),
        }
    }
}

/// When the leader writes the state into a file, where, and how many of them stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledSnapshots {
    pub folder: PathBuf,
    pub interval: Duration,
    pub retain: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    pub min_ttl: Duration,
    /// What all nodes together may send: with many nodes each one's heartbeats come less often.
    pub max_per_second: u32,
    /// How much later than promised a heartbeat may come.
    pub grace: Duration,
    /// What nodes have at least when another server has become leader.
    pub failover_ttl: Duration,
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(10),
            max_per_second: 50,
            grace: Duration::from_secs(10),
            failover_ttl: Duration::from_secs(300),
        }
    }
}

/// After how long what has ended is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcConfig {
    pub interval: Duration,
    pub job_threshold: Duration,
    pub eval_threshold: Duration,
    pub deployment_threshold: Duration,
    pub node_threshold: Duration,
}

impl Default for GcConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
            job_threshold: 4 * HOUR,
            eval_threshold: HOUR,
            deployment_threshold: HOUR,
            node_threshold: 24 * HOUR,
        }
    }
}
