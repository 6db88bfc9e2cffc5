//! What operators ask and change: the schedulers' settings, housekeeping, who takes part, numbers.

use std::collections::BTreeMap;

use drover_model::{
    evaluation::EvalStatus,
    job::JobStatus,
    node::NodeStatus,
    rpc::{
        Error, Method,
        autopilot::{AutopilotConfig, AutopilotGet, AutopilotHealth, AutopilotHealthGet, AutopilotSet},
        job::Written,
        operator::{
            Gauge, PreemptionView, RaftConfiguration, RaftConfigurationGet, RaftServer, SchedulerConfigGet, SchedulerConfigSet,
            SchedulerConfigUpdated, SchedulerConfigView, ServerInfo, ServerMetrics, SystemGc,
        },
        status::{LeaderGet, PeersGet, RegionList},
    },
};
use drover_runtime::rpc::{Caller, Handle};

use super::{Desk, Found};
use crate::{
    Server,
    consensus::Peer,
    fsm::command::{Applied, Command},
    membership,
    state::{PreemptionConfig, SchedulerAlgorithm, SchedulerConfig, State},
};

fn view(config: &SchedulerConfig) -> SchedulerConfigView {
    let PreemptionConfig { system, sysbatch, batch, service } = config.preemption_config;
    SchedulerConfigView {
        scheduler_algorithm: match config.scheduler_algorithm {
            SchedulerAlgorithm::Binpack => "binpack".to_owned(),
            SchedulerAlgorithm::Spread => "spread".to_owned(),
        },
        preemption_config: PreemptionView {
            system_scheduler_enabled: system,
            sys_batch_scheduler_enabled: sysbatch,
            batch_scheduler_enabled: batch,
            service_scheduler_enabled: service,
        },
        memory_oversubscription_enabled: config.memory_oversubscription_enabled,
        reject_job_registration: config.reject_job_registration,
        pause_eval_broker: config.pause_eval_broker,
        node_limit_for_feasibility_checks: config.node_limit_for_feasibility_checks.into(),
        create_index: config.create_index,
        modify_index: config.modify_index,
    }
}

fn config(view: SchedulerConfigView) -> Result<SchedulerConfig, Error> {
    let preemption = view.preemption_config;
    Ok(SchedulerConfig {
        scheduler_algorithm: match view.scheduler_algorithm.as_str() {
            "" | "binpack" => SchedulerAlgorithm::Binpack,
            "spread" => SchedulerAlgorithm::Spread,
            other => return Err(Error::bad_request(format!("invalid scheduler algorithm: {other}"))),
        },
        preemption_config: PreemptionConfig {
            system: preemption.system_scheduler_enabled,
            sysbatch: preemption.sys_batch_scheduler_enabled,
            batch: preemption.batch_scheduler_enabled,
            service: preemption.service_scheduler_enabled,
        },
        memory_oversubscription_enabled: view.memory_oversubscription_enabled,
        reject_job_registration: view.reject_job_registration,
        pause_eval_broker: view.pause_eval_broker,
        node_limit_for_feasibility_checks: u32::try_from(view.node_limit_for_feasibility_checks).unwrap_or(u32::MAX),
        ..SchedulerConfig::default()
    })
}

pub(super) fn scheduler_config(state: &State, _message: &SchedulerConfigGet) -> Result<Found<SchedulerConfigView>, Error> {
    Ok(Found::new(view(state.scheduler_config())))
}

pub(super) async fn set_scheduler_config(desk: Desk<'_>, message: SchedulerConfigSet) -> Result<SchedulerConfigUpdated, Error> {
    let config = Box::new(config(message.config)?);
    let applied = desk.proposer.propose(Command::SchedulerConfig { config, check: message.check }).await?;
    let updated = !matches!(applied, Applied::Conflict { .. });
    let index = applied.index();
    if updated {
        applied.accepted()?;
    }
    Ok(SchedulerConfigUpdated { updated, index })
}

impl Handle<SystemGc> for Server {
    async fn handle(&self, caller: Caller, message: SystemGc) -> Result<Written, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        self.collect_garbage().await?;
        Ok(Written { index: self.store().snapshot().index() })
    }
}

impl Server {
    /// Where the leader is; empty when nobody leads.
    fn leader_address(&self) -> String {
        self.consensus().leadership().leader.map(|leader| leader.address).unwrap_or_default()
    }
}

impl Handle<LeaderGet> for Server {
    async fn handle(&self, _caller: Caller, _message: LeaderGet) -> Result<<LeaderGet as Method>::Reply, Error> {
        Ok(self.leader_address())
    }
}

impl Handle<PeersGet> for Server {
    async fn handle(&self, _caller: Caller, _message: PeersGet) -> Result<<PeersGet as Method>::Reply, Error> {
        Ok(self.server_addresses())
    }
}

impl Handle<RegionList> for Server {
    async fn handle(&self, _caller: Caller, _message: RegionList) -> Result<<RegionList as Method>::Reply, Error> {
        Ok(vec![self.config().region.clone()])
    }
}

impl Handle<RaftConfigurationGet> for Server {
    async fn handle(&self, _caller: Caller, _message: RaftConfigurationGet) -> Result<RaftConfiguration, Error> {
        let leader = self.leader_address();
        let region = &self.config().region;
        let server = |peer: Peer| RaftServer {
            node: format!("{}.{region}", self.server_name(&peer)),
            leader: leader == peer.address,
            id: membership::show(peer.id),
            address: peer.address,
            voter: peer.voter,
            raft_protocol: "3".to_owned(),
        };
        Ok(RaftConfiguration { index: 0, servers: self.consensus().peers().into_iter().map(server).collect() })
    }
}

