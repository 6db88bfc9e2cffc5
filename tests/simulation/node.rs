//! A client that speaks the real protocol and pretends to run tasks: they start at once, and are healthy after the job's `min_healthy_time`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus, TaskPhase, TaskState, client_description},
    ids::{AllocId, NodeId},
    job::NetworkResource,
    json::List,
    node::{DriverInfo, Node, NodeStatus},
    rpc::node::{NodeAllocations, NodeAllocationsItem, NodeAuth, NodeHeartbeat, NodeRegister, NodeReport},
    secret::SecretText,
};
use drover_runtime::{
    Runtime,
    disk::MemoryDisk,
    rpc::{Connection, Header, Hello, Role, Router},
    sim,
};
use tokio::time::{Instant, sleep, sleep_until};

const CALL_LIMIT: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);

/// The client's whole life: it connects again whenever the connection ends.
pub(crate) async fn run(name: &'static str, seed: u64) -> turmoil::Result {
    let runtime = sim::runtime(seed, &MemoryDisk::default());
    let id = NodeId::from_random(runtime.random.id_bytes());
    loop {
        if let Err(error) = session(name, id, &runtime).await {
            tracing::debug!(%error, name, "the session ended");
        }
        sleep(RETRY).await;
    }
}

async fn session(name: &str, id: NodeId, runtime: &Runtime) -> Result<(), Box<dyn std::error::Error>> {
    let hello = Hello::new(Role::Client, "global", name);
    let connection = Connection::open(&*runtime.network, "server:4647", hello, Arc::new(Router::new())).await?;
    let auth = NodeAuth { id, secret: SecretText::new(format!("secret of {name}")) };
    connection.call(&Header::default(), &NodeRegister { node: node(name, &auth) }, CALL_LIMIT).await?;
    let beat = NodeHeartbeat { auth: auth.clone(), status: NodeStatus::Ready };
    let mut ttl = connection.call(&Header::default(), &beat, CALL_LIMIT).await?.heartbeat_ttl;
    let mut stream = connection.subscribe(&Header::default(), &NodeAllocations { auth: auth.clone() }).await?;
    let mut held = Held::default();
    let mut next_beat = Instant::now() + ttl / 2;
    loop {
        let due = held.next_due();
        tokio::select! {
            item = stream.next() => held.take(item.ok_or("the stream ended")??, runtime),
            () = sleep_until(due) => {}
            () = sleep_until(next_beat) => {
                ttl = connection.call(&Header::default(), &beat, CALL_LIMIT).await?.heartbeat_ttl;
                next_beat = Instant::now() + ttl / 2;
            }
        }
        let reports = held.reports(runtime);
        if !reports.is_empty() {
            connection.call(&Header::default(), &NodeReport { auth: auth.clone(), allocations: reports }, CALL_LIMIT).await?;
        }
    }
}

/// Two cores, room for a dozen of the story's instances, and one driver.
fn node(name: &str, auth: &NodeAuth) -> Node {
    let mut node = Node { id: auth.id, secret_id: auth.secret.clone(), name: name.to_owned(), ..Node::default() };
    node.attributes = BTreeMap::from([("kernel.name", "linux"), ("driver.mock_driver", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    node.resources.cpu.cpu_mhz = 4000;
    node.resources.memory.memory_mib = 4096;
    node.resources.disk.disk_mib = 100_000;
    (node.resources.min_dynamic_port, node.resources.max_dynamic_port) = (20_000, 32_000);
    node.resources.networks =
        List(vec![NetworkResource { mode: "host".to_owned(), ip: "127.0.0.1".to_owned(), ..NetworkResource::default() }]);
    let driver = DriverInfo { detected: true, healthy: true, ..DriverInfo::default() };
    node.drivers.insert("mock_driver".to_owned(), driver);
    node
}

/// What the node runs, and when each will have been healthy for long enough.
#[derive(Default)]
struct Held {
    running: BTreeMap<AllocId, Run>,
    news: BTreeSet<AllocId>,
}

struct Run {
    allocation: Allocation,
    healthy_at: Instant,
    told_healthy: bool,
    stopped: bool,
}

impl Held {
    fn take(&mut self, item: NodeAllocationsItem, runtime: &Runtime) {
        for id in item.removed {
            self.running.remove(&id);
        }
        for allocation in item.allocations.into_allocations() {
            let id = allocation.id;
            let stopped = allocation.is_terminal();
            match self.running.get_mut(&id) {
                Some(run) => {
                    if stopped && !run.stopped {
                        self.news.insert(id);
                    }
                    run.stopped |= stopped;
                    run.allocation = allocation;
                }
                None if stopped => {}
                None => {
                    let wait =
                        allocation.group().and_then(|group| group.update.as_ref()).map_or(Duration::ZERO, |update| update.min_healthy_time);
                    // Starting takes a moment, never the same one.
                    let healthy_at = Instant::now() + wait + runtime.random.jitter(Duration::from_millis(200));
                    self.running.insert(id, Run { allocation, healthy_at, told_healthy: false, stopped });
                    self.news.insert(id);
                }
            }
        }
    }

    fn next_due(&self) -> Instant {
        let waiting = self.running.values().filter(|run| !run.told_healthy && !run.stopped).map(|run| run.healthy_at);
        waiting.min().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn reports(&mut self, runtime: &Runtime) -> Vec<AllocationReport> {
        let now = Instant::now();
        let mut reports = Vec::new();
        for (id, run) in &mut self.running {
            let due = !run.told_healthy && !run.stopped && run.healthy_at <= now;
            if due || self.news.remove(id) {
                run.told_healthy |= due;
                reports.push(report(*id, run, runtime));
            }
        }
        reports
    }
}

fn report(id: AllocId, run: &Run, runtime: &Runtime) -> AllocationReport {
    let now = runtime.clock.now();
    let (client_status, description, phase) = match run.stopped {
        true => (ClientStatus::Complete, client_description::COMPLETE, TaskPhase::Dead),
        false => (ClientStatus::Running, client_description::RUNNING, TaskPhase::Running),
    };
    let state = TaskState { state: phase, started_at: now.into(), ..TaskState::default() };
    let tasks = run.allocation.group().map(|group| group.tasks.iter().map(|task| (task.name.as_str().into(), state.clone())).collect());
    let health = AllocDeploymentStatus { healthy: Some(true), timestamp: now.into(), ..AllocDeploymentStatus::default() };
    AllocationReport {
        id: Some(id),
        client_status,
        client_description: description.into(),
        task_states: tasks.unwrap_or_default(),
        deployment_status: (run.told_healthy && run.allocation.deployment_id.is_some()).then_some(health),
        network_status: None,
    }
}
