//! The servers' care for themselves: who gets a vote, who has died.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{method, time::Rfc3339};

/// Reads how servers look after each other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AutopilotGet {
    pub stale: bool,
}
method!(AutopilotGet, "operator.autopilot.get", AutopilotConfig);

/// Changes it. `check` is the index that it must have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AutopilotSet {
    pub config: AutopilotConfig,
    pub check: Option<u64>,
}
method!(AutopilotSet, "operator.autopilot.set", bool);

/// How the servers are, as the leader sees it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AutopilotHealthGet {}
method!(AutopilotHealthGet, "operator.autopilot.health", AutopilotHealth);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AutopilotConfig {
    /// A server that the leader has not reached for longer is not healthy.
    #[serde(with = "text")]
    pub last_contact_threshold: Duration,
    /// How long a server must be healthy before it gets a vote.
    #[serde(with = "text")]
    pub server_stabilization_time: Duration,
    /// Servers that have died are taken out, as long as the others are a majority.
    pub cleanup_dead_servers: bool,
    /// A server that lacks more log entries is not healthy.
    pub max_trailing_logs: u64,
    /// So many voters are left at least; 0: no such bound.
    pub min_quorum: u32,
    /// The next three are kept for the API's sake.
    pub enable_redundancy_zones: bool,
    pub disable_upgrade_migration: bool,
    pub enable_custom_upgrades: bool,
    pub create_index: u64,
    pub modify_index: u64,
}

impl Default for AutopilotConfig {
    fn default() -> Self {
        Self {
            last_contact_threshold: Duration::from_millis(200),
            server_stabilization_time: Duration::from_secs(10),
            cleanup_dead_servers: true,
            max_trailing_logs: 250,
            min_quorum: 0,
            enable_redundancy_zones: false,
            disable_upgrade_migration: false,
            enable_custom_upgrades: false,
            create_index: 0,
            modify_index: 0,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AutopilotHealth {
    pub healthy: bool,
    /// How many voters can be lost until there is no majority any more.
    pub failure_tolerance: u32,
    /// Its id.
    pub leader: String,
    pub servers: Vec<ServerHealth>,
    /// Their ids.
    pub voters: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServerHealth {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub address: String,
    /// `alive`, `failed` or `left`.
    pub serf_status: String,
    pub version: String,
    pub leader: bool,
    #[serde(with = "text")]
    pub last_contact: Duration,
    pub last_term: u64,
    pub last_index: u64,
    pub healthy: bool,
    pub voter: bool,
    /// Since when it has been as healthy as it is.
    pub stable_since: Rfc3339,
}

/// A duration as text such as `200ms`; a number is nanoseconds.
mod text {
    use serde::{Deserializer, Serializer, de};

    use super::*;
    use crate::{
        spec::{format_duration, parse_duration},
        time::nanos_of,
    };

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        Nanos(i64),
    }

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(nanos_of(*duration)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let nanos = match Given::deserialize(deserializer)? {
            Given::Text(text) => parse_duration(&text).map_err(de::Error::custom)?,
            Given::Nanos(nanos) => nanos,
        };
        Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_texts_and_missing_fields_have_their_defaults() {
        let json = r#"{"LastContactThreshold":"1m30s","ServerStabilizationTime":5000000000,"MaxTrailingLogs":7}"#;
        let config: AutopilotConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.last_contact_threshold, Duration::from_secs(90));
        assert_eq!(config.server_stabilization_time, Duration::from_secs(5));
        assert!(config.cleanup_dead_servers && config.max_trailing_logs == 7);
        let written = serde_json::to_string(&config).unwrap();
        assert!(
            written.starts_with(r#"{"LastContactThreshold":"1m30s","ServerStabilizationTime":"5s","CleanupDeadServers":true"#),
            "{written}"
        );
    }
}
