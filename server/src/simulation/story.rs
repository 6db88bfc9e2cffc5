//! What happens in a story.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_model::{
    allocation::{Allocation, ClientStatus, DesiredTransition},
    deployment::{DeploymentStatus, DeploymentStatusUpdate},
    evaluation::Trigger,
    ids::{JobKey, NodeId},
    job::{DisconnectStrategy, Job, JobType, NetworkResource, Port, ReschedulePolicy, UpdateStrategy},
    node::{DrainStrategy, DriverInfo, Eligibility, Node, NodeStatus},
};

use super::{client::Clients, cluster::Cluster, invariants};
use crate::{evaluations, fsm::command::Command, heartbeats, state::SchedulerConfig, testing};

const STEPS: u64 = 40;
/// Steps without faults after which everything must be in place.
const CALM_STEPS: u64 = 100;

#[derive(Debug)]
pub(super) struct Story {
    seed: u64,
    cluster: Cluster,
    clients: Clients,
    jobs: u8,
    nodes: u8,
}

impl Story {
    pub(super) fn new(seed: u64, aloud: bool) -> Self {
        let clients = Clients { failures: seed % 7, ..Clients::default() };
        Self { seed, cluster: Cluster::new(seed, aloud), clients, jobs: 0, nodes: 0 }
    }

    pub(super) fn play(mut self) {
        let mut config = SchedulerConfig::default();
        (config.preemption_config.service, config.preemption_config.batch) = (self.chance(50), self.chance(50));
        self.cluster.run(Command::SchedulerConfig { config: Box::new(config), check: None });
        self.limit();
        (0..3 + self.cluster.dice.below(4)).for_each(|_| self.add_node());
        self.add_job();
        for _ in 0..STEPS {
            self.happen();
            self.pass(1 + self.cluster.dice.below(40) as i64);
        }
        self.calm_down();
        invariants::check_end(&self.cluster);
        self.nothing_is_left_to_do();
    }

    /// Some clusters have a quota, which may be less than what the nodes have and than what the jobs ask for. Nothing is drawn for it: the other stories stay as they were.
    fn limit(&mut self) {
        if self.seed % 4 == 3 {
            let cpu_mhz = 400 + 300 * (self.seed / 4 % 8) as i64;
            self.cluster.note(|| format!("a quota of {cpu_mhz} MHz"));
            self.cluster.run(testing::quota_put("team", cpu_mhz));
            self.cluster.run(Command::NamespacePut { namespace: Box::new(testing::under("default", "team")) });
        }
    }

    fn chance(&self, percent: u64) -> bool {
        self.cluster.dice.chance(percent)
    }

    fn pass(&mut self, seconds: i64) {
        self.cluster.world.seconds += seconds;
        self.cluster.settle();
        self.clients.step(&mut self.cluster);
        self.cluster.settle();
    }

    fn happen(&mut self) {
        match self.cluster.dice.below(16) {
            0..=1 if self.jobs < 5 => self.add_job(),
            0..=3 => self.change_job(),
            4 => self.stop_job(),
            5..=6 => self.lose_node(),
            7..=8 => self.find_node(),
            9 => self.drain(),
            10 => self.end_drain(),
            11 => self.change_eligibility(),
            12 if self.nodes < 9 => self.add_node(),
            12 => self.pass(3000),
            13 => self.transition(),
            14 => self.decide_deployment(),
            _ => self.pass(600),
        }
    }