impl Handle<AutopilotGet> for Server {
    async fn handle(&self, caller: Caller, message: AutopilotGet) -> Result<AutopilotConfig, Error> {
        if !message.stale
            && let Some(leader) = self.leader_elsewhere(&caller).await?
        {
            return self.pass_on(&leader, &caller, &message).await;
        }
        Ok(self.autopilot_config())
    }
}

pub(super) async fn set_autopilot(desk: Desk<'_>, message: AutopilotSet) -> Result<bool, Error> {
    let AutopilotSet { config, check } = message;
    let applied = desk.proposer.propose(Command::AutopilotConfig { config: Box::new(config), check }).await?;
    if matches!(applied, Applied::Conflict { .. }) {
        return Ok(false);
    }
    applied.accepted().map(|_| true)
}

impl Handle<AutopilotHealthGet> for Server {
    async fn handle(&self, caller: Caller, message: AutopilotHealthGet) -> Result<AutopilotHealth, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        self.ensure_newest().await?;
        Ok(self.autopilot_health())
    }
}

impl Handle<ServerMetrics> for Server {
    async fn handle(&self, _caller: Caller, _message: ServerMetrics) -> Result<Vec<Gauge>, Error> {
        let state = self.store().snapshot();
        let mut gauges = counts(&state);
        let status = self.consensus().status();
        gauges.push(Gauge::new("nomad.raft.appliedIndex", status.applied_index as f64));
        gauges.push(Gauge::new("nomad.raft.lastIndex", status.last_log_index as f64));
        gauges.push(Gauge::new("nomad.state.latestIndex", state.index() as f64));
        let leads = self.is_leader();
        gauges.push(Gauge::new("nomad.leader", if leads { 1.0 } else { 0.0 }));
        let broker = self.services().broker.stats();
        gauges.push(Gauge::new("nomad.broker.total_ready", broker.ready as f64));
        gauges.push(Gauge::new("nomad.broker.total_unacked", broker.outstanding as f64));
        gauges.push(Gauge::new("nomad.broker.total_waiting", broker.waiting as f64));
        Ok(gauges)
    }
}

/// How many rows there are, by status.
fn counts(state: &State) -> Vec<Gauge> {
    let mut jobs: BTreeMap<&str, u32> = BTreeMap::new();
    state.jobs().for_each(|job| *jobs.entry(job.status.as_str()).or_default() += 1);
    let mut nodes: BTreeMap<&str, u32> = BTreeMap::new();
    state.nodes().for_each(|node| *nodes.entry(node.status.as_str()).or_default() += 1);
    let mut evaluations: BTreeMap<&str, u32> = BTreeMap::new();
    state.evaluations().for_each(|evaluation| *evaluations.entry(evaluation.status.as_str()).or_default() += 1);
    let mut allocations: BTreeMap<&str, u32> = BTreeMap::new();
    state.allocations().for_each(|allocation| *allocations.entry(allocation.client_status.as_str()).or_default() += 1);
    let mut gauges = Vec::new();
    for status in [JobStatus::Pending, JobStatus::Running, JobStatus::Dead].map(JobStatus::as_str) {
        gauges.push(Gauge::new(&format!("nomad.job_status.{status}"), jobs.get(status).copied().unwrap_or(0)));
    }
    for status in [NodeStatus::Ready, NodeStatus::Down, NodeStatus::Initializing, NodeStatus::Disconnected].map(NodeStatus::as_str) {
        gauges.push(Gauge::new("nomad.nodes", nodes.get(status).copied().unwrap_or(0)).with_label("status", status));
    }
    for status in [EvalStatus::Pending, EvalStatus::Blocked, EvalStatus::Complete, EvalStatus::Failed].map(EvalStatus::as_str) {
        gauges.push(Gauge::new("nomad.evaluations", evaluations.get(status).copied().unwrap_or(0)).with_label("status", status));
    }
    for (status, count) in allocations {
        gauges.push(Gauge::new("nomad.allocations", count).with_label("status", status));
    }
    gauges
}

impl Handle<ServerInfo> for Server {
    async fn handle(&self, _caller: Caller, _message: ServerInfo) -> Result<<ServerInfo as Method>::Reply, Error> {
        let status = self.consensus().status();
        let leader = self.leader_address();
        let words = |pairs: Vec<(&str, String)>| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let leads = self.is_leader();
        let nomad = words(vec![
            ("server", "true".to_owned()),
            ("leader", leads.to_string()),
            ("leader_addr", leader),
            ("bootstrap", (self.config().bootstrap_expect == 1).to_string()),
            ("known_regions", "1".to_owned()),
        ]);
        let raft = words(vec![
            ("state", status.state.clone()),
            ("term", status.term.to_string()),
            ("last_log_index", status.last_log_index.to_string()),
            ("applied_index", status.applied_index.to_string()),
            ("commit_index", status.applied_index.to_string()),
            ("last_snapshot_index", status.snapshot_index.to_string()),
            ("num_peers", self.consensus().peers().len().saturating_sub(1).to_string()),
        ]);
        let runtime = words(vec![("kernel.name", std::env::consts::OS.to_owned()), ("arch", std::env::consts::ARCH.to_owned())]);
        Ok([("nomad", nomad), ("raft", raft), ("runtime", runtime)].map(|(key, value)| (key.to_owned(), value)).into())
    }
}
