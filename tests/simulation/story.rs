//! What the operator does and sees: a first version, a canary that waits and is promoted, and a node that goes away.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_jobspec::{ParseOptions, parse};
use drover_model::{
    allocation::{ClientStatus, DesiredStatus},
    deployment::{Deployment, DeploymentStatus},
    rpc::{
        Method, ReadOptions,
        deployment::DeploymentPromote,
        job::{JobAllocations, JobLatestDeployment, JobRegister},
        nodes::NodeList,
    },
    view::AllocationStub,
};
use drover_runtime::{
    rpc::{Connection, Header, Hello, Role, Router},
    sim,
};
use tokio::time::{Instant, sleep};

use crate::Trace;

const COUNT: usize = 6;
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) async fn play(trace: Trace) -> turmoil::Result {
    let operator = Operator::dial(trace).await?;
    operator.until("two nodes", async || Some(operator.ready_nodes().await? == 2)).await;

    operator.register(1, 0, "").await?;
    operator.until("v1 deployed", async || Some(operator.deployment().await?.status == DeploymentStatus::Successful)).await;
    operator.settled(&[(0, COUNT)]).await;
    let nodes: BTreeMap<_, usize> = operator.running().await.unwrap().iter().fold(BTreeMap::new(), |mut nodes, allocation| {
        *nodes.entry(allocation.node_id).or_default() += 1;
        nodes
    });
    assert_eq!(nodes.values().sum::<usize>(), COUNT);

    operator.register(2, 1, "").await?;
    operator.until("a healthy canary", async || Some(operator.deployment().await?.task_groups["g"].healthy_allocs == 1)).await;
    operator.settled(&[(0, COUNT), (1, 1)]).await;
    // Nothing moves before the promotion, however long it takes.
    sleep(Duration::from_secs(20)).await;
    operator.settled(&[(0, COUNT), (1, 1)]).await;
    let id = operator.deployment().await.unwrap().id;
    operator.call(&DeploymentPromote { id, groups: None }).await.ok_or("the promotion was refused")?;
    operator.until("v2 deployed", async || Some(operator.deployment().await?.status == DeploymentStatus::Successful)).await;
    operator.settled(&[(1, COUNT)]).await;

    turmoil::partition("server", "n1");
    operator.until("one node left", async || Some(operator.ready_nodes().await? == 1)).await;
    operator.settled(&[(1, COUNT)]).await;
    let running = operator.running().await.unwrap();
    assert!(running.iter().all(|allocation| &*allocation.node_name == "n2-0"), "everything runs where it can be reached");
    turmoil::repair("server", "n1");
    operator.until("two nodes again", async || Some(operator.ready_nodes().await? == 2)).await;
    operator.settled(&[(1, COUNT)]).await;
    lose_sight(&operator).await
}

/// A node is out of sight for a while, which its job tolerates: its instances are replaced, and go on in their places once it is back.
async fn lose_sight(operator: &Operator) -> turmoil::Result {
    operator.register(3, 0, "disconnect {\n lost_after = \"10m\"\n reconcile = \"keep_original\"\n }").await?;
    operator.until("v3 deployed", async || Some(operator.deployment().await?.status == DeploymentStatus::Successful)).await;
    operator.settled(&[(2, COUNT)]).await;
    let before = operator.running().await.unwrap();
    let away = before[0].node_name.clone();
    let originals: Vec<_> = before.iter().filter(|one| one.node_name == away).map(|one| one.id).collect();
    let host = if &*away == "n1-0" { "n1" } else { "n2" };
    turmoil::partition("server", host);
    operator.until("one node in sight", async || Some(operator.ready_nodes().await? == 1)).await;
    operator.settled(&[(2, COUNT)]).await;
    assert!(operator.running().await.unwrap().iter().all(|one| one.node_name != away), "what is out of sight does not count");
    turmoil::repair("server", host);
    operator.until("two nodes in sight", async || Some(operator.ready_nodes().await? == 2)).await;
    let is_back = |running: &[AllocationStub]| originals.iter().all(|id| running.iter().any(|one| one.id == *id));
    operator.until("the originals count again", async || Some(is_back(&operator.running().await?))).await;
    operator.settled(&[(2, COUNT)]).await;
    assert!(is_back(&operator.running().await.unwrap()), "the originals are kept");
    Ok(())
}

