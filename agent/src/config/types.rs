//! The configuration's own types: plain, complete, checked.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use drover_model::secret::SecretText;

/// Everything an agent needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    pub dev: bool,
    pub region: String,
    pub datacenter: String,
    /// The machine's name when not given.
    pub name: String,
    /// None only in dev mode: then a temporary folder is used and removed.
    pub data_dir: Option<PathBuf>,
    pub plugin_dir: Option<PathBuf>,
    pub bind_addr: String,
    pub ports: Ports,
    pub addresses: Addresses,
    /// `HOST:PORT` that others reach this agent at.
    pub advertise: Addresses,
    pub log: LogConfig,
    pub enable_debug: bool,
    pub leave_on_interrupt: bool,
    pub leave_on_terminate: bool,
    pub http_headers: BTreeMap<String, String>,
    pub limits: Limits,
    pub server: ServerSection,
    pub client: ClientSection,
    pub plugins: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    pub consul: ConsulSection,
    pub vault: VaultSection,
    pub telemetry: Telemetry,
    pub ui_enabled: bool,
    /// The files it came from.
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub http: u16,
    pub rpc: u16,
    pub serf: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub http: Option<String>,
    pub rpc: Option<String>,
    pub serf: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub level: LogLevel,
    pub json: bool,
    pub include_location: bool,
    pub file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

impl LogLevel {
    /// The level of this name, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "err" => Self::Error,
            "off" => Self::Off,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Off => "OFF",
        }
    }
}

