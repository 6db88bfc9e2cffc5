//! What unit tests build their clusters from.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus},
    deployment::{Deployment, DeploymentState},
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, EvalId, NodeId, VolumeId},
    job::{Job, ReschedulePolicy, Task, TaskGroup, UpdateStrategy},
    namespace::Namespace,
    node::{Node, NodeStatus},
    quota::{QuotaLimit, QuotaSpec, RegionLimit, StoredQuota},
    resources::{AllocatedCpu, AllocatedMemory, AllocatedPort, AllocatedResources, AllocatedTask},
    rpc::Error,
    time::UnixNanos,
    volume::{AccessMode, AttachmentMode, Capability, Volume},
};
use drover_runtime::Runtime;
use futures::future::BoxFuture;

use crate::{
    config::HeartbeatConfig,
    consensus::StateMachine,
    fsm::{
        self, Effect,
        command::{Applied, COMMAND_VERSION, Command, PlanApply, Proposed},
    },
    heartbeats::Heartbeats,
    machine::Machine,
    perform::Services,
    propose::Propose,
    state::{State, StateStore},
};

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const START: i64 = 1_800_000_000 * SECOND;

pub(crate) fn node_id(number: u8) -> NodeId {
    NodeId::from_random([number; 16])
}

pub(crate) fn alloc_id(number: u8) -> AllocId {
    AllocId::from_random([number; 16])
}

pub(crate) fn eval_id(number: u8) -> EvalId {
    EvalId::from_random([number; 16])
}

pub(crate) fn deployment_id(number: u8) -> DeploymentId {
    DeploymentId::from_random([number; 16])
}

pub(crate) fn node(number: u8, cpu_mhz: u64, memory_mib: u64) -> Node {
    let mut node =
        Node { id: node_id(number), name: format!("node-{number}"), secret_id: format!("secret-{number}").into(), ..Node::default() };
    node.resources.cpu.cpu_mhz = cpu_mhz;
    node.resources.memory.memory_mib = memory_mib;
    node.resources.disk.disk_mib = 100_000;
    node.compute_class();
    node
}

/// A service of one group `web` that rolls.
pub(crate) fn job(id: &str, count: u32) -> Job {
    let update = UpdateStrategy::default();
    let group = TaskGroup {
        name: "web".into(),
        count,
        tasks: vec![Task { name: "server".to_owned(), driver: "raw_exec".to_owned(), ..Task::default() }].into(),
        update: Some(update),
        reschedule_policy: Some(ReschedulePolicy::default()),
        ..TaskGroup::default()
    };
    Job { id: id.into(), name: id.to_owned(), task_groups: vec![group].into(), ..Job::default() }
}

pub(crate) fn evaluation(number: u8, job: &Job) -> Evaluation {
    Evaluation { id: eval_id(number), job_id: job.id.clone(), priority: job.priority, ..Evaluation::default() }
}

pub(crate) fn allocation(number: u8, job: &Arc<Job>, on: u8) -> Allocation {
    Allocation {
        id: alloc_id(number),
        eval_id: eval_id(1),
        name: format!("{}.web[{number}]", job.id).into(),
        node_id: node_id(on),
        job_id: job.id.clone(),
        job: Arc::clone(job),
        task_group: "web".into(),
        resources: resources(100, 64, &[]),
        ..Allocation::default()
    }
}

pub(crate) fn resources(cpu_mhz: u64, memory_mib: u64, ports: &[u16]) -> Arc<AllocatedResources> {
    let task = AllocatedTask {
        cpu: AllocatedCpu { cpu_mhz, ..AllocatedCpu::default() },
        memory: AllocatedMemory { memory_mib, memory_max_mib: 0 },
        ..AllocatedTask::default()
    };
    let mut resources = AllocatedResources { tasks: BTreeMap::from([("server".into(), task)]), ..AllocatedResources::default() };
    let port = |value: &u16| AllocatedPort { label: format!("p{value}"), value: *value, ..AllocatedPort::default() };
    resources.shared.ports = ports.iter().map(port).collect();
    Arc::new(resources)
}

/// The command that makes a quota of so much.
pub(crate) fn quota_put(name: &str, cpu_mhz: i64) -> Command {
    let region_limit = Some(RegionLimit { cpu_mhz, ..RegionLimit::default() });
    let limit = QuotaLimit { region: "global".to_owned(), region_limit, ..QuotaLimit::default() };
    let spec = QuotaSpec { name: name.to_owned(), limits: vec![limit].into(), hash: cpu_mhz.to_string(), ..QuotaSpec::default() };
    Command::QuotaPut { quota: Box::new(StoredQuota { spec, region: "global".to_owned() }) }
}