struct Operator {
    connection: Connection,
    begun: Instant,
    trace: Trace,
}

impl Operator {
    async fn dial(trace: Trace) -> Result<Self, Box<dyn std::error::Error>> {
        let begun = Instant::now();
        loop {
            let hello = Hello::new(Role::Agent, "global", "operator");
            match Connection::open(&sim::TurmoilNetwork, "server:4647", hello, Arc::new(Router::new())).await {
                Ok(connection) => return Ok(Self { connection, begun, trace }),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn call<M: Method>(&self, message: &M) -> Option<M::Reply> {
        self.connection.call(&Header::default(), message, PATIENCE).await.ok()
    }

    async fn until(&self, what: &str, reached: impl AsyncFn() -> Option<bool>) {
        let end = Instant::now() + PATIENCE;
        while reached().await != Some(true) {
            assert!(Instant::now() < end, "it never came true: {what}");
            sleep(LOOK_AGAIN).await;
        }
        self.note(what);
    }

    /// Exactly so many allocations of each version run, and no name twice within a version.
    async fn settled(&self, expected: &[(u64, usize)]) {
        let what = format!("running by version: {expected:?}");
        self.until(&what, async || {
            let running = self.running().await?;
            let count = |version: u64| running.iter().filter(|allocation| allocation.job_version == version).count();
            let names: std::collections::BTreeSet<_> =
                running.iter().map(|allocation| (allocation.job_version, allocation.name.clone())).collect();
            Some(expected.iter().all(|(version, wanted)| count(*version) == *wanted) && names.len() == running.len())
        })
        .await;
        let total: usize = expected.iter().map(|(_, count)| count).sum();
        let running = self.running().await.unwrap();
        assert_eq!(running.len(), total, "{running:?}");
        let mut lines: Vec<String> =
            running.iter().map(|a| format!("  {} {} on {} ({})", a.job_version, a.name, a.node_name, a.id)).collect();
        lines.sort();
        self.trace.lock().unwrap().extend(lines);
    }

    fn note(&self, what: &str) {
        let line = format!("{:>7.1} s: {what}", self.begun.elapsed().as_secs_f64());
        self.trace.lock().unwrap().push(line);
    }

    /// `group` is more of the group's text.
    async fn register(&self, version: u32, canary: u32, group: &str) -> Result<(), Box<dyn std::error::Error>> {
        let source = format!(
            r#"job "web" {{
                 update {{
                   max_parallel     = 2
                   canary           = {canary}
                   health_check     = "task_states"
                   min_healthy_time = "2s"
                 }}
                 group "g" {{
                   count = {COUNT}
                   {group}
                   network {{
                     port "http" {{}}
                   }}
                   task "t" {{
                     driver = "mock_driver"
                     env {{
                       VERSION = "{version}"
                     }}
                   }}
                 }}
               }}"#
        );
        let (job, _) = parse(&source, &ParseOptions::default()).map_err(|problems| drover_jobspec::to_api_text(&problems))?;
        let message = JobRegister {
            job: Box::new(job),
            submission: None,
            enforce: None,
            preserve_counts: false,
            preserve_resources: false,
            eval_priority: None,
        };
        self.connection.call(&Header::default(), &message, PATIENCE).await?;
        self.note(&format!("version {version} registered"));
        Ok(())
    }

    async fn ready_nodes(&self) -> Option<usize> {
        let nodes = self.call(&NodeList { options: ReadOptions::default(), resources: false, os: false, pool: None }).await?;
        Some(nodes.data.iter().filter(|node| node.status.as_str() == "ready").count())
    }

    async fn deployment(&self) -> Option<Deployment> {
        let read = self.call(&JobLatestDeployment { options: ReadOptions::default(), id: "web".into() }).await?;
        read.data.map(|deployment| Deployment::clone(&deployment))
    }

    async fn running(&self) -> Option<Vec<AllocationStub>> {
        let read = self.call(&JobAllocations { options: ReadOptions::default(), id: "web".into(), all: false }).await?;
        let runs = |a: &AllocationStub| a.desired_status == DesiredStatus::Run && a.client_status == ClientStatus::Running;
        Some(read.data.into_iter().filter(runs).collect())
    }
}
