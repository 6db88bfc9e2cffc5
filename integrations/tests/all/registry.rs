//! Keeping services in a real Consul.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use drover_integrations::{
    ServiceRegistry,
    consul::Consul,
    registry::{Check, CheckKind, DEPLOYMENT_PACE, Health, Service, ServiceSet, check_id, service_id},
};
use drover_model::{
    ids::{AllocId, NodeId},
    service::CheckStatus,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{ConsulProcess, random, wait_for};

const ALLOCATION: [u8; 16] = [5; 16];

fn allocation() -> AllocId {
    AllocId::from_random(ALLOCATION)
}

fn node() -> NodeId {
    NodeId::from_random([9; 16])
}

fn registry(consul: &ConsulProcess) -> (Consul, Arc<dyn ServiceRegistry>) {
    use drover_integrations::ConsulCluster as _;
    let client = consul.client().registering(node(), random(), None);
    let registry = client.registry().unwrap();
    (client, registry)
}

/// An application whose health can be switched.
struct Application {
    port: u16,
    healthy: Arc<AtomicBool>,
    server: tokio::task::JoinHandle<()>,
}

impl Application {
    async fn start() -> Self {
        let healthy = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&healthy);
        let health = move || {
            let healthy = state.load(Ordering::SeqCst);
            async move { if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR } }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().route("/health", get(health));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, healthy, server }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn service(kind: CheckKind, port: u16, tags: &[&str]) -> Service {
    let id = service_id(allocation(), "group-web", "shop", "http");
    let check = Check {
        id: check_id(&id, "ready", 0),
        name: "ready".into(),
        kind,
        interval: Duration::from_millis(200),
        timeout: Duration::from_secs(1),
        initial_status: None,
        success_before_passing: 0,
        failures_before_warning: 0,
        failures_before_critical: 0,
        notes: String::new(),
        deregister_after: None,
    };
    Service {
        id,
        name: "shop".into(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        meta: [("version".to_owned(), "v1".to_owned())].into(),
        address: "127.0.0.1".into(),
        port,
        checks: vec![check],
        ..Service::default()
    }
}

fn http(port: u16) -> CheckKind {
    CheckKind::Http {
        url: format!("http://127.0.0.1:{port}/health"),
        method: "GET".into(),
        headers: [("X-Asked-By".to_owned(), vec!["consul".to_owned()])].into(),
        body: String::new(),
        tls_server_name: String::new(),
        tls_skip_verify: true,
    }
}

fn set(services: Vec<Service>) -> ServiceSet {
    ServiceSet { allocation: allocation(), namespace: "default".into(), job_id: "shop".into(), services }
}

async fn until(health: &mut watch::Receiver<Arc<Health>>, what: &str, holds: impl FnMut(&Arc<Health>) -> bool) -> Arc<Health> {
    let found = tokio::time::timeout(Duration::from_secs(20), health.wait_for(holds)).await;
    found.unwrap_or_else(|_| panic!("not in time: {what}")).unwrap().clone()
}

fn is(status: CheckStatus) -> impl FnMut(&Arc<Health>) -> bool {
    move |health| health.registered && health.checks.len() == 1 && health.checks.values().all(|check| check.status == status)
}

async fn passing(consul: &ConsulProcess) -> Vec<Value> {
    consul.get("/v1/health/service/shop?passing=1").await.as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_registered_watched_and_taken_out() {
    let Some(consul) = ConsulProcess::started().await else { return };
    let application = Application::start().await;
    let (_client, registry) = registry(&consul);
    let mut health = registry.health(allocation(), DEPLOYMENT_PACE);
    registry.set(set(vec![service(http(application.port), application.port, &["live"])]));
    until(&mut health, "a passing check", is(CheckStatus::Passing)).await;
    // The agent tells its servers a moment after it knows.
    let found = wait_for("the catalogue has it", || async { Some(passing(&consul).await).filter(|found| found.len() == 1) }).await;
    let entry = &found[0]["Service"];
    assert_eq!(
        (entry["Address"].as_str(), entry["Port"].as_u64(), &entry["Tags"]),
        (Some("127.0.0.1"), Some(application.port.into()), &json!(["live"]))
    );
    assert_eq!((entry["Meta"]["version"].as_str(), entry["Meta"]["external-source"].as_str()), (Some("v1"), Some("nomad")));

    application.healthy.store(false, Ordering::SeqCst);
    let health_now = until(&mut health, "a critical check", is(CheckStatus::Critical)).await;
    assert!(health_now.checks.values().next().unwrap().output.contains("500"), "{health_now:?}");
    application.healthy.store(true, Ordering::SeqCst);
    until(&mut health, "a passing check again", is(CheckStatus::Passing)).await;

    registry.remove(allocation()).await;
    assert!(consul.get("/v1/agent/services").await.as_object().unwrap().is_empty(), "gone when remove() has returned");
    wait_for("an empty catalogue", || async { consul.get("/v1/health/service/shop").await.as_array().unwrap().is_empty().then_some(()) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_tags_is_not_seen_as_an_outage() {
    let Some(consul) = ConsulProcess::started().await else { return };
    let application = Application::start().await;
    let (_client, registry) = registry(&consul);
    let mut health = registry.health(allocation(), DEPLOYMENT_PACE);
    let with_tags = |tags: &[&str]| set(vec![service(http(application.port), application.port, tags)]);
    registry.set(with_tags(&["canary"]));
    until(&mut health, "a passing check", is(CheckStatus::Passing)).await;
    wait_for("the catalogue has it", || async { (passing(&consul).await.len() == 1).then_some(()) }).await;

    let watcher = async {
        let mut looked = 0;
        loop {
            let found = passing(&consul).await;
            assert_eq!(found.len(), 1, "out of the catalogue after {looked} looks");
            looked += 1;
            if found[0]["Service"]["Tags"] == json!(["live", "9"]) {
                break looked;
            }
        }
    };
    let changer = async {
        for turn in 0..10 {
            registry.set(with_tags(&["live", &turn.to_string()]));
            let want = json!(["live", turn.to_string()]);
            wait_for("the tags", || async {
                let found = consul.get("/v1/agent/services").await;
                found.as_object()?.values().any(|service| service["Tags"] == want).then_some(())
            })
            .await;
        }
    };
    let (looked, ()) = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(watcher, changer) }).await.unwrap();
    assert!(looked > 10, "the watcher was there all the time");

    // The same again writes nothing: what Consul counts does not move.
    let index = |found: Vec<Value>| found[0]["Service"]["ModifyIndex"].as_u64();
    let before = index(passing(&consul).await);
    registry.set(with_tags(&["live", "9"]));
    registry.restored();
    registry.report("unknown", CheckStatus::Passing, "");
    until(&mut health, "still passing", is(CheckStatus::Passing)).await;
    assert_eq!(index(passing(&consul).await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_consul_loses_comes_back_and_what_is_left_over_goes() {
    let Some(mut consul) = ConsulProcess::prepare() else { return };
    // Consul is not there yet: the wish waits for it.
    let application = Application::start().await;
    let (_client, registry) = registry(&consul);
    let mut health = registry.health(allocation(), DEPLOYMENT_PACE);
    registry.set(set(vec![service(http(application.port), application.port, &["live"])]));
    consul.start().await;
    until(&mut health, "a passing check", is(CheckStatus::Passing)).await;

    // It restarts and has forgotten everything.
    consul.stop();
    consul.start().await;
    wait_for("the service is back", || async { (passing(&consul).await.len() == 1).then_some(()) }).await;

    // Left over from an earlier run of this node, from another node's, and from somebody else.
    let left = |id: &str, owner: &str| json!({"ID": id, "Name": "old", "Meta": {"external-source": "nomad", "drover-node": owner}});
    let ours = service_id(AllocId::from_random([6; 16]), "web", "old", "http");
    let theirs = service_id(AllocId::from_random([7; 16]), "web", "old", "http");
    consul.put("/v1/agent/service/register", &left(&ours, &node().to_string())).await;
    consul.put("/v1/agent/service/register", &left(&theirs, "another")).await;
    consul.put("/v1/agent/service/register", &json!({"ID": "web", "Name": "web"})).await;
    registry.restored();
    let ids = wait_for("ours is gone", || async {
        let found = consul.get("/v1/agent/services").await;
        let ids: Vec<String> = found.as_object()?.keys().cloned().collect();
        (!ids.contains(&ours)).then_some(ids)
    })
    .await;
    assert!(ids.contains(&theirs) && ids.contains(&"web".to_owned()), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_check_is_what_was_reported_last() {
    let Some(consul) = ConsulProcess::started().await else { return };
    let (_client, registry) = registry(&consul);
    let mut health = registry.health(allocation(), DEPLOYMENT_PACE);
    let service = service(CheckKind::Reported { ttl: Duration::from_secs(60) }, 80, &[]);
    let check = service.checks[0].id.clone();
    registry.set(set(vec![service]));
    until(&mut health, "critical at first", is(CheckStatus::Critical)).await;
    for (status, output) in [(CheckStatus::Passing, "fine"), (CheckStatus::Warning, "slow"), (CheckStatus::Passing, "fine again")] {
        registry.report(&check, status, output);
        let found = until(&mut health, "the report", is(status)).await;
        assert_eq!(found.checks[&check].output, output);
    }
}
