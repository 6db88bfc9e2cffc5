//! Reading from a real Consul.

use std::time::Duration;

use drover_integrations::{ConsulCluster as _, Query, catalogue::ServiceFilter, http::Call};
use drover_model::service::CheckStatus;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{ConsulProcess, access};

/// How late a change may be seen.
const PROMPT: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_read_and_waited_for() {
    let Some(consul) = ConsulProcess::started().await else { return };
    let store = consul.client().key_value(&access());
    let missing = store.get("shop/flags/beta", &Query::now()).await.unwrap();
    assert!(missing.data.is_none() && missing.index > 0, "a key that does not exist has an index to wait on: {missing:?}");

    // A waiting question is answered by the write it waits for.
    let (waiting, index) = (consul.client().key_value(&access()), missing.next_index(0));
    let answer = tokio::spawn(async move { (waiting.get("shop/flags/beta", &Query::after(index)).await.unwrap(), Instant::now()) });
    consul.put("/v1/kv/shop/flags/beta", &json!(true)).await;
    let written = Instant::now();
    let (answer, at) = answer.await.unwrap();
    assert_eq!(answer.data.unwrap().value, b"true");
    assert!(at.saturating_duration_since(written) < PROMPT);

    // Keys and values of any bytes, in order.
    consul.raw().send(Call::put("/v1/kv/shop/flags/a%20b%3F").query("flags", "7").json(&json!("ü"))).await.unwrap();
    let found = store.get("shop/flags/a b?", &Query::now()).await.unwrap().data.unwrap();
    assert_eq!((found.key.as_str(), found.flags, found.value.as_slice()), ("shop/flags/a b?", 7, "\"ü\"".as_bytes()));
    let listed = store.list("shop/flags/", &Query::now()).await.unwrap();
    assert_eq!(listed.data.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["shop/flags/a b?", "shop/flags/beta"]);
    assert!(store.list("nothing/", &Query::now()).await.unwrap().data.is_empty());

    // Nothing changes: the same answer after the wait, and no error.
    let query = Query { wait: Duration::from_millis(50), ..Query::after(listed.next_index(0)) };
    assert_eq!(store.list("shop/flags/", &query).await.unwrap().data, listed.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_tells_instances_with_their_health() {
    let Some(consul) = ConsulProcess::started().await else { return };
    let register = |id: &str, port: u16, tag: &str, status: &str| {
        json!({"ID": id, "Name": "shop", "Port": port, "Address": "10.1.2.3", "Tags": [tag, "all"], "Meta": {"version": "v1"},
               "Check": {"TTL": "10m", "Status": status}})
    };
    for (id, port, tag, status) in [("b", 2, "live", "passing"), ("a", 1, "live", "critical"), ("c", 3, "canary", "passing")] {
        consul.put("/v1/agent/service/register", &register(id, port, tag, status)).await;
    }
    let client = consul.client();
    let catalogue = client.catalogue(&access());
    let all = catalogue.service("shop", &ServiceFilter::default(), &Query::now()).await.unwrap();
    let shown: Vec<_> =
        all.data.iter().map(|found| (found.service.id.as_str(), found.address(), found.service.port, found.status())).collect();
    assert_eq!(
        shown,
        [
            ("a", "10.1.2.3", 1, CheckStatus::Critical),
            ("b", "10.1.2.3", 2, CheckStatus::Passing),
            ("c", "10.1.2.3", 3, CheckStatus::Passing)
        ]
    );
    assert_eq!(all.data[0].service.meta["version"], "v1");
    let passing = catalogue.service("shop", &ServiceFilter::passing(), &Query::now()).await.unwrap();
    assert_eq!(passing.data.iter().map(|found| found.service.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    let live = ServiceFilter { tag: Some("live".into()), ..ServiceFilter::passing() };
    assert_eq!(catalogue.service("shop", &live, &Query::now()).await.unwrap().data.len(), 1);
    assert_eq!(client.find("shop", "canary").await.unwrap(), ["10.1.2.3:3"]);

    // A change of health ends a wait.
    let (waiting, index) = (client.catalogue(&access()), passing.next_index(0));
    let changed = tokio::spawn(async move { waiting.service("shop", &ServiceFilter::passing(), &Query::after(index)).await.unwrap() });
    consul.put("/v1/agent/check/update/service:a", &json!({"Status": "passing"})).await;
    assert_eq!(changed.await.unwrap().data.len(), 3);

    let services = catalogue.services(&Query::now()).await.unwrap().data;
    let shop = services.iter().find(|service| service.name == "shop").unwrap();
    assert_eq!(shop.tags, ["all", "canary", "live"]);
    let nodes = catalogue.nodes(&Query::now()).await.unwrap().data;
    assert_eq!((nodes.len(), nodes[0].address.as_str(), nodes[0].datacenter.as_str()), (1, "127.0.0.1", "dc1"));
    let own = catalogue.node(None, &Query::now()).await.unwrap().data.unwrap();
    assert_eq!((own.node.id.clone(), own.services.len()), (nodes[0].id.clone(), 4));
    assert!(catalogue.node(Some("nobody"), &Query::now()).await.unwrap().data.is_none());
    assert_eq!(catalogue.datacenters().await.unwrap(), ["dc1"]);
    assert!(catalogue.mesh_roots(&Query::now()).await.unwrap().data[0].root_cert_pem.contains("BEGIN CERTIFICATE"));
    assert!(catalogue.mesh_leaf("shop", &Query::now()).await.unwrap().data.private_key_pem.expose().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consul_that_was_replaced_starts_again() {
    let Some(mut consul) = ConsulProcess::started().await else { return };
    for number in 0..20 {
        consul.put("/v1/kv/count", &json!(number)).await;
    }
    let store = consul.client().key_value(&access());
    let before = store.get("count", &Query::now()).await.unwrap();
    consul.stop();
    let error = store.get("count", &Query::after(before.index)).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    consul.start().await;
    // The new one counts from the start: asking after the old index would wait, at worst for ever.
    let query = Query { wait: Duration::from_secs(1), ..Query::after(before.index + 1_000) };
    let after = store.get("count", &query).await.unwrap();
    assert!(after.data.is_none());
    assert_eq!(after.next_index(query.index), 0);
}
