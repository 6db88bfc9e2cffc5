//! The `server` block.

use std::{path::PathBuf, time::Duration};

use drover_server::{ScheduledSnapshots, gossip::GossipKey};

use super::{ConfigError, JoinSection, SchedulerDefaults, ServerSection, section::Section, set, set_some};

/// A key of gossip; what is wrong with it is said without it.
pub(super) fn gossip_key(place: &str, text: &str) -> Result<GossipKey, ConfigError> {
    GossipKey::parse(text).map_err(|error| ConfigError::Conflict(format!("{place}: {error}")))
}

pub(super) fn apply(section: &mut Section, server: &mut ServerSection) -> Result<(), ConfigError> {
    set(&mut server.enabled, section.flag("enabled")?);
    set(&mut server.bootstrap_expect, section.number("bootstrap_expect")?);
    set_some(&mut server.data_dir, section.text("data_dir")?.map(PathBuf::from));
    set_some(&mut server.num_schedulers, section.number("num_schedulers")?);
    set(&mut server.raft_multiplier, section.number("raft_multiplier")?);
    if !(1..=10).contains(&server.raft_multiplier) {
        return Err(ConfigError::Conflict(format!("server.raft_multiplier must be from 1 to 10, not {}", server.raft_multiplier)));
    }
    set_some(&mut server.raft_snapshot_threshold, section.number("raft_snapshot_threshold")?);
    set_some(&mut server.raft_trailing_logs, section.number("raft_trailing_logs")?);
    set(&mut server.rejoin_after_leave, section.flag("rejoin_after_leave")?);
    set(&mut server.non_voting_server, section.flag("non_voting_server")?);
    timing(section, server)?;
    join(section, &mut server.join)?;
    limits(section, server)?;
    section.each("scheduled_snapshots", |block| snapshots(block, &mut server.snapshots))?;
    section.each("default_scheduler_config", |block| scheduler(block, &mut server.scheduler))?;
    section.each("plan_rejection_tracker", |block| {
        block.accepted(&["enabled", "node_threshold", "node_window"]);
        Ok(())
    })?;
    section.each("search", |block| {
        block.accepted(&["fuzzy_enabled", "limit_query", "limit_results", "min_term_length"]);
        Ok(())
    })?;
    section.each("client_introduction", client_introduction)?;
    section.each("raft_logstore", |block| {
        block.accepted(&["backend", "boltdb", "wal", "disable_log_cache", "verification"]);
        Ok(())
    })?;
    if let Some(text) = section.text("encrypt")?.filter(|text| !text.is_empty()) {
        server.encrypt = Some(gossip_key("server.encrypt", &text)?);
    }
    section.accepted(&[
        "authoritative_region",
        "enabled_schedulers",
        "raft_protocol",
        "raft_snapshot_interval",
        "raft_boltdb",
        "csi_volume_claim_gc_interval",
        "csi_volume_claim_gc_threshold",
        "csi_plugin_gc_threshold",
        "acl_token_gc_threshold",
        "root_key_gc_interval",
        "root_key_gc_threshold",
        "plan_apply_pipeline",
        "enable_event_broker",
        "deploy_query_rate_limit",
        "start_timeout",
        "protocol_version",
        "upgrade_version",
        "license_path",
        "non_production",
        "log_file",
        "num_plan_workers",
    ]);
    if let Some(place) = section.given("redundancy_zone") {
        let message = "server.redundancy_zone: redundancy zones are not supported; use non_voting_server".to_owned();
        return Err(ConfigError::Invalid { place: place.to_string(), message });
    }
    Ok(())
}

/// Where the leader writes snapshots by itself, and when.
fn snapshots(block: &mut Section, snapshots: &mut Option<ScheduledSnapshots>) -> Result<(), ConfigError> {
    let standard = ScheduledSnapshots { folder: PathBuf::new(), interval: Duration::from_secs(3600), retain: 24 };
    let mut wanted = snapshots.take().unwrap_or(standard);
    set(&mut wanted.folder, block.text("path")?.map(PathBuf::from));
    set(&mut wanted.interval, block.duration("interval")?);
    set(&mut wanted.retain, block.number("retain")?);
    if wanted.folder.as_os_str().is_empty() || wanted.interval.is_zero() || wanted.retain == 0 {
        return Err(ConfigError::Conflict("server.scheduled_snapshots: give a path, an interval and how many to retain".to_owned()));
    }
    *snapshots = Some(wanted);
    Ok(())
}

