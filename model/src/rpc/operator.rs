//! What operators ask and change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions, job::Written};
use crate::method;

/// Reads how schedulers are set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchedulerConfigGet {
    pub options: ReadOptions,
}
method!(SchedulerConfigGet, "operator.scheduler.get", Read<SchedulerConfigView>);

/// Changes how schedulers are set. `check` is the index it must have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchedulerConfigSet {
    pub config: SchedulerConfigView,
    pub check: Option<u64>,
}
method!(SchedulerConfigSet, "operator.scheduler.set", SchedulerConfigUpdated);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SchedulerConfigUpdated {
    pub updated: bool,
    pub index: u64,
}

/// The schedulers' settings as the API shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SchedulerConfigView {
    pub scheduler_algorithm: String,
    pub preemption_config: PreemptionView,
    pub memory_oversubscription_enabled: bool,
    pub reject_job_registration: bool,
    pub pause_eval_broker: bool,
    pub node_limit_for_feasibility_checks: u64,
    pub create_index: u64,
    pub modify_index: u64,
}

impl Default for SchedulerConfigView {
    fn default() -> Self {
        Self {
            scheduler_algorithm: "binpack".to_owned(),
            preemption_config: PreemptionView::default(),
            memory_oversubscription_enabled: false,
            reject_job_registration: false,
            pause_eval_broker: false,
            node_limit_for_feasibility_checks: 0,
            create_index: 0,
            modify_index: 0,
        }
    }
}

/// Which schedulers may stop allocations of lower priority to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PreemptionView {
    pub system_scheduler_enabled: bool,
    pub sys_batch_scheduler_enabled: bool,
    pub batch_scheduler_enabled: bool,
    pub service_scheduler_enabled: bool,
}

/// Which servers take part in consensus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RaftConfigurationGet {}
method!(RaftConfigurationGet, "operator.raft.configuration", RaftConfiguration);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RaftConfiguration {
    pub index: u64,
    pub servers: Vec<RaftServer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RaftServer {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Node")]
    pub node: String,
    #[serde(rename = "Address")]
    pub address: String,
    #[serde(rename = "Leader")]
    pub leader: bool,
    #[serde(rename = "Voter")]
    pub voter: bool,
    #[serde(rename = "RaftProtocol")]
    pub raft_protocol: String,
}

/// A server, by its id or its RPC address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichServer {
    Id(String),
    Address(String),
}

/// Takes a server out of consensus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RaftPeerRemove {
    pub server: WhichServer,
}
method!(RaftPeerRemove, "operator.raft.remove", ());

/// Lets another server lead. Without a name, one that has all entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeadershipTransfer {
    pub server: Option<WhichServer>,
}
method!(LeadershipTransfer, "operator.raft.transfer", LeadershipTransferred);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeadershipTransferred {
    pub from: RaftPeer,
    pub to: RaftPeer,
    pub noop: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RaftPeer {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Address")]
    pub address: String,
}

/// Forgets everything that has ended, at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SystemGc {}
method!(SystemGc, "system.gc", Written);

/// Numbers about the server that answers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ServerMetrics {}
method!(ServerMetrics, "server.metrics", Vec<Gauge>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Gauge {
    /// With dots, such as `nomad.broker.total_ready`.
    pub name: String,
    pub value: f64,
    pub labels: BTreeMap<String, String>,
}

impl Gauge {
    pub fn new(name: &str, value: impl Into<f64>) -> Self {
        Self { name: name.to_owned(), value: value.into(), labels: BTreeMap::new() }
    }

    #[must_use]
    pub fn with_label(mut self, key: &str, value: impl Into<String>) -> Self {
        self.labels.insert(key.to_owned(), value.into());
        self
    }
}

/// What the server that answers says of itself, in groups of words.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ServerInfo {}
method!(ServerInfo, "server.info", BTreeMap<String, BTreeMap<String, String>>);
