//! The types of the `client` block.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::JoinSection;

#[derive(Clone, Debug, PartialEq)]
pub struct ClientSection {
    pub enabled: bool,
    pub state_dir: Option<PathBuf>,
    pub alloc_dir: Option<PathBuf>,
    pub host_volumes_dir: Option<PathBuf>,
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
            host_volumes_dir: None,
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

impl TemplateSection {
    /// The least that a question waits for a change.
    const LEAST_WAIT: Duration = Duration::from_secs(1);

    /// How long a question waits for a change before it is asked again.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.block_query_wait.max(Self::LEAST_WAIT)
    }
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
