//! Services that log in at a Consul, as a stand-in for one sees it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post, put},
};
use drover_integrations::{
    ConsulCluster as _, Result,
    consul::{Consul, ConsulConfig, ServiceLogins},
    registry::{Service, ServiceIdentity, ServiceSet, ServiceSigner, service_id},
};
use drover_model::{
    ids::{AllocId, NodeId},
    secret::SecretText,
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::{Value, json};

use crate::support::{random, wait_for};

/// Lets everybody log in, and nobody register unless it is `kind`.
#[derive(Clone, Debug, Default)]
struct Strict {
    kind: bool,
    handed_out: Arc<Mutex<Vec<String>>>,
    given_back: Arc<Mutex<Vec<String>>>,
    tried: Arc<Mutex<Vec<String>>>,
}

fn token(headers: &HeaderMap) -> String {
    headers.get("x-consul-token").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

impl Strict {
    async fn serve(self) -> (String, tokio::task::JoinHandle<()>) {
        let login = |State(peer): State<Self>| async move {
            let mut all = peer.handed_out.lock().unwrap();
            let secret = format!("token-{}", all.len());
            all.push(secret.clone());
            Json(json!({ "SecretID": secret, "AccessorID": "a" }))
        };
        let logout = |State(peer): State<Self>, headers: HeaderMap| async move { peer.given_back.lock().unwrap().push(token(&headers)) };
        let register = |State(peer): State<Self>, headers: HeaderMap| async move {
            peer.tried.lock().unwrap().push(token(&headers));
            if peer.kind { (StatusCode::OK, "") } else { (StatusCode::FORBIDDEN, "Permission denied") }
        };
        let nothing = || async { Json(Value::Object(serde_json::Map::new())) };
        let app = Router::new()
            .route("/v1/acl/login", post(login))
            .route("/v1/acl/logout", post(logout))
            .route("/v1/agent/service/register", put(register))
            .route("/v1/agent/services", get(nothing))
            .route("/v1/agent/checks", get(nothing))
            .with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (address, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
    }
}

#[derive(Debug)]
struct Signer;

impl ServiceSigner for Signer {
    fn sign<'a>(&'a self, _: AllocId, _: &'a ServiceIdentity) -> BoxFuture<'a, Result<SecretText>> {
        std::future::ready(Ok(SecretText::new("jwt"))).boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_may_not_register_leaves_no_tokens_behind() {
    let peer = Strict::default();
    let (address, server) = peer.clone().serve().await;
    let consul = Consul::new(ConsulConfig { name: "default".into(), address, ..ConsulConfig::default() }).unwrap();
    let logins =
        ServiceLogins { signer: Arc::new(Signer), default: Some((vec!["consul.io".into()], Duration::from_secs(3600))), kept: None };
    let registering = consul.registering(NodeId::from_random([9; 16]), random(), Some(logins));
    let registry = registering.registry().unwrap();
    let allocation = AllocId::from_random([5; 16]);
    let service = Service { id: service_id(allocation, "group-web", "shop", ""), name: "shop".into(), ..Service::default() };
    registry.set(ServiceSet { allocation, namespace: "default".into(), job_id: "shop".into(), services: vec![service] });
    wait_for("three attempts", || async { (peer.tried.lock().unwrap().len() >= 3).then_some(()) }).await;
    let (handed_out, given_back) = (peer.handed_out.lock().unwrap().clone(), peer.given_back.lock().unwrap().clone());
    assert!(
        peer.tried.lock().unwrap().iter().all(|token| token.starts_with("token-")),
        "each attempt is made with the service's own token"
    );
    // The newest may be in use.
    assert!(handed_out.len() <= given_back.len() + 1, "{handed_out:?} were handed out, {given_back:?} came back");
    server.abort();
}

/// An agent is killed, and so is what it knew: the next one finds the tokens of its services in a file.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_outlive_the_agent_and_are_given_back_once_their_service_is_gone() {
    let peer = Strict { kind: true, ..Strict::default() };
    let (address, server) = peer.clone().serve().await;
    let folder = tempfile::tempdir().unwrap();
    let kept: (Arc<dyn drover_runtime::Disk>, _) = (Arc::new(drover_runtime::RealDisk), folder.path().join("consul-default.tokens"));
    let start = || {
        let consul = Consul::new(ConsulConfig { name: "default".into(), address: address.clone(), ..ConsulConfig::default() }).unwrap();
        let default = Some((vec!["consul.io".into()], Duration::from_secs(3600)));
        let logins = ServiceLogins { signer: Arc::new(Signer), default, kept: Some(kept.clone()) };
        consul.registering(NodeId::from_random([9; 16]), random(), Some(logins))
    };
    let allocation = AllocId::from_random([5; 16]);
    let declare = |registry: &dyn drover_integrations::ServiceRegistry| {
        let service = Service { id: service_id(allocation, "group-web", "shop", ""), name: "shop".into(), ..Service::default() };
        registry.set(ServiceSet { allocation, namespace: "default".into(), job_id: "shop".into(), services: vec![service] });
    };
    let tried = || peer.tried.lock().unwrap().len();
    for _ in 0..2 {
        let before = tried();
        let agent = start();
        declare(&*agent.registry().unwrap());
        wait_for("a registration", || async { (tried() > before).then_some(()) }).await;
    }
    assert_eq!(*peer.handed_out.lock().unwrap(), ["token-0"], "the second agent goes on with the first one's token");
    assert!(peer.tried.lock().unwrap().iter().all(|token| token == "token-0"));

    // The allocation is gone when the next agent comes.
    let agent = start();
    assert!(peer.given_back.lock().unwrap().is_empty(), "nothing is given back before all has been declared");
    agent.registry().unwrap().restored();
    wait_for("the token's return", || async { (!peer.given_back.lock().unwrap().is_empty()).then_some(()) }).await;
    drop(agent);
    let agent = start();
    agent.registry().unwrap().restored();
    declare(&*agent.registry().unwrap());
    wait_for("another token", || async { (peer.handed_out.lock().unwrap().len() > 1).then_some(()) }).await;
    assert_eq!(*peer.given_back.lock().unwrap(), ["token-0"], "what was given back is forgotten");
    server.abort();
}
