//! What a client is told by its agent's configuration. Every value is final: defaults and flags have been merged.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use drover_model::{
    node::{HostNetwork, HostVolume},
    rpc::node::NodeAuth,
    secret::SecretText,
};
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// A throw-away node: nothing is remembered, and stopping the agent stops its tasks.
    pub dev: bool,
    pub region: String,
    pub datacenter: String,
    /// The node's name; empty: the host's.
    pub name: String,
    pub node_class: String,
    pub node_pool: String,
    pub meta: BTreeMap<String, String>,
    /// The client's own state: ids and what it runs.
    pub state_dir: PathBuf,
    /// One folder per allocation.
    pub alloc_dir: PathBuf,
    /// Where volumes are made.
    pub host_volumes_dir: PathBuf,
    /// `HOST:PORT` of the agent's HTTP interface as others reach it.
    pub http_address: String,
    pub tls_enabled: bool,
    pub version: String,
    pub revision: String,
    /// The address that tasks listen on; empty: found from the interface.
    pub network_address: String,
    /// The interface of the node's address; empty: the one of the default route (in dev mode the loopback one).
    pub network_interface: String,
    /// Zero: as measured.
    pub cpu_total_mhz: u64,
    /// Zero: as measured.
    pub memory_total_mib: u64,
    /// Zero: as measured.
    pub disk_total_mib: u64,
    /// Zero: as measured.
    pub disk_free_mib: u64,
    pub reserved: Reserved,
    pub min_dynamic_port: u16,
    pub max_dynamic_port: u16,
    pub node_max_allocs: u32,
    /// Starts without taking work until somebody marks it eligible.
    pub default_ineligible: bool,
    /// The longest `kill_timeout` a task may have.
    pub max_kill_timeout: Duration,
    /// How often ended allocations are looked over.
    pub gc_interval: Duration,
    /// So many ended allocations keep their folders.
    pub gc_max_allocs: usize,
    pub gc_disk_usage_threshold: f64,
    pub gc_inode_usage_threshold: f64,
    pub host_volumes: BTreeMap<String, HostVolume>,
    pub host_networks: BTreeMap<String, HostNetwork>,
    /// The servers' own catalogue may be used by jobs.
    pub service_discovery: bool,
    pub template: TemplateDefaults,
    /// Settings of `plugin "NAME" { config {} }` by driver.
    pub drivers: BTreeMap<String, serde_json::Map<String, Value>>,
    /// Names of host variables that tasks must not see, beside the built-in ones.
    pub denied_env: Vec<String>,
    /// The variables of the agent's own environment, as read once at start.
    pub host_env: BTreeMap<String, String>,
    /// Attributes that others found out (Consul's and Vault's version, ...).
    pub extra_attributes: BTreeMap<String, String>,
    /// Who the node is, when others had to know it before the client starts (see [`crate::Client::identify`]); none: found when it starts.
    pub identity: Option<NodeAuth>,
    /// Nobody may run commands in this node's tasks.
    pub disable_remote_exec: bool,
    /// What the node shows to be let in as a new one; empty: nothing.
    pub introduction_token: SecretText,
}

/// What the operator keeps from jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    pub cpu_mhz: u64,
    pub memory_mib: u64,
    pub disk_mib: u64,
    pub cores: Vec<u16>,
    /// `22,80,8000-8080`.
    pub ports: String,
}

/// What templates may do, and how patient they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateDefaults {
    pub denied_functions: Vec<String>,
    /// Templates may read files outside of their task's folder.
    pub disable_file_sandbox: bool,
    /// How long to gather changes, when a template does not say; none: the renderer's own quick rule.
    pub wait: Option<(Duration, Duration)>,
}

impl Default for TemplateDefaults {
    fn default() -> Self {
        let denied_functions = ["executeTemplate", "plugin", "writeToFile"].map(str::to_owned).to_vec();
        Self { denied_functions, disable_file_sandbox: false, wait: None }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            dev: false,
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            name: String::new(),
            node_class: String::new(),
            node_pool: "default".to_owned(),
            meta: BTreeMap::new(),
            state_dir: PathBuf::from("client"),
            alloc_dir: PathBuf::from("alloc"),
            host_volumes_dir: PathBuf::from("host_volumes"),
            http_address: String::new(),
            tls_enabled: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: String::new(),
            network_address: String::new(),
            network_interface: String::new(),
            cpu_total_mhz: 0,
            memory_total_mib: 0,
            disk_total_mib: 0,
            disk_free_mib: 0,
            reserved: Reserved::default(),
            min_dynamic_port: 20_000,
            max_dynamic_port: 32_000,
            node_max_allocs: 0,
            default_ineligible: false,
            max_kill_timeout: Duration::from_secs(30),
            gc_interval: Duration::from_secs(60),
            gc_max_allocs: 50,
            gc_disk_usage_threshold: 80.0,
            gc_inode_usage_threshold: 70.0,
            host_volumes: BTreeMap::new(),
            host_networks: BTreeMap::new(),
            service_discovery: true,
            template: TemplateDefaults::default(),
            drivers: BTreeMap::new(),
            denied_env: Vec::new(),
            host_env: BTreeMap::new(),
            extra_attributes: BTreeMap::new(),
            identity: None,
            disable_remote_exec: false,
            introduction_token: SecretText::default(),
        }
    }
}
