//! The server's part of the configuration.

use std::path::Path;

use drover_server::{
    GcConfig, HeartbeatConfig, ServerConfig,
    gossip::GossipConfig,
    state::{PreemptionConfig, SchedulerAlgorithm, SchedulerConfig},
};

use crate::config::{Config, SchedulerDefaults};

/// The port of addresses that name none.
const DEFAULT_PORT: u16 = 4648;

/// What the server is started with.
pub(crate) fn config(config: &Config, data_dir: &Path, threads: usize) -> ServerConfig {
    let section = &config.server;
    ServerConfig {
        region: config.region.clone(),
        datacenter: config.datacenter.clone(),
        node_name: config.name.clone(),
        data_dir: section.data_dir.clone().unwrap_or_else(|| data_dir.join("server")),
        rpc_address: config.rpc_address(),
        rpc_connections_per_address: config.limits.rpc_max_conns_per_client,
        // A port that the system chooses is known only later.
        rpc_advertise: config.advertise.rpc.clone().filter(|address| !address.ends_with(":0")),
        gossip: gossip(config),
        bootstrap_expect: section.bootstrap_expect,
        join: section.join.addresses.iter().map(|address| with_port(address)).collect(),
        retry_interval: section.join.retry_interval,
        retry_max: section.join.retry_max,
        rejoin_after_leave: section.rejoin_after_leave,
        non_voting: section.non_voting_server,
        raft_multiplier: section.raft_multiplier,
        snapshot_entries: section.raft_snapshot_threshold,
        trailing_entries: section.raft_trailing_logs,
        snapshots: section.snapshots.clone(),
        autopilot: config.autopilot.clone(),
        heartbeat: HeartbeatConfig {
            min_ttl: section.min_heartbeat_ttl,
            max_per_second: whole(section.max_heartbeats_per_second),
            grace: section.heartbeat_grace,
            failover_ttl: section.failover_heartbeat_ttl,
        },
        gc: GcConfig {
            interval: section.job_gc_interval,
            job_threshold: section.job_gc_threshold,
            eval_threshold: section.eval_gc_threshold,
            deployment_threshold: section.deployment_gc_threshold,
            node_threshold: section.node_gc_threshold,
        },
        schedulers: section.num_schedulers.unwrap_or(threads).max(1),
        scheduler: scheduler(&section.scheduler),
        oidc_issuer: section.oidc_issuer.clone(),
        ..ServerConfig::default()
    }
}

/// A server for trying things out is alone, and gossips with nobody.
fn gossip(config: &Config) -> Option<GossipConfig> {
    (!config.dev).then(|| GossipConfig {
        address: crate::config::join(config.addresses.serf.as_ref().unwrap_or(&config.bind_addr), config.ports.serf),
        advertise: config.advertise.serf.clone(),
        key: config.server.encrypt.clone(),
    })
}

fn whole(per_second: f64) -> u32 {
    // Saturates; a rate below one heartbeat a second is taken for one.
    per_second.max(1.0) as u32
}

fn scheduler(defaults: &SchedulerDefaults) -> SchedulerConfig {
    let standard = SchedulerConfig::default();
    SchedulerConfig {
        scheduler_algorithm: if defaults.spread { SchedulerAlgorithm::Spread } else { SchedulerAlgorithm::Binpack },
        preemption_config: PreemptionConfig {
            system: defaults.preempt_system.unwrap_or(standard.preemption_config.system),
            sysbatch: defaults.preempt_sysbatch,
            batch: defaults.preempt_batch,
            service: defaults.preempt_service,
        },
        memory_oversubscription_enabled: defaults.memory_oversubscription,
        reject_job_registration: defaults.reject_job_registration,
        pause_eval_broker: defaults.pause_eval_broker,
        ..standard
    }
}

/// `HOST` or `HOST:PORT` of another server, as people write them in `retry_join`.
pub(crate) fn with_port(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && (!host.contains(':') || host.starts_with('[')) => address.to_owned(),
        _ => crate::config::join(address.trim_start_matches('[').trim_end_matches(']'), DEFAULT_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::with_port;

    #[test]
    fn addresses_to_join_get_their_port() {
        for (given, want) in [
            ("a", "a:4648"),
            ("a:1", "a:1"),
            ("10.0.0.1", "10.0.0.1:4648"),
            ("::1", "[::1]:4648"),
            ("[::1]:7", "[::1]:7"),
            ("[::1]", "[::1]:4648"),
        ] {
            assert_eq!(with_port(given), want);
        }
    }
}