    fn add_node(&mut self) {
        self.nodes += 1;
        let (cpu_mhz, memory_mib) = (1000 + 500 * self.cluster.dice.below(5), 1000 + 500 * self.cluster.dice.below(5));
        let mut node: Node = testing::node(self.nodes, cpu_mhz, memory_mib);
        node.attributes.insert("unique.network.ip-address".to_owned(), format!("10.0.0.{}", self.nodes));
        (node.resources.min_dynamic_port, node.resources.max_dynamic_port) = (20_000, 20_007);
        node.drivers.insert("raw_exec".to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
        node.compute_class();
        let id = node.id;
        self.cluster.note(|| format!("a node of {cpu_mhz} MHz joins: {id}"));
        self.cluster.run(Command::NodeRegister { node: Box::new(node) });
        self.set_status(id, NodeStatus::Ready);
    }

    fn set_status(&mut self, id: NodeId, status: NodeStatus) {
        let evaluations = evaluations::for_node(self.cluster.state(), id, Trigger::NodeUpdate, &self.cluster.dice);
        self.cluster.run(Command::NodeStatus { id, status, event: None, evaluations });
    }

    fn some_node(&self, suits: impl Fn(&Node) -> bool) -> Option<NodeId> {
        let nodes: Vec<_> = self.cluster.state().nodes().filter(|node| suits(node)).map(|node| node.id).collect();
        self.cluster.dice.one_of(&nodes)
    }

    fn lose_node(&mut self) {
        let Some(id) = self.some_node(|node| node.status == NodeStatus::Ready) else { return };
        let tolerated = heartbeats::tolerates_disconnect(self.cluster.state(), id);
        let status = if tolerated { NodeStatus::Disconnected } else { NodeStatus::Down };
        self.cluster.note(|| format!("{id} is {status:?}"));
        self.clients.away.insert(id);
        self.set_status(id, status);
        if self.chance(40) {
            self.clients.reboot(&self.cluster, id);
        }
    }

    fn find_node(&mut self) {
        let away: Vec<_> = self.clients.away.iter().copied().collect();
        if let Some(id) = self.cluster.dice.one_of(&away) {
            self.cluster.note(|| format!("{id} is back"));
            self.clients.away.remove(&id);
            self.set_status(id, NodeStatus::Ready);
        }
    }

    fn drain(&mut self) {
        let Some(id) = self.some_node(|node| node.drain.is_none()) else { return };
        let drain = DrainStrategy { force: self.chance(20), ignore_system_jobs: self.chance(30), ..DrainStrategy::default() };
        self.set_drain(id, Some(drain), false);
    }

    fn set_drain(&mut self, id: NodeId, drain: Option<DrainStrategy>, mark_eligible: bool) {
        self.cluster.note(|| format!("{id} drains: {}", drain.is_some()));
        let evaluations = evaluations::for_node(self.cluster.state(), id, Trigger::NodeDrain, &self.cluster.dice);
        self.cluster.run(Command::NodeDrain { id, drain, mark_eligible, last_drain: None, event: None, evaluations });
    }

    fn end_drain(&mut self) {
        if let Some(id) = self.some_node(|node| node.drain.is_some()) {
            self.set_drain(id, None, true);
        }
    }

    fn set_eligibility(&mut self, id: NodeId, eligibility: Eligibility) {
        let evaluations = evaluations::for_node(self.cluster.state(), id, Trigger::NodeUpdate, &self.cluster.dice);
        self.cluster.run(Command::NodeEligibility { id, eligibility, event: None, evaluations });
    }

    fn change_eligibility(&mut self) {
        let eligibility = if self.chance(50) { Eligibility::Eligible } else { Eligibility::Ineligible };
        if let Some(id) = self.some_node(|_| true) {
            self.set_eligibility(id, eligibility);
        }
    }

    fn add_job(&mut self) {
        self.jobs += 1;
        let kinds = [JobType::Service, JobType::Service, JobType::Batch, JobType::System, JobType::Sysbatch];
        let kind = self.cluster.dice.one_of(&kinds).unwrap_or_default();
        let mut job =
            Job { kind, priority: [20, 50, 80][self.cluster.dice.below(3) as usize], ..testing::job(&format!("j{}", self.jobs), 1) };
        let dice = &self.cluster.dice;
        let everywhere = matches!(kind, JobType::System | JobType::Sysbatch);
        let group = &mut job.task_groups[0];
        group.count = if everywhere { 1 } else { 1 + dice.below(6) as u32 };
        let resources = &mut group.tasks[0].resources;
        (resources.cpu_mhz, resources.memory_mib) = (50 + 50 * dice.below(6) as u32, 50 + 50 * dice.below(6) as u32);
        group.ephemeral_disk.size_mib = 10;
        let rolls = matches!(kind, JobType::Service | JobType::System) && dice.chance(80);
        let canary = if dice.chance(50) { if everywhere { 40 } else { 1 + dice.below(u64::from(group.count)) as u32 } } else { 0 };
        group.update = rolls.then(|| UpdateStrategy {
            max_parallel: 1 + dice.below(3) as u32,
            canary,
            auto_promote: canary > 0 && dice.chance(50),
            auto_revert: dice.chance(40),
            progress_deadline: Duration::from_secs(if dice.chance(80) { 600 } else { 0 }),
            ..UpdateStrategy::default()
        });
        let limited =
            ReschedulePolicy { unlimited: false, attempts: 2, interval: Duration::from_secs(3600), ..ReschedulePolicy::default() };
        group.reschedule_policy = match kind {
            JobType::Service => Some(ReschedulePolicy::default()),
            JobType::Batch => Some(limited),
            _ => None,
        };
        group.disconnect = dice.chance(40).then(|| DisconnectStrategy {
            lost_after: Duration::from_secs(60 * dice.below(20)),
            replace: dice.chance(70),
            stop_on_client_after: dice.chance(20).then(|| Duration::from_secs(120)),
            reconcile: dice.one_of(&["best_score", "keep_original", "keep_replacement", "longest_running"]).unwrap_or_default().to_owned(),
        });
        if dice.chance(40) {
            let port = Port { label: "http".to_owned(), ..Port::default() };
            group.networks.push(NetworkResource { dynamic_ports: vec![port].into(), ..NetworkResource::default() });
        }
        job.all_at_once = kind == JobType::Batch && dice.chance(10);
        self.register(job);
    }

    fn register(&mut self, job: Job) {
        let group = &job.task_groups[0];
        self.cluster.note(|| format!("{} ({}) of {}, priority {}, {:?}", job.id, job.kind, group.count, job.priority, group.update));
        let evaluation = evaluations::for_job(&job, Trigger::JobRegister, &self.cluster.dice);
        let (job, evaluation) = (Arc::new(job), Some(evaluation));
        self.cluster.run(Command::JobRegister { job, submission: None, enforce: None, evaluation });
    }

    fn some_job(&self, suits: impl Fn(&Job) -> bool) -> Option<Arc<Job>> {
        let jobs: Vec<_> = self.cluster.state().jobs().filter(|job| suits(job)).cloned().collect();
        self.cluster.dice.one_of(&jobs)
    }

    fn change_job(&mut self) {
        let Some(job) = self.some_job(|_| true) else { return };
        let mut job = Job::clone(&job);
        job.stop = false;
        let dice = &self.cluster.dice;
        let group = &mut job.task_groups[0];
        match dice.below(4) {
            0 if !matches!(job.kind, JobType::System | JobType::Sysbatch) => group.count = dice.below(8) as u32,
            1 => group.tasks[0].restart_policy.attempts += 1,
            2 => _ = job.meta.insert("bad".to_owned(), dice.roll().to_string()),
            _ => {
                job.meta.remove("bad");
                group.tasks[0].env.insert("VERSION".to_owned(), dice.roll().to_string());
            }
        }
        self.register(job);
    }

    fn stop_job(&mut self) {
        let Some(job) = self.some_job(|job| !job.stop) else { return };
        let purge = self.chance(20);
        self.cluster.note(|| format!("{} is stopped, and purged: {purge}", job.id));
        let evaluation = evaluations::for_job(&job, Trigger::JobDeregister, &self.cluster.dice);
        self.cluster.run(Command::JobDeregister { key: job.key(), purge, no_shutdown_delay: false, evaluation: Some(evaluation) });
    }

    /// Somebody stops one allocation, or has what failed tried again.
    fn transition(&mut self) {
        let all: Vec<Arc<Allocation>> = self.cluster.state().allocations().cloned().collect();
        let Some(allocation) = self.cluster.dice.one_of(&all) else { return };
        let asked = Some(true);
        let transition = match self.chance(50) {
            true => DesiredTransition { migrate: asked, ..DesiredTransition::default() },
            false => DesiredTransition { reschedule: asked, force_reschedule: asked, ..DesiredTransition::default() },
        };
        let key = allocation.job_key();
        let evaluations = self.cluster.state().job(&key).map(|job| evaluations::for_job(job, Trigger::AllocStop, &self.cluster.dice));
        let transitions = BTreeMap::from([(allocation.id, transition)]);
        self.cluster.run(Command::AllocationsTransition { transitions, evaluations: evaluations.into_iter().collect() });
    }

    fn decide_deployment(&mut self) {
        let active: Vec<_> = self.cluster.state().deployments().filter(|deployment| deployment.is_active()).cloned().collect();
        let Some(deployment) = self.cluster.dice.one_of(&active) else { return };
        let status = match self.cluster.dice.below(4) {
            0 => DeploymentStatus::Failed,
            1 => DeploymentStatus::Paused,
            2 => DeploymentStatus::Running,
            _ => return self.promote(&deployment.job_key()),
        };
        self.set_deployment(deployment.id, &deployment.job_key(), status);
    }

    fn set_deployment(&mut self, id: drover_model::ids::DeploymentId, key: &JobKey, status: DeploymentStatus) {
        let evaluation = self.cluster.state().job(key).map(|job| evaluations::for_job(job, Trigger::DeploymentWatcher, &self.cluster.dice));
        let update = DeploymentStatusUpdate { id, status, description: format!("{status:?}") };
        self.cluster.note(|| format!("the deployment of {key} is {status:?}"));
        self.cluster.run(Command::DeploymentStatus { update, job: None, evaluation });
    }

    fn promote(&mut self, key: &JobKey) {
        let Some(deployment) = self.cluster.state().latest_deployment(key).cloned() else { return };
        let evaluation = self.cluster.state().job(key).map(|job| evaluations::for_job(job, Trigger::DeploymentWatcher, &self.cluster.dice));
        if self.cluster.run(Command::DeploymentPromote { id: deployment.id, groups: None, evaluation }) {
            self.cluster.note(|| format!("{key} is promoted"));
        }
    }

    /// All faults are over, and operators do what they would do.
    fn calm_down(&mut self) {
        self.cluster.note(|| "from now on all is well".to_owned());
        self.clients.failures = 0;
        if self.cluster.state().quota("team").is_some() {
            self.cluster.run(testing::quota_put("team", 1_000_000));
        }
        while !self.clients.away.is_empty() {
            self.find_node();
        }
        while self.some_node(|node| node.drain.is_some()).is_some() {
            self.end_drain();
        }
        while let Some(id) = self.some_node(|node| node.eligibility == Eligibility::Ineligible) {
            self.set_eligibility(id, Eligibility::Eligible);
        }
        for _ in 0..CALM_STEPS {
            self.look_after_deployments();
            self.pass(100);
            if self.is_quiet() {
                return;
            }
        }
    }

    /// Nobody has anything to do, now or later.
    fn is_quiet(&self) -> bool {
        let state = self.cluster.state();
        let settled = |allocation: &Arc<Allocation>| match allocation.client_status {
            ClientStatus::Running => !allocation.is_server_terminal(),
            status => status.is_terminal(),
        };
        let is_over = |job: &Arc<Job>| {
            let latest = state.latest_deployment(&job.key());
            latest.is_none_or(|latest| job.stop || latest.job_version != job.version || latest.status == DeploymentStatus::Successful)
        };
        self.cluster.pending.is_empty() && state.jobs().all(is_over) && state.allocations().all(settled)
    }

    /// Promotes and resumes; a version whose roll-out failed is registered anew, with a change.
    fn look_after_deployments(&mut self) {
        let jobs: Vec<_> = self.cluster.state().jobs().filter(|job| !job.stop).cloned().collect();
        for job in jobs {
            let Some(deployment) = self.cluster.state().latest_deployment(&job.key()).cloned() else { continue };
            match deployment.status {
                DeploymentStatus::Paused => self.set_deployment(deployment.id, &job.key(), DeploymentStatus::Running),
                DeploymentStatus::Failed if deployment.job_version == job.version => {
                    let mut job = Job::clone(&job);
                    job.meta.remove("bad");
                    job.task_groups[0].tasks[0].env.insert("AGAIN".to_owned(), self.cluster.dice.roll().to_string());
                    self.register(job);
                }
                DeploymentStatus::Running if deployment.requires_promotion() => self.promote(&job.key()),
                _ => {}
            }
        }
    }

    fn nothing_is_left_to_do(&mut self) {
        let keys: Vec<JobKey> = self.cluster.state().jobs().map(|job| job.key()).collect();
        for key in keys {
            let before = self.cluster.state().table_index(crate::state::TableId::Allocations);
            self.cluster.evaluate(&key, Trigger::NodeUpdate);
            self.cluster.settle();
            let after = self.cluster.state().table_index(crate::state::TableId::Allocations);
            assert_eq!(before, after, "an evaluation of {key} changes what is settled");
        }
    }
}
