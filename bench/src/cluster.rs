//! A cluster in memory, as schedulers see it.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    evaluation::{EvalType, Evaluation},
    ids::{EvalId, JobKey, NodeId},
    job::{Job, JobType, Task, TaskGroup},
    node::{DriverInfo, Node, NodeStatus},
    plan::Outcome,
    time::UnixNanos,
};
use drover_scheduler::{Config, Error, Inputs, Member, Profile, Snapshot, Usage, schedule};

const DRIVER: &str = "raw_exec";

#[derive(Debug, Default)]
pub struct Cluster {
    nodes: BTreeMap<NodeId, (Arc<Node>, Profile, Usage)>,
    jobs: BTreeMap<JobKey, Arc<Job>>,
    allocations: BTreeMap<JobKey, Vec<Arc<Allocation>>>,
    seed: u64,
}

impl Snapshot for Cluster {
    fn index(&self) -> u64 {
        self.seed
    }

    fn job(&self, key: &JobKey) -> Option<Arc<Job>> {
        self.jobs.get(key).cloned()
    }

    fn job_allocations(&self, key: &JobKey) -> Vec<Arc<Allocation>> {
        self.allocations.get(key).cloned().unwrap_or_default()
    }

    fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.nodes.get(&id).map(|(node, ..)| node)
    }

    fn nodes(&self) -> Box<dyn Iterator<Item = Member<'_>> + '_> {
        Box::new(self.nodes.iter().map(|(id, (node, profile, usage))| Member { id: *id, node, profile: *profile, usage }))
    }

    fn node_allocations(&self, id: NodeId) -> Vec<Arc<Allocation>> {
        self.allocations.values().flatten().filter(|allocation| allocation.node_id == id && allocation.holds_resources()).cloned().collect()
    }

    fn latest_deployment(&self, _: &JobKey) -> Option<Arc<Deployment>> {
        None
    }

    fn scheduler_config(&self, _: &str) -> Config {
        Config::default()
    }
}

/// A ready node of this size in a rack.
pub fn node(number: u32, rack: u32, cpu_mhz: u64, memory_mib: u64) -> Node {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    let mut node = Node { id: NodeId::from_random(bytes), name: format!("n{number}"), status: NodeStatus::Ready, ..Node::default() };
    node.resources.cpu.cpu_mhz = cpu_mhz;
    node.resources.memory.memory_mib = memory_mib;
    node.resources.disk.disk_mib = 1 << 40;
    node.attributes.insert("unique.network.ip-address".to_owned(), format!("10.0.{}.{}", number / 250, number % 250));
    node.meta.insert("rack".to_owned(), format!("r{rack}"));
    node.drivers.insert(DRIVER.to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
    node.compute_class();
    node
}

/// A job of one group with one task.
pub fn job(id: &str, kind: JobType, count: u32, cpu_mhz: u32, memory_mib: u32) -> Job {
    let mut task = Task { name: "t".to_owned(), driver: DRIVER.to_owned(), ..Task::default() };
    (task.resources.cpu_mhz, task.resources.memory_mib) = (cpu_mhz, memory_mib);
    let group = TaskGroup { name: "g".into(), count, tasks: vec![task].into(), ..TaskGroup::default() };
    Job { id: id.into(), name: id.to_owned(), kind, task_groups: vec![group].into(), ..Job::default() }
}

impl Cluster {
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Self {
        let member = |node: Node| {
            let profile = Profile::of(&node);
            (node.id, (Arc::new(node), profile, Usage::default()))
        };
        let nodes = nodes.into_iter().map(member).collect();
        Self { nodes, ..Self::default() }
    }

    pub fn register(&mut self, job: Job) {
        self.jobs.insert(job.key(), Arc::new(job));
    }

    /// One evaluation of a job.
    pub fn evaluate(&self, key: &JobKey) -> Result<Outcome, Error> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.seed.to_be_bytes());
        let kind = self.jobs.get(key).map_or(EvalType::Service, |job| job.kind.into());
        let evaluation = Evaluation {
            id: EvalId::from_random(id),
            namespace: key.namespace.clone(),
            job_id: key.id.clone(),
            kind,
            ..Evaluation::default()
        };
        schedule(self, &evaluation, Inputs::alone(UnixNanos(1_800_000_000_000_000_000), self.seed))
    }

    /// Makes true what an outcome plans.
    pub fn apply(&mut self, outcome: Outcome) {
        self.seed += 1;
        for allocation in outcome.plan.placements {
            if let Some((.., usage)) = self.nodes.get_mut(&allocation.node_id) {
                usage.add(&allocation);
            }
            self.allocations.entry(allocation.job_key()).or_default().push(Arc::new(allocation));
        }
    }

    /// The share of processor and of memory that is in use.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
    pub fn utilisation(&self) -> (f64, f64) {
        let (mut used, mut all) = ((0, 0), (0, 0));
        for (_, profile, usage) in self.nodes.values() {
            used = (used.0 + usage.amounts.cpu_mhz, used.1 + usage.amounts.memory_mib);
            all = (all.0 + profile.capacity.cpu_mhz, all.1 + profile.capacity.memory_mib);
        }
        (used.0 as f64 / all.0.max(1) as f64, used.1 as f64 / all.1.max(1) as f64)
    }

    pub fn allocation_count(&self) -> usize {
        self.allocations.values().map(Vec::len).sum()
    }
}
