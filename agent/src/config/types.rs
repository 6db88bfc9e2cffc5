//! The configuration's own types: plain, complete, checked.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use drover_model::rpc::autopilot::AutopilotConfig;
use drover_runtime::tls::{Files, Oldest};

pub use client::*;
pub use integrations::*;
pub use server::*;

mod client;
mod integrations;
mod server;

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
    pub consul: Clusters<ConsulSection>,
    pub vault: Clusters<VaultSection>,
    pub telemetry: Telemetry,
    pub autopilot: AutopilotConfig,
    pub tls: TlsSection,
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

/// From the most talkative on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The same for who gathers events; none: none of them.
    pub(crate) fn tracing(self) -> Option<tracing::Level> {
        Some(match self {
            Self::Trace => tracing::Level::TRACE,
            Self::Debug => tracing::Level::DEBUG,
            Self::Info => tracing::Level::INFO,
            Self::Warn => tracing::Level::WARN,
            Self::Error => tracing::Level::ERROR,
            Self::Off => return None,
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

/// How connections are sealed, and whose are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSection {
    pub http: bool,
    pub rpc: bool,
    /// Users of the HTTP API must have a certificate, too.
    pub verify_https_client: bool,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub oldest: Oldest,
}

impl TlsSection {
    /// The files, where anything is sealed.
    pub fn files(&self) -> Option<Files> {
        let all = (self.ca_file.clone(), self.cert_file.clone(), self.key_file.clone());
        match all {
            (Some(authority), Some(certificate), Some(key)) if self.http || self.rpc => Some(Files { authority, certificate, key }),
            _ => None,
        }
    }
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
            consul: Clusters::default(),
            vault: Clusters::default(),
            telemetry: Telemetry::default(),
            autopilot: AutopilotConfig::default(),
            tls: TlsSection::default(),
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
