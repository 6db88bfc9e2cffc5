//! Services that an allocation offers, and the checks that tell whether it does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    json::{List, Map},
    spec,
    time::nanos,
};

/// The catalogue a service stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    #[default]
    Consul,
    /// The servers' own catalogue.
    Nomad,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Service {
    pub name: String,
    pub task_name: String,
    /// A port's label or number.
    pub port_label: String,
    pub address_mode: String,
    pub address: String,
    pub provider: Provider,
    pub cluster: String,
    pub namespace: String,
    pub tags: List<String>,
    /// The tags of an allocation that is a canary and not promoted; empty: the usual ones.
    pub canary_tags: List<String>,
    pub meta: Map<String>,
    pub canary_meta: Map<String>,
    pub tagged_addresses: Map<String>,
    pub enable_tag_override: bool,
    pub on_update: String,
    pub weights: Option<Weights>,
    pub checks: List<Check>,
    pub connect: Option<spec::Connect>,
    pub identity: Option<super::WorkloadIdentity>,
    pub kind: String,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            name: String::new(),
            task_name: String::new(),
            port_label: String::new(),
            address_mode: "auto".to_owned(),
            address: String::new(),
            provider: Provider::Consul,
            cluster: "default".to_owned(),
            namespace: "default".to_owned(),
            tags: List::default(),
            canary_tags: List::default(),
            meta: Map::default(),
            canary_meta: Map::default(),
            tagged_addresses: Map::default(),
            enable_tag_override: false,
            on_update: "require_healthy".to_owned(),
            weights: None,
            checks: List::default(),
            connect: None,
            identity: None,
            kind: String::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Weights {
    pub passing: u32,
    pub warning: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { passing: 1, warning: 1 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    #[default]
    Http,
    Tcp,
    Grpc,
    Script,
    Ttl,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Check {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: CheckType,
    pub command: String,
    pub args: List<String>,
    pub path: String,
    /// `http` or `https`.
    pub protocol: String,
    pub port_label: String,
    pub address_mode: String,
    pub advertise: String,
    pub expose: bool,
    #[serde(with = "nanos")]
    pub interval: Duration,
    #[serde(with = "nanos")]
    pub timeout: Duration,
    pub initial_status: String,
    #[serde(rename = "TLSServerName")]
    pub tls_server_name: String,
    #[serde(rename = "TLSSkipVerify")]
    pub tls_skip_verify: bool,
    pub method: String,
    pub header: Map<Vec<String>>,
    pub body: String,
    pub check_restart: Option<CheckRestart>,
    #[serde(rename = "GRPCService")]
    pub grpc_service: String,
    #[serde(rename = "GRPCUseTLS")]
    pub grpc_use_tls: bool,
    pub task_name: String,
    pub success_before_passing: u32,
    pub failures_before_critical: u32,
    pub failures_before_warning: u32,
    pub on_update: String,
    pub notes: String,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: CheckType::Http,
            command: String::new(),
            args: List::default(),
            path: String::new(),
            protocol: String::new(),
            port_label: String::new(),
            address_mode: String::new(),
            advertise: String::new(),
            expose: false,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            initial_status: String::new(),
            tls_server_name: String::new(),
            tls_skip_verify: false,
            method: String::new(),
            header: Map::default(),
            body: String::new(),
            check_restart: None,
            grpc_service: String::new(),
            grpc_use_tls: false,
            task_name: String::new(),
            success_before_passing: 0,
            failures_before_critical: 0,
            failures_before_warning: 0,
            on_update: "require_healthy".to_owned(),
            notes: String::new(),
        }
    }
}

/// When a check that stays unhealthy restarts its task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CheckRestart {
    /// Failures in a row; 0 switches it off.
    pub limit: u32,
    #[serde(with = "nanos")]
    pub grace: Duration,
    pub ignore_warnings: bool,
}

impl Default for CheckRestart {
    fn default() -> Self {
        Self { limit: 0, grace: Duration::from_secs(1), ignore_warnings: false }
    }
}
