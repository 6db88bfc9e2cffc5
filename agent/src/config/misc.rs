//! The smaller blocks, and those whose subject Drover does not have yet.

use super::{Config, ConfigError, section::Section, set, tls};

pub(super) fn apply(top: &mut Section, config: &mut Config) -> Result<(), ConfigError> {
    top.each("limits", |block| {
        let limits = &mut config.limits;
        set(&mut limits.http_max_conns_per_client, block.number("http_max_conns_per_client")?);
        set(&mut limits.rpc_max_conns_per_client, block.number("rpc_max_conns_per_client")?);
        set(&mut limits.rpc_handshake_timeout, block.duration("rpc_handshake_timeout")?);
        block.accepted(&["https_handshake_timeout"]);
        Ok(())
    })?;
    top.each("telemetry", |block| telemetry(block, config))?;
    top.each("ui", |block| {
        set(&mut config.ui_enabled, block.flag("enabled")?);
        block.accepted(&["show_cli_hints", "consul", "vault", "label", "content_security_policy"]);
        Ok(())
    })?;
    top.each("rpc", |block| {
        block.accepted(&[
            "accept_backlog",
            "keep_alive_interval",
            "connection_write_timeout",
            "stream_open_timeout",
            "stream_close_timeout",
            "dial_timeout",
        ]);
        Ok(())
    })?;
    top.each("autopilot", |block| {
        let autopilot = &mut config.autopilot;
        set(&mut autopilot.cleanup_dead_servers, block.flag("cleanup_dead_servers")?);
        set(&mut autopilot.last_contact_threshold, block.duration("last_contact_threshold")?);
        set(&mut autopilot.max_trailing_logs, block.number("max_trailing_logs")?);
        set(&mut autopilot.server_stabilization_time, block.duration("server_stabilization_time")?);
        set(&mut autopilot.min_quorum, block.number("min_quorum")?);
        block.accepted(&["enable_redundancy_zones", "disable_upgrade_migration", "enable_custom_upgrades"]);
        Ok(())
    })?;
    top.each("tls", |block| tls::apply(block, &mut config.tls))?;
    refused(top)?;
    top.accepted(&["eventlog", "reporting", "license", "sentinel"]);
    Ok(())
}

/// What must not be believed to be on while it is not.
fn refused(top: &mut Section) -> Result<(), ConfigError> {
    top.each("acl", |block| {
        let enabled = block.flag("enabled")?;
        block.accepted(&[
            "token_ttl",
            "policy_ttl",
            "role_ttl",
            "replication_token",
            "token_min_expiration_ttl",
            "token_max_expiration_ttl",
        ]);
        not_yet("acl.enabled", enabled, "access control lists are not supported yet")
    })?;
    top.each("audit", |block| {
        let enabled = block.flag("enabled")?;
        block.accepted(&["sink", "filter"]);
        not_yet("audit.enabled", enabled, "the audit log is not supported yet")
    })?;
    top.each_labelled("keyring", |provider, block| {
        let active = block.flag("active")?;
        let _ = block.free("config")?;
        block.accepted(&[
            "name",
            "region",
            "kms_key_id",
            "access_key",
            "secret_key",
            "endpoint",
            "tenant_id",
            "client_id",
            "client_secret",
            "environment",
            "vault_name",
            "key_name",
            "credentials",
            "project",
            "key_ring",
            "crypto_key",
            "address",
            "token",
            "mount_path",
            "disable_renewal",
            "tls_skip_verify",
        ]);
        if provider == "aead" {
            return Ok(());
        }
        not_yet(&format!("keyring {provider:?}"), active.or(Some(true)), "only the provider \"aead\" is supported yet")
    })
}

fn not_yet(what: &str, enabled: Option<bool>, why: &str) -> Result<(), ConfigError> {
    match enabled {
        Some(true) => Err(ConfigError::Conflict(format!("{what}: {why}; an agent that ignored it would be less safe than it looks"))),
        _ => Ok(()),
    }
}

fn telemetry(block: &mut Section, config: &mut Config) -> Result<(), ConfigError> {
    let telemetry = &mut config.telemetry;
    set(&mut telemetry.prometheus_metrics, block.flag("prometheus_metrics")?);
    set(&mut telemetry.publish_allocation_metrics, block.flag("publish_allocation_metrics")?);
    set(&mut telemetry.publish_node_metrics, block.flag("publish_node_metrics")?);
    set(&mut telemetry.disable_hostname, block.flag("disable_hostname")?);
    for key in ["statsite_address", "statsd_address", "datadog_address", "circonus_api_token", "circonus_submission_url"] {
        if let Some(place) = block.given(key) {
            let message = format!("telemetry.{key}: pushing metrics is not supported; let Prometheus read /v1/metrics?format=prometheus");
            return Err(ConfigError::Invalid { place: place.to_string(), message });
        }
    }
    block.accepted(&[
        "collection_interval",
        "in_memory_collection_interval",
        "in_memory_retention_period",
        "use_node_name",
        "filter_default",
        "prefix_filter",
        "include_alloc_metadata_in_metrics",
        "allowed_metadata_keys_in_metrics",
        "disable_dispatched_job_summary_metrics",
        "disable_quota_utilization_metrics",
        "disable_rpc_rate_metrics_labels",
        "disable_allocation_hook_metrics",
        "datadog_tags",
        "circonus_api_app",
        "circonus_api_url",
        "circonus_submission_interval",
        "circonus_check_id",
        "circonus_check_force_metric_activation",
        "circonus_check_instance_id",
        "circonus_check_search_tag",
        "circonus_check_tags",
        "circonus_check_display_name",
        "circonus_broker_id",
        "circonus_broker_select_tag",
        "disable_tagged_metrics",
        "backwards_compatible_metrics",
    ]);
    Ok(())
}

/// A size such as `1M`, `100GB` or a plain number of bytes.
pub(super) fn bytes(what: &str, text: &str) -> Result<u64, ConfigError> {
    let invalid = || ConfigError::Conflict(format!("{what}: {text:?} is no size; write one such as 1M, 512KiB or 100GB"));
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let number: u64 = trimmed[..digits].parse().map_err(|_| invalid())?;
    let shift = match trimmed[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(invalid()),
    };
    number.checked_mul(1 << shift).ok_or_else(invalid)
}
