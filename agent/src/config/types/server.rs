//! The types of the `server` block.

use std::{path::PathBuf, time::Duration};

use drover_server::{ScheduledSnapshots, gossip::GossipKey};

#[derive(Clone, Debug, PartialEq)]
pub struct ServerSection {
    pub enabled: bool,
    pub bootstrap_expect: u32,
    pub data_dir: Option<PathBuf>,
    pub num_schedulers: Option<usize>,
    pub raft_multiplier: u32,
    pub raft_snapshot_threshold: Option<u64>,
    pub raft_trailing_logs: Option<u64>,
    pub snapshots: Option<ScheduledSnapshots>,
    pub rejoin_after_leave: bool,
    pub non_voting_server: bool,
    pub heartbeat_grace: Duration,
    pub min_heartbeat_ttl: Duration,
    pub max_heartbeats_per_second: f64,
    pub failover_heartbeat_ttl: Duration,
    pub node_gc_threshold: Duration,
    pub job_gc_interval: Duration,
    pub job_gc_threshold: Duration,
    pub eval_gc_threshold: Duration,
    pub batch_eval_gc_threshold: Duration,
    pub deployment_gc_threshold: Duration,
    pub root_key_rotation_threshold: Duration,
    pub join: JoinSection,
    /// What gossip is sealed with; none: it is not.
    pub encrypt: Option<GossipKey>,
    /// Bytes.
    pub job_max_source_size: u64,
    pub job_tracked_versions: u32,
    pub job_default_priority: u8,
    pub job_max_priority: u8,
    pub job_max_count: u32,
    pub event_buffer_size: usize,
    pub oidc_issuer: Option<String>,
    pub scheduler: SchedulerDefaults,
}

impl Default for ServerSection {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            enabled: false,
            bootstrap_expect: 0,
            data_dir: None,
            num_schedulers: None,
            raft_multiplier: 1,
            raft_snapshot_threshold: None,
            raft_trailing_logs: None,
            snapshots: None,
            rejoin_after_leave: false,
            non_voting_server: false,
            heartbeat_grace: Duration::from_secs(10),
            min_heartbeat_ttl: Duration::from_secs(10),
            max_heartbeats_per_second: 50.0,
            failover_heartbeat_ttl: Duration::from_secs(300),
            node_gc_threshold: 24 * HOUR,
            job_gc_interval: Duration::from_secs(300),
            job_gc_threshold: 4 * HOUR,
            eval_gc_threshold: HOUR,
            batch_eval_gc_threshold: 24 * HOUR,
            deployment_gc_threshold: HOUR,
            root_key_rotation_threshold: 720 * HOUR,
            join: JoinSection::default(),
            encrypt: None,
            job_max_source_size: 1 << 20,
            job_tracked_versions: 6,
            job_default_priority: 50,
            job_max_priority: 100,
            job_max_count: 50_000,
            event_buffer_size: 100,
            oidc_issuer: None,
            scheduler: SchedulerDefaults::default(),
        }
    }
}

/// How a fresh cluster's schedulers are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchedulerDefaults {
    /// Whether the block was given at all.
    pub given: bool,
    pub spread: bool,
    pub memory_oversubscription: bool,
    pub reject_job_registration: bool,
    pub pause_eval_broker: bool,
    pub preempt_system: Option<bool>,
    pub preempt_sysbatch: bool,
    pub preempt_batch: bool,
    pub preempt_service: bool,
}

/// Whom to join at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinSection {
    pub addresses: Vec<String>,
    pub retry_interval: Duration,
    /// 0: for ever.
    pub retry_max: u32,
}

impl Default for JoinSection {
    fn default() -> Self {
        Self { addresses: Vec::new(), retry_interval: Duration::from_secs(30), retry_max: 0 }
    }
}
