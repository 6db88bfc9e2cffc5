//! A cluster in memory: what a snapshot reads, and what becomes of it when plans are applied and clients report.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, ClientStatus},
    deployment::{Deployment, DeploymentStatus},
    evaluation::{EvalType, Evaluation},
    ids::{AllocId, EvalId, JobKey, NodeId},
    job::{Job, JobType, ReschedulePolicy, Task, TaskGroup, UpdateStrategy},
    node::{DriverInfo, Node, NodeStatus},
    plan::{Outcome, Plan},
    quota::{QuotaUse, RegionLimit},
    time::UnixNanos,
};
use drover_scheduler::{Config, Inputs, Member, Profile, QuotaRoom, Snapshot, Usage, apply_check, schedule};

pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) struct Cluster {
    pub(crate) now: UnixNanos,
    pub(crate) seed: u64,
    /// How many were applied.
    pub(crate) plans: u64,
    pub(crate) nodes: BTreeMap<NodeId, (Arc<Node>, Usage)>,
    pub(crate) jobs: BTreeMap<JobKey, Arc<Job>>,
    pub(crate) allocations: BTreeMap<AllocId, Arc<Allocation>>,
    pub(crate) deployment: Option<Arc<Deployment>>,
    pub(crate) config: Config,
    /// Of all allocations: they are in one namespace.
    pub(crate) quota: Option<RegionLimit>,
}

impl Snapshot for Cluster {
    fn index(&self) -> u64 {
        7
    }
    fn job(&self, key: &JobKey) -> Option<Arc<Job>> {
        self.jobs.get(key).cloned()
    }
    fn job_allocations(&self, key: &JobKey) -> Vec<Arc<Allocation>> {
        self.allocations.values().filter(|allocation| allocation.job_key() == *key).cloned().collect()
    }
    fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.nodes.get(&id).map(|(node, _)| node)
    }
    fn nodes(&self) -> Box<dyn Iterator<Item = Member<'_>> + '_> {
        Box::new(self.nodes.iter().map(|(id, (node, usage))| Member { id: *id, node, profile: Profile::of(node), usage }))
    }
    fn node_allocations(&self, id: NodeId) -> Vec<Arc<Allocation>> {
        self.allocations.values().filter(|allocation| allocation.node_id == id && allocation.holds_resources()).cloned().collect()
    }
    fn latest_deployment(&self, _: &JobKey) -> Option<Arc<Deployment>> {
        self.deployment.clone()
    }
    fn scheduler_config(&self, _: &str) -> Config {
        self.config
    }
    fn quota(&self, _: &str) -> Option<QuotaRoom> {
        let mut used = QuotaUse::default();
        let held = self.allocations.values().filter(|allocation| allocation.holds_resources());
        held.for_each(|allocation| used.add(&QuotaUse::of(&allocation.resources)));
        Some(QuotaRoom { name: "team".into(), limit: self.quota.clone()?, used })
    }
}

pub(crate) fn node_id(number: u16) -> NodeId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    NodeId::from_random(bytes)
}