fn timing(section: &mut Section, server: &mut ServerSection) -> Result<(), ConfigError> {
    set(&mut server.heartbeat_grace, section.duration("heartbeat_grace")?);
    set(&mut server.min_heartbeat_ttl, section.duration("min_heartbeat_ttl")?);
    set(&mut server.max_heartbeats_per_second, section.float("max_heartbeats_per_second")?);
    set(&mut server.failover_heartbeat_ttl, section.duration("failover_heartbeat_ttl")?);
    set(&mut server.node_gc_threshold, section.duration("node_gc_threshold")?);
    set(&mut server.job_gc_interval, section.duration("job_gc_interval")?);
    set(&mut server.job_gc_threshold, section.duration("job_gc_threshold")?);
    set(&mut server.eval_gc_threshold, section.duration("eval_gc_threshold")?);
    set(&mut server.batch_eval_gc_threshold, section.duration("batch_eval_gc_threshold")?);
    set(&mut server.deployment_gc_threshold, section.duration("deployment_gc_threshold")?);
    set(&mut server.root_key_rotation_threshold, section.duration("root_key_rotation_threshold")?);
    Ok(())
}

fn limits(section: &mut Section, server: &mut ServerSection) -> Result<(), ConfigError> {
    if let Some(text) = section.text("job_max_source_size")? {
        server.job_max_source_size = super::misc::bytes("server.job_max_source_size", &text)?;
    }
    set(&mut server.job_tracked_versions, section.number("job_tracked_versions")?);
    set(&mut server.job_default_priority, section.number("job_default_priority")?);
    set(&mut server.job_max_priority, section.number("job_max_priority")?);
    set(&mut server.job_max_count, section.number("job_max_count")?);
    set(&mut server.event_buffer_size, section.number("event_buffer_size")?);
    set_some(&mut server.oidc_issuer, section.text("oidc_issuer")?.filter(|issuer| !issuer.is_empty()));
    Ok(())
}

/// The join keys, in the block that they belong to now and where they stood once.
pub(super) fn join(section: &mut Section, join: &mut JoinSection) -> Result<(), ConfigError> {
    for key in ["start_join", "retry_join"] {
        join.addresses.extend(section.texts(key)?.unwrap_or_default());
    }
    set(&mut join.retry_interval, section.duration("retry_interval")?);
    set(&mut join.retry_max, section.number("retry_max")?);
    section.each("server_join", |block| {
        for key in ["start_join", "retry_join"] {
            join.addresses.extend(block.texts(key)?.unwrap_or_default());
        }
        set(&mut join.retry_interval, block.duration("retry_interval")?);
        set(&mut join.retry_max, block.number("retry_max")?);
        Ok(())
    })
}

fn scheduler(block: &mut Section, scheduler: &mut SchedulerDefaults) -> Result<(), ConfigError> {
    scheduler.given = true;
    match block.text("scheduler_algorithm")?.as_deref() {
        None => {}
        Some("binpack") => scheduler.spread = false,
        Some("spread") => scheduler.spread = true,
        Some(other) => {
            return Err(ConfigError::Conflict(format!(
                "server.default_scheduler_config: invalid scheduler algorithm: {other}; use binpack or spread"
            )));
        }
    }
    set(&mut scheduler.memory_oversubscription, block.flag("memory_oversubscription_enabled")?);
    set(&mut scheduler.reject_job_registration, block.flag("reject_job_registration")?);
    set(&mut scheduler.pause_eval_broker, block.flag("pause_eval_broker")?);
    block.accepted(&["node_limit_for_feasibility_checks"]);
    block.each("preemption_config", |preemption| {
        set_some(&mut scheduler.preempt_system, preemption.flag("system_scheduler_enabled")?);
        set(&mut scheduler.preempt_sysbatch, preemption.flag("sysbatch_scheduler_enabled")?);
        set(&mut scheduler.preempt_batch, preemption.flag("batch_scheduler_enabled")?);
        set(&mut scheduler.preempt_service, preemption.flag("service_scheduler_enabled")?);
        Ok(())
    })
}

fn client_introduction(block: &mut Section) -> Result<(), ConfigError> {
    block.accepted(&["default_identity_ttl", "max_identity_ttl"]);
    match block.text("enforcement")?.as_deref() {
        Some("strict") => Err(ConfigError::Conflict(
            "server.client_introduction: enforcement \"strict\" is not supported yet: nodes cannot be made to bring a token".to_owned(),
        )),
        _ => Ok(()),
    }
}