pub(crate) fn volume_id(number: u8) -> VolumeId {
    VolumeId::from_random([number; 16])
}

/// The command that gives a node a volume.
pub(crate) fn volume_put(on: u8, name: &str, access_mode: AccessMode) -> Command {
    let capabilities = vec![Capability { access_mode, attachment_mode: AttachmentMode::FileSystem }].into();
    let (id, node_id) = (Some(volume_id(on)), Some(node_id(on)));
    let volume = Volume { namespace: "default".into(), id, name: name.to_owned(), node_id, capabilities, ..Volume::default() };
    Command::VolumePut { volume: Box::new(volume) }
}

/// A namespace under a quota.
pub(crate) fn under(name: &str, quota: &str) -> Namespace {
    Namespace { name: name.to_owned(), quota: quota.to_owned(), hash: quota.to_owned(), ..Namespace::default() }
}

/// A deployment of the current version of `job`.
pub(crate) fn deployment(number: u8, job: &Job, group: DeploymentState) -> Deployment {
    Deployment {
        id: deployment_id(number),
        job_id: job.id.clone(),
        job_version: job.version,
        task_groups: BTreeMap::from([("web".into(), group)]),
        ..Deployment::default()
    }
}

pub(crate) fn report(number: u8, status: ClientStatus, healthy: Option<bool>) -> AllocationReport {
    AllocationReport {
        id: Some(alloc_id(number)),
        client_status: status,
        deployment_status: healthy.map(|healthy| AllocDeploymentStatus { healthy: Some(healthy), ..AllocDeploymentStatus::default() }),
        ..AllocationReport::default()
    }
}

/// A state that commands are applied to, without anything around it.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) state: State,
    /// Seconds since [`START`].
    pub(crate) seconds: i64,
}

impl World {
    pub(crate) fn now(&self) -> UnixNanos {
        UnixNanos(START + self.seconds * SECOND)
    }

    pub(crate) fn apply(&mut self, command: Command) -> (Applied, Vec<Effect>) {
        let (index, at) = (self.state.index() + 1, self.now());
        fsm::apply(&mut self.state, index, Proposed { version: COMMAND_VERSION, at, command })
    }

    /// Applies a command that must be accepted. Returns its index.
    pub(crate) fn run(&mut self, command: Command) -> u64 {
        self.apply(command).0.accepted().unwrap()
    }

    pub(crate) fn ready_node(&mut self, node: Node) {
        let id = node.id;
        self.run(Command::NodeRegister { node: Box::new(node) });
        self.run(Command::NodeStatus { id, status: NodeStatus::Ready, event: None, evaluations: Vec::new() });
    }

    /// Registers a job; returns it as it stands.
    pub(crate) fn register(&mut self, job: Job) -> Arc<Job> {
        let key = job.key();
        self.run(Command::JobRegister { job: Arc::new(job), submission: None, enforce: None, evaluation: None });
        Arc::clone(self.state.job(&key).unwrap())
    }

    pub(crate) fn place(&mut self, allocations: Vec<Allocation>, deployment: Option<Deployment>) -> u64 {
        let plan = PlanApply { allocations: allocations.iter().collect(), deployment, ..PlanApply::default() };
        self.run(Command::PlanApply(Box::new(plan)))
    }

    pub(crate) fn report(&mut self, on: u8, reports: Vec<AllocationReport>) -> Vec<Effect> {
        let command = Command::AllocationsReport { node_id: node_id(on), reports, evaluations: Vec::new() };
        let (applied, effects) = self.apply(command);
        applied.accepted().unwrap();
        effects
    }
}

/// Commands applied at once: consensus with itself.
#[derive(Debug)]
pub(crate) struct Direct {
    machine: Mutex<Machine>,
    pub(crate) store: Arc<StateStore>,
    pub(crate) services: Arc<Services>,
    runtime: Runtime,
}

impl Direct {
    /// Goes on from `world`. Its services lead.
    pub(crate) fn new(world: World, runtime: Runtime) -> Arc<Self> {
        let store = Arc::new(StateStore::new(world.state));
        let services = Arc::new(Services::new(runtime.clone(), Heartbeats::new(HeartbeatConfig::default())));
        services.begin_leading();
        let machine = Mutex::new(Machine::new(Arc::clone(&store), Arc::clone(&services)));
        Arc::new(Self { machine, store, services, runtime })
    }
}

impl Propose for Direct {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, Error>> {
        let proposed = Proposed { version: COMMAND_VERSION, at: self.runtime.clock.now(), command };
        let mut answers = self.machine.lock().unwrap().apply(vec![proposed]);
        Box::pin(std::future::ready(answers.pop().ok_or_else(|| Error::internal("no answer"))))
    }
}