/// How much one neighbour may ask for. 0 is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub http_max_conns_per_client: usize,
    pub rpc_max_conns_per_client: usize,
    pub rpc_handshake_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { http_max_conns_per_client: 100, rpc_max_conns_per_client: 100, rpc_handshake_timeout: Duration::from_secs(5) }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ServerSection {
    pub enabled: bool,
    pub bootstrap_expect: u32,
    pub data_dir: Option<PathBuf>,
    pub num_schedulers: Option<usize>,
    pub raft_multiplier: u32,
    pub raft_snapshot_threshold: Option<u64>,
    pub raft_trailing_logs: Option<u64>,
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

#[derive(Clone, Debug, PartialEq)]
pub struct ClientSection {
    pub enabled: bool,
    pub state_dir: Option<PathBuf>,
    pub alloc_dir: Option<PathBuf>,
    pub servers: Vec<String>,
    pub join: JoinSection,
    pub node_class: String,
    pub node_pool: String,
    pub meta: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    pub network_interface: Option<String>,
    pub network_speed: u32,
    pub cpu_total_compute: Option<u64>,
    pub memory_total_mb: Option<u64>,
    pub disk_total_mb: Option<u64>,
    pub disk_free_mb: Option<u64>,
    pub reserved: Reserved,
    pub reservable_cores: Option<String>,
    pub max_kill_timeout: Duration,
    pub min_dynamic_port: u16,
    pub max_dynamic_port: u16,
    pub node_max_allocs: u32,
    pub gc_interval: Duration,
    pub gc_disk_usage_threshold: f64,
    pub gc_inode_usage_threshold: f64,
    pub gc_max_allocs: u32,
    pub gc_parallel_destroys: usize,
    pub host_volumes: BTreeMap<String, HostVolumeSection>,
    pub host_networks: BTreeMap<String, HostNetworkSection>,
    pub cgroup_parent: Option<String>,
    pub disable_remote_exec: bool,
    pub default_ineligible: bool,
    pub template: TemplateSection,
    pub artifact: ArtifactSection,
    pub drain_on_shutdown: Option<DrainOnShutdown>,
}

impl Default for ClientSection {
    fn default() -> Self {
        Self {
            enabled: false,
            state_dir: None,
            alloc_dir: None,
            servers: Vec::new(),
            join: JoinSection::default(),
            node_class: String::new(),
            node_pool: "default".to_owned(),
            meta: BTreeMap::new(),
            options: BTreeMap::new(),
            network_interface: None,
            network_speed: 0,
            cpu_total_compute: None,
            memory_total_mb: None,
            disk_total_mb: None,
            disk_free_mb: None,
            reserved: Reserved::default(),
            reservable_cores: None,
            max_kill_timeout: Duration::from_secs(30),
            min_dynamic_port: 20_000,
            max_dynamic_port: 32_000,
            node_max_allocs: 0,
            gc_interval: Duration::from_secs(60),
            gc_disk_usage_threshold: 80.0,
            gc_inode_usage_threshold: 70.0,
            gc_max_allocs: 50,
            gc_parallel_destroys: 2,
            host_volumes: BTreeMap::new(),
            host_networks: BTreeMap::new(),
            cgroup_parent: None,
            disable_remote_exec: false,
            default_ineligible: false,
            template: TemplateSection::default(),
            artifact: ArtifactSection::default(),
            drain_on_shutdown: None,
        }
    }
}

/// What jobs may not use of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    pub cpu_mhz: u64,
    pub memory_mb: u64,
    pub disk_mb: u64,
    pub cores: String,
    pub ports: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostVolumeSection {
    pub path: PathBuf,
    pub read_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNetworkSection {
    pub cidr: String,
    pub interface: String,
    pub reserved_ports: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSection {
    pub function_denylist: Vec<String>,
    pub disable_file_sandbox: bool,
    pub wait_min: Option<Duration>,
    pub wait_max: Option<Duration>,
    pub max_stale: Duration,
    pub block_query_wait: Duration,
    pub vault_default_lease_duration: Duration,
}

impl Default for TemplateSection {
    fn default() -> Self {
        Self {
            function_denylist: ["executeTemplate", "plugin", "writeToFile"].map(str::to_owned).to_vec(),
            disable_file_sandbox: false,
            wait_min: None,
            wait_max: None,
            max_stale: Duration::from_secs(87_600 * 3600),
            block_query_wait: Duration::from_secs(300),
            vault_default_lease_duration: Duration::from_secs(300),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactSection {
    pub http_read_timeout: Duration,
    /// Bytes.
    pub http_max_size: u64,
    pub decompression_file_count_limit: u64,
    /// Bytes.
    pub decompression_size_limit: u64,
}

impl Default for ArtifactSection {
    fn default() -> Self {
        Self {
            http_read_timeout: Duration::from_secs(1800),
            http_max_size: 100 << 30,
            decompression_file_count_limit: 4096,
            decompression_size_limit: 100 << 30,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainOnShutdown {
    pub deadline: Duration,
    pub force: bool,
    pub ignore_system_jobs: bool,
}

/// Where the catalogue and the key-value store are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulSection {
    /// Whether a block or the environment said anything.
    pub given: bool,
    pub embedded: bool,
    pub address: String,
    pub token: SecretText,
    pub auth: SecretText,
    pub ssl: bool,
    pub verify_ssl: bool,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub namespace: String,
    pub timeout: Duration,
    pub tags: Vec<String>,
    pub auto_advertise: bool,
    pub server_auto_join: bool,
    pub client_auto_join: bool,
    pub server_service_name: String,
    pub client_service_name: String,
    pub service_auth_method: String,
    pub task_auth_method: String,
    pub service_identity: Option<IdentitySection>,
    pub task_identity: Option<IdentitySection>,
}

impl Default for ConsulSection {
    fn default() -> Self {
        Self {
            given: false,
            embedded: false,
            address: "127.0.0.1:8500".to_owned(),
            token: SecretText::default(),
            auth: SecretText::default(),
            ssl: false,
            verify_ssl: true,
            ca_file: None,
            cert_file: None,
            key_file: None,
            namespace: String::new(),
            timeout: Duration::from_secs(5),
            tags: Vec::new(),
            auto_advertise: true,
            server_auto_join: true,
            client_auto_join: true,
            server_service_name: "nomad".to_owned(),
            client_service_name: "nomad-client".to_owned(),
            service_auth_method: "nomad-workloads".to_owned(),
            task_auth_method: "nomad-workloads".to_owned(),
            service_identity: None,
            task_identity: None,
        }
    }
}

/// Where secrets and certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultSection {
    /// Whether a block or the environment said anything.
    pub given: bool,
    pub enabled: Option<bool>,
    pub embedded: bool,
    pub address: String,
    pub token: SecretText,
    pub namespace: String,
    pub create_from_role: String,
    pub jwt_auth_backend_path: String,
    pub ca_file: Option<PathBuf>,
    pub ca_path: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub tls_skip_verify: bool,
    pub tls_server_name: String,
    pub default_identity: Option<IdentitySection>,
}

impl Default for VaultSection {
    fn default() -> Self {
        Self {
            given: false,
            enabled: None,
            embedded: false,
            address: "https://vault.service.consul:8200".to_owned(),
            token: SecretText::default(),
            namespace: String::new(),
            create_from_role: String::new(),
            jwt_auth_backend_path: "jwt-nomad".to_owned(),
            ca_file: None,
            ca_path: None,
            cert_file: None,
            key_file: None,
            tls_skip_verify: false,
            tls_server_name: String::new(),
            default_identity: None,
        }
    }
}

/// The workload identity that tasks get without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySection {
    pub audience: Vec<String>,
    pub env: bool,
    pub file: bool,
    pub ttl: Duration,
    pub extra_claims: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    pub prometheus_metrics: bool,
    pub publish_allocation_metrics: bool,
    pub publish_node_metrics: bool,
    pub disable_hostname: bool,
}

impl Config {
    pub(super) fn defaults(dev: bool) -> Self {
        let mut config = Self {
            dev,
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            name: String::new(),
            data_dir: None,
            plugin_dir: None,
            bind_addr: "0.0.0.0".to_owned(),
            ports: Ports { http: 4646, rpc: 4647, serf: 4648 },
            addresses: Addresses::default(),
            advertise: Addresses::default(),
            log: LogConfig { level: LogLevel::Info, json: false, include_location: false, file: None },
            enable_debug: false,
            leave_on_interrupt: false,
            leave_on_terminate: false,
            http_headers: BTreeMap::new(),
            limits: Limits::default(),
            server: ServerSection::default(),
            client: ClientSection::default(),
            plugins: BTreeMap::new(),
            consul: ConsulSection::default(),
            vault: VaultSection::default(),
            telemetry: Telemetry::default(),
            ui_enabled: true,
            files: Vec::new(),
        };
        if dev {
            config.for_development();
        }
        config
    }

    /// Everything on one machine, for trying things out.
    fn for_development(&mut self) {
        self.bind_addr = "127.0.0.1".to_owned();
        self.name = String::new();
        self.log.level = LogLevel::Debug;
        self.enable_debug = true;
        self.server.enabled = true;
        self.server.bootstrap_expect = 1;
        self.client.enabled = true;
        self.client.network_interface = Some("lo".to_owned());
        self.client.gc_interval = Duration::from_secs(600);
        self.client.gc_disk_usage_threshold = 99.0;
        self.client.gc_inode_usage_threshold = 99.0;
        self.telemetry.prometheus_metrics = true;
        self.telemetry.publish_allocation_metrics = true;
        self.telemetry.publish_node_metrics = true;
        self.plugins.insert("raw_exec".to_owned(), serde_json::Map::from_iter([("enabled".to_owned(), true.into())]));
    }

    /// The address that HTTP listens at.
    pub fn http_address(&self) -> String {
        join(self.addresses.http.as_ref().unwrap_or(&self.bind_addr), self.ports.http)
    }

    /// The address that servers are spoken with at.
    pub fn rpc_address(&self) -> String {
        join(self.addresses.rpc.as_ref().unwrap_or(&self.bind_addr), self.ports.rpc)
    }
}

/// `HOST:PORT`, with brackets around an IPv6 address.
pub(crate) fn join(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}