/// 4,000 MHz, 8,000 MiB, linux, with the driver `exec`.
pub(crate) fn node(number: u16) -> Node {
    let mut node = Node { id: node_id(number), name: format!("n{number}"), status: NodeStatus::Ready, ..Node::default() };
    node.resources.cpu.cpu_mhz = 4000;
    node.resources.cpu.total_cores = 4;
    node.resources.cpu.reservable_cores = vec![0, 1, 2, 3].into();
    node.resources.memory.memory_mib = 8000;
    node.resources.disk.disk_mib = 100_000;
    node.resources.min_dynamic_port = 20_000;
    node.resources.max_dynamic_port = 20_009;
    node.attributes.insert("kernel.name".to_owned(), "linux".to_owned());
    node.attributes.insert("unique.network.ip-address".to_owned(), format!("10.0.0.{}", number % 250));
    node.drivers.insert("exec".to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
    node.compute_class();
    node
}

/// One group `g` with one task: 500 MHz, 256 MiB.
pub(crate) fn job(kind: JobType, count: u32) -> Job {
    let mut task = Task { name: "t".to_owned(), driver: "exec".to_owned(), ..Task::default() };
    (task.resources.cpu_mhz, task.resources.memory_mib) = (500, 256);
    let reschedule = ReschedulePolicy { delay: Duration::from_secs(30), ..ReschedulePolicy::default() };
    let batch_reschedule = ReschedulePolicy {
        unlimited: false,
        attempts: 1,
        interval: Duration::from_secs(86_400),
        delay: Duration::ZERO,
        ..ReschedulePolicy::default()
    };
    let service = kind == JobType::Service;
    let group = TaskGroup {
        name: "g".into(),
        count,
        tasks: vec![task].into(),
        update: service.then(UpdateStrategy::default),
        reschedule_policy: Some(if service { reschedule } else { batch_reschedule }),
        ..TaskGroup::default()
    };
    Job { id: "web".into(), name: "web".to_owned(), kind, task_groups: vec![group].into(), create_index: 1, ..Job::default() }
}

pub(crate) fn service(count: u32) -> Job {
    job(JobType::Service, count)
}

impl Cluster {
    pub(crate) fn new(nodes: impl IntoIterator<Item = Node>) -> Self {
        Self {
            now: UnixNanos(1_000_000 * SECOND),
            seed: 1,
            plans: 0,
            nodes: nodes.into_iter().map(|node| (node.id, (Arc::new(node), Usage::default()))).collect(),
            jobs: BTreeMap::new(),
            allocations: BTreeMap::new(),
            deployment: None,
            config: Config::default(),
            quota: None,
        }
    }

    pub(crate) fn of(nodes: u16) -> Self {
        Self::new((0..nodes).map(node))
    }

    pub(crate) fn job(&self) -> &Job {
        self.jobs.values().next().unwrap()
    }

    /// Registers the job, as its next version if there is one.
    pub(crate) fn register(&mut self, mut job: Job) -> &mut Self {
        if let Some(old) = self.jobs.get(&job.key()) {
            job.version = old.version + 1;
        }
        job.job_modify_index = 10 + job.version;
        job.modify_index = job.job_modify_index;
        self.jobs.insert(job.key(), Arc::new(job));
        self
    }

    /// Changes the job into its next version.
    pub(crate) fn change(&mut self, edit: impl FnOnce(&mut Job)) -> &mut Self {
        let mut job = self.job().clone();
        edit(&mut job);
        self.register(job)
    }

    /// A change that replaces allocations.
    pub(crate) fn change_env(&mut self) -> &mut Self {
        let value = self.job().version.to_string();
        self.change(|job| _ = job.task_groups[0].tasks[0].env.insert("VERSION".to_owned(), value))
    }

    pub(crate) fn evaluation(&self) -> Evaluation {
        let (kind, id) = match self.jobs.values().next() {
            Some(job) => (job.kind.into(), job.id.clone()),
            None => (EvalType::Service, "web".into()),
        };
        Evaluation { id: EvalId::from_random([9; 16]), job_id: id, kind, ..Evaluation::default() }
    }

    pub(crate) fn plan(&self) -> Outcome {
        schedule(self, &self.evaluation(), Inputs::alone(self.now, self.seed)).unwrap()
    }

    /// Schedules once and applies the plan.
    pub(crate) fn step(&mut self) -> Outcome {
        let outcome = self.plan();
        self.apply(&outcome.plan);
        self.seed += 1;
        outcome
    }

    fn apply(&mut self, plan: &Plan) {
        self.check(plan);
        for stop in &plan.stops {
            self.edit(stop.id, |allocation| {
                allocation.desired_status = stop.desired_status;
                allocation.desired_description = stop.description.clone();
                allocation.client_status = stop.client_status.unwrap_or(allocation.client_status);
            });
        }
        if let Some(deployment) = &plan.deployment {
            self.deployment = Some(Arc::new(deployment.clone()));
        }
        for update in &plan.deployment_updates {
            self.deploy(|deployment| {
                if deployment.id == update.id {
                    (deployment.status, deployment.status_description) = (update.status, update.description.clone());
                }
            });
        }
        self.plans += 1;
        for allocation in plan.updates.iter().chain(&plan.placements) {
            let is_new = !self.allocations.contains_key(&allocation.id);
            let create_index = if is_new { self.plans } else { allocation.create_index };
            self.put(Allocation { create_index, ..allocation.clone() });
            if is_new && allocation.deployment_id.is_some() {
                self.deploy(|deployment| {
                    let state = deployment.task_groups.get_mut(&allocation.task_group).unwrap();
                    state.placed_allocs += 1;
                    if allocation.is_canary() {
                        state.placed_canaries.push(allocation.id);
                    }
                });
            }
        }
        self.recount();
    }

    /// What the plan applier would say.
    fn check(&self, plan: &Plan) {
        for (id, (node, usage)) in &self.nodes {
            let stopped = plan.stops.iter().filter_map(|stop| self.allocations.get(&stop.id));
            let stopped = stopped.filter(|allocation| allocation.node_id == *id && allocation.holds_resources());
            let placed = plan.placements.iter().filter(|allocation| allocation.node_id == *id);
            apply_check(Some(node), usage, stopped.map(Arc::as_ref), placed).unwrap();
        }
    }

    pub(crate) fn deploy(&mut self, edit: impl FnOnce(&mut Deployment)) {
        let mut deployment = Deployment::clone(self.deployment.as_ref().unwrap());
        edit(&mut deployment);
        self.deployment = Some(Arc::new(deployment));
    }

    pub(crate) fn put(&mut self, allocation: Allocation) {
        self.allocations.insert(allocation.id, Arc::new(allocation));
    }

    pub(crate) fn edit(&mut self, id: AllocId, edit: impl FnOnce(&mut Allocation)) {
        let mut allocation = Allocation::clone(&self.allocations[&id]);
        edit(&mut allocation);
        self.put(allocation);
    }

    pub(crate) fn edit_node(&mut self, number: u16, edit: impl FnOnce(&mut Node)) {
        let (node, _) = self.nodes.get_mut(&node_id(number)).unwrap();
        edit(Arc::make_mut(node));
    }

    fn recount(&mut self) {
        let allocations: Vec<_> = self.allocations.values().cloned().collect();
        for (id, (_, usage)) in &mut self.nodes {
            *usage = Usage::of(allocations.iter().map(Arc::as_ref).filter(|allocation| allocation.node_id == *id));
        }
    }

    /// Clients do what they are told: what is to run runs, what is to stop has ended.
    pub(crate) fn settle(&mut self) -> &mut Self {
        for allocation in self.allocations.clone().into_values() {
            match allocation.client_status {
                ClientStatus::Pending | ClientStatus::Running if allocation.is_server_terminal() => {
                    self.edit(allocation.id, |allocation| allocation.client_status = ClientStatus::Complete);
                }
                ClientStatus::Pending => self.edit(allocation.id, |allocation| allocation.client_status = ClientStatus::Running),
                _ => {}
            }
        }
        self.recount();
        self
    }

    /// And all of the deployment's are healthy.
    pub(crate) fn settle_healthy(&mut self) -> &mut Self {
        self.settle();
        let Some(deployment) = self.deployment.clone() else { return self };
        for allocation in self.allocations.clone().into_values().filter(|allocation| !allocation.is_terminal()) {
            if allocation.deployment_id == Some(deployment.id) && allocation.is_healthy().is_none() {
                self.set_health(allocation.id, true);
            }
        }
        self
    }

    pub(crate) fn set_health(&mut self, id: AllocId, healthy: bool) {
        self.edit(id, |allocation| {
            let status = allocation.deployment_status.get_or_insert_with(AllocDeploymentStatus::default);
            status.healthy = Some(healthy);
        });
        let group = self.allocations[&id].task_group.clone();
        self.deploy(|deployment| {
            let state = deployment.task_groups.get_mut(&group).unwrap();
            *(if healthy { &mut state.healthy_allocs } else { &mut state.unhealthy_allocs }) += 1;
        });
    }

    pub(crate) fn fail(&mut self, id: AllocId) {
        let now = self.now;
        self.edit(id, |allocation| (allocation.client_status, allocation.modify_time) = (ClientStatus::Failed, now));
        self.recount();
    }

    pub(crate) fn promote(&mut self) -> &mut Self {
        self.deploy(|deployment| deployment.task_groups.values_mut().for_each(|state| state.promoted = true));
        for allocation in self.allocations.clone().into_values() {
            self.edit(allocation.id, |allocation| {
                if let Some(status) = &mut allocation.deployment_status {
                    status.canary = false;
                }
            });
        }
        self
    }

    pub(crate) fn set_deployment(&mut self, status: DeploymentStatus) -> &mut Self {
        self.deploy(|deployment| deployment.status = status);
        self
    }

    /// Those that the servers and clients want to run: (name, version), sorted.
    pub(crate) fn running(&self) -> Vec<(String, u64)> {
        let live = self.allocations.values().filter(|allocation| !allocation.is_terminal());
        let mut running: Vec<_> = live.map(|allocation| (allocation.name.to_string(), allocation.job.version)).collect();
        running.sort();
        running
    }

    /// The live one of this name and version.
    pub(crate) fn find(&self, name: &str, version: u64) -> Arc<Allocation> {
        let mut live = self.allocations.values().filter(|allocation| !allocation.is_server_terminal());
        live.find(|allocation| *allocation.name == *name && allocation.job.version == version).unwrap().clone()
    }
}

/// (place, canary, destructive, in place, migrate, stop, ignore)
pub(crate) fn numbers(outcome: &Outcome) -> [u32; 7] {
    let desired = outcome.plan.annotations.as_ref().unwrap().desired_updates["g"];
    [desired.place, desired.canary, desired.destructive_update, desired.in_place_update, desired.migrate, desired.stop, desired.ignore]
}

pub(crate) fn names(pairs: &[(u32, u64)]) -> Vec<(String, u64)> {
    let mut names: Vec<_> = pairs.iter().map(|(index, version)| (format!("web.g[{index}]"), *version)).collect();
    names.sort();
    names
}
