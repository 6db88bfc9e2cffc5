//! One server and one client that is played by the test: a job is registered, placed, reported healthy, changed, stopped and forgotten.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{sync::Arc, time::Duration};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus, DesiredStatus},
    deployment::DeploymentStatus,
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::{EvalId, JobKey, NodeId},
    job::{Job, JobStatus, ReschedulePolicy, Task, TaskGroup, UpdateStrategy},
    node::{DriverInfo, Node, NodeStatus},
    rpc::{
        ReadOptions,
        node::{NodeAllocations, NodeAllocationsItem, NodeAuth, NodeHeartbeat, NodeRegister, NodeReport},
    },
};
use drover_runtime::{
    Runtime,
    disk::MemoryDisk,
    rpc::{Connection, Header, Hello, ItemStream, Role, Router},
};
use drover_server::{
    Running, Server, ServerConfig,
    fsm::command::Command,
    identity::Algorithm,
    state::{State, TableId},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// The client's end: what it knows of its allocations is what the server pushed.
struct Client {
    auth: NodeAuth,
    connection: Connection,
    stream: ItemStream<NodeAllocationsItem>,
}

impl Client {
    async fn join(runtime: &Runtime, address: &str) -> Self {
        let hello = Hello::new(Role::Client, "global", "node");
        let connection = Connection::open(&*runtime.network, address, hello, Arc::new(Router::new())).await.unwrap();
        let mut node = Node { id: NodeId::from_random(runtime.random.id_bytes()), name: "node".into(), ..Node::default() };
        node.secret_id = "secret".to_owned().into();
        (node.resources.cpu.cpu_mhz, node.resources.memory.memory_mib, node.resources.disk.disk_mib) = (4000, 4000, 100_000);
        (node.resources.min_dynamic_port, node.resources.max_dynamic_port) = (20_000, 32_000);
        node.attributes = [("kernel.name".to_owned(), "linux".to_owned()), ("driver.raw_exec".to_owned(), "1".to_owned())].into();
        node.drivers.insert("raw_exec".to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
        let auth = NodeAuth { id: node.id, secret: node.secret_id.clone() };
        let header = Header::default();
        let welcome = connection.call(&header, &NodeRegister { node }, PATIENCE).await.unwrap();
        assert!(welcome.heartbeat_ttl >= Duration::from_secs(10) && welcome.servers == [address]);
        let stream = connection.subscribe(&header, &NodeAllocations { auth: auth.clone(), min_index: 0 }).await.unwrap();
        let heartbeat = NodeHeartbeat { auth: auth.clone(), status: NodeStatus::Ready };
        connection.call(&header, &heartbeat, PATIENCE).await.unwrap();
        Self { auth, connection, stream }
    }

    /// The next push that has something in it.
    async fn pushed(&mut self) -> Vec<Allocation> {
        loop {
            let item = tokio::time::timeout(PATIENCE, self.stream.next()).await.unwrap().unwrap().unwrap();
            if !item.allocations.is_empty() {
                return item.allocations.into_allocations();
            }
        }
    }

    async fn report(&self, allocations: &[Allocation], status: ClientStatus, healthy: Option<bool>) {
        let report = |allocation: &Allocation| AllocationReport {
            id: Some(allocation.id),
            client_status: status,
            deployment_status: healthy.map(|healthy| AllocDeploymentStatus { healthy: Some(healthy), ..AllocDeploymentStatus::default() }),
            ..AllocationReport::default()
        };
        let message = NodeReport { auth: self.auth.clone(), allocations: allocations.iter().map(report).collect() };
        self.connection.call(&Header::default(), &message, PATIENCE).await.unwrap();
    }
}

fn job(count: u32, env: &str) -> Job {
    let mut task = Task { name: "server".to_owned(), driver: "raw_exec".to_owned(), ..Task::default() };
    task.env.insert("V".to_owned(), env.to_owned());
    let group = TaskGroup {
        name: "web".into(),
        count,
        tasks: vec![task].into(),
        update: Some(UpdateStrategy { max_parallel: 2, ..UpdateStrategy::default() }),
        reschedule_policy: Some(ReschedulePolicy::default()),
        ..TaskGroup::default()
    };
    Job { id: "web".into(), name: "web".to_owned(), task_groups: vec![group].into(), ..Job::default() }
}

fn evaluation(runtime: &Runtime, trigger: Trigger) -> Evaluation {
    let id = EvalId::from_random(runtime.random.id_bytes());
    Evaluation { id, job_id: "web".into(), kind: EvalType::Service, triggered_by: trigger, ..Evaluation::default() }
}

async fn register(server: &Server, job: Job) -> EvalId {
    let evaluation = evaluation(server.runtime(), Trigger::JobRegister);
    let id = evaluation.id;
    server
        .propose(Command::JobRegister { job: Arc::new(job), submission: None, enforce: None, evaluation: Some(evaluation) })
        .await
        .unwrap();
    id
}

/// Waits until the state is as somebody wants it, by the reads that people use.
async fn until(server: &Server, what: &str, is: impl Fn(&State) -> bool) {
    let tables = [TableId::Jobs, TableId::Allocations, TableId::Evaluations, TableId::Deployments, TableId::Nodes];
    let mut options = ReadOptions { max_wait: Some(Duration::from_secs(5)), ..ReadOptions::default() };
    let reading = async {
        loop {
            let read = server.read(&options, &tables, |state| is(state)).await.unwrap();
            if read.data {
                return;
            }
            options.min_index = read.meta.index;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("{what} did not come about"));
}

async fn start(disk: &MemoryDisk) -> Running {
    let runtime = Runtime::real().with_disk(disk.clone());
    let config = ServerConfig {
        node_name: "server".to_owned(),
        rpc_address: "127.0.0.1:0".to_owned(),
        signing: Algorithm::EdDsa,
        ..ServerConfig::default()
    };
    let running = Server::start(config, runtime).await.unwrap();
    let mut leadership = running.server().consensus().leader_changes();
    let elected = leadership.wait_for(|leadership| leadership.is_self);
    tokio::time::timeout(PATIENCE, elected).await.unwrap().unwrap();
    running
}

fn key() -> JobKey {
    JobKey::new("default", "web")
}

fn deployment_is(state: &State, status: DeploymentStatus, version: u64) -> bool {
    state.latest_deployment(&key()).is_some_and(|deployment| deployment.status == status && deployment.job_version == version)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_from_registration_to_the_end() {
    let disk = MemoryDisk::new();
    let running = start(&disk).await;
    let server = Arc::clone(running.server());
    let mut client = Client::join(server.runtime(), server.address()).await;

    let eval = register(&server, job(2, "1")).await;
    let placed = client.pushed().await;
    assert_eq!(placed.iter().map(|row| (row.name.to_string(), row.job.version)).collect::<Vec<_>>().len(), 2);
    until(&server, "the evaluation's end", |state| state.evaluation(eval).is_some_and(|eval| eval.status == EvalStatus::Complete)).await;
    assert!(server.reaches(client.auth.id));

    client.report(&placed, ClientStatus::Running, Some(true)).await;
    until(&server, "the first roll-out", |state| deployment_is(state, DeploymentStatus::Successful, 0)).await;
    let state = server.store().snapshot();
    let current = state.job(&key()).unwrap();
    assert!(current.stable && current.status == JobStatus::Running);
    drop(state);

    register(&server, job(2, "2")).await;
    let mut running_now = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !deployment_is(&server.store().snapshot(), DeploymentStatus::Successful, 1) {
        assert!(tokio::time::Instant::now() < deadline, "the second roll-out");
        let (run, stop): (Vec<_>, Vec<_>) = client.pushed().await.into_iter().partition(|row| row.desired_status == DesiredStatus::Run);
        client.report(&stop, ClientStatus::Complete, None).await;
        client.report(&run, ClientStatus::Running, Some(true)).await;
        running_now.extend(run);
        if running_now.len() == 2 {
            until(&server, "the second roll-out", |state| deployment_is(state, DeploymentStatus::Successful, 1)).await;
        }
    }

    let deregister = Command::JobDeregister {
        key: key(),
        purge: false,
        no_shutdown_delay: false,
        evaluation: Some(evaluation(server.runtime(), Trigger::JobDeregister)),
    };
    server.propose(deregister).await.unwrap();
    let stopped = client.pushed().await;
    assert!(stopped.iter().all(|row| row.desired_status == DesiredStatus::Stop));
    client.report(&stopped, ClientStatus::Complete, None).await;
    until(&server, "the job's end", |state| state.job(&key()).is_some_and(|job| job.status == JobStatus::Dead)).await;
    server.collect_garbage().await.unwrap();
    assert!(server.store().snapshot().job(&key()).is_none());
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_a_crash() {
    let disk = MemoryDisk::new();
    let running = start(&disk).await;
    let index = {
        let server = running.server();
        register(server, job(2, "1")).await;
        until(server, "a blocked evaluation", |state| state.evaluations().any(|eval| eval.status == EvalStatus::Blocked)).await;
        server.store().snapshot().index()
    };
    running.shutdown().await;
    disk.crash();

    let running = start(&disk).await;
    let server = Arc::clone(running.server());
    until(&server, "the job", |state| state.index() >= index && state.job(&key()).is_some()).await;
    // The evaluation that waited is woken by the node that comes.
    let mut client = Client::join(server.runtime(), server.address()).await;
    assert_eq!(client.pushed().await.len(), 2);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_room_leaves_nothing_behind_each_time_it_is_tried() {
    let running = start(&MemoryDisk::new()).await;
    let server = Arc::clone(running.server());
    let mut large = job(1, "1");
    large.task_groups[0].tasks[0].resources.memory_mib = 1_000_000;
    register(&server, large).await;
    let blocked = |state: &State| state.evaluations().filter(|eval| eval.status == EvalStatus::Blocked).count();
    until(&server, "a blocked evaluation", |state| blocked(state) == 1).await;
    let evaluations = server.store().snapshot().evaluations().count();
    for _ in 0..3 {
        // Each node that comes may be the one that it waits for.
        let before = server.store().snapshot().index();
        let _client = Client::join(server.runtime(), server.address()).await;
        let tried = |state: &State| state.evaluations().any(|eval| eval.status == EvalStatus::Blocked && eval.snapshot_index > before);
        until(&server, "another try", tried).await;
    }
    let state = server.store().snapshot();
    assert_eq!((state.evaluations().count(), blocked(&state)), (evaluations, 1));
    assert_eq!(state.summary(&key()).unwrap().summary["web"].queued, 1);
    drop(state);
    running.shutdown().await;
}
