//! What newer Consuls know, from a server that answers as Consul's documentation says; and a Consul without any of it.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use drover_integrations::{
    Catalogue, ConsulCluster as _, Error, Query, Scope,
    catalogue::{ExportedService, ImportedService, Partition},
    consul::{Consul, ConsulConfig},
};

use crate::support::{ConsulProcess, access};

type Seen = Arc<Mutex<Vec<String>>>;

const PEERINGS: &str = r#"[
  {"ID": "p2", "Name": "west", "State": "PENDING", "Meta": null, "PeerServerAddresses": null, "StreamStatus": {"ImportedServices": null}},
  {"ID": "p1", "Name": "east", "Partition": "default", "State": "ACTIVE", "Meta": {"env": "live"}, "PeerID": "q1", "PeerServerName": "server.dc2.peering",
   "PeerServerAddresses": ["10.0.0.1:8502"], "CreateIndex": 5, "ModifyIndex": 9, "Remote": {"Partition": "default", "Datacenter": "dc2"},
   "StreamStatus": {"ImportedServices": ["db"], "ExportedServices": null, "LastHeartbeat": "2024-03-05T07:08:09Z"}}
]"#;
const EXPORTED: &str = r#"[
  {"Service": "web", "Consumers": {"Peers": ["west", "east"]}},
  {"Service": "db", "Partition": "default", "Namespace": "default", "Consumers": {"Partitions": ["b", "a"]}},
  {"Service": "api", "Consumers": {}}
]"#;
const IMPORTED: &str =
    r#"[{"Service": "db", "SourcePeer": "west"}, {"Service": "db", "Namespace": "default", "SourcePartition": "a", "SourcePeer": ""}]"#;
const PARTITIONS: &str = r#"[{"Name": "web", "Description": "", "CreateIndex": 7}, {"Name": "default", "Description": "Builtin"}]"#;

/// Only peerings come with an index; partitions that somebody with the index 3 asks for are none at all.
async fn answer(State(seen): State<Seen>, request: Request) -> Response {
    let asked = request.uri().path_and_query().unwrap().to_string();
    let path = request.uri().path().to_owned();
    seen.lock().unwrap().push(asked.clone());
    match path.as_str() {
        "/v1/peerings" => ([("x-consul-index", "9")], PEERINGS).into_response(),
        "/v1/exported-services" => EXPORTED.into_response(),
        "/v1/imported-services" => IMPORTED.into_response(),
        "/v1/partitions" if asked.contains("index=3") => "null".into_response(),
        _ => PARTITIONS.into_response(),
    }
}

async fn fake() -> (Consul, Seen) {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    // It ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (Consul::new(ConsulConfig { name: "default".into(), address, ..ConsulConfig::default() }).unwrap(), seen)
}

#[tokio::test]
async fn lists_are_sorted_and_asked_for_in_a_partition() {
    let (consul, seen) = fake().await;
    let catalogue = consul.catalogue(&access());

    let partitions = catalogue.partitions(&Query::now()).await.unwrap();
    let partition = |name: &str, description: &str| Partition { name: name.into(), description: description.into() };
    assert_eq!((partitions.index, partitions.data), (0, vec![partition("default", "Builtin"), partition("web", "")]));
    assert_eq!(catalogue.partitions(&Query::after(3)).await.unwrap().data, []);

    let peerings = catalogue.peerings(&Query::now()).await.unwrap();
    assert_eq!(peerings.index, 9);
    let names: Vec<_> = peerings.data.iter().map(|found| (found.name.as_str(), found.state.as_str())).collect();
    assert_eq!(names, [("west", "PENDING"), ("east", "ACTIVE")], "by partition, then by name");
    let east = &peerings.data[1];
    assert_eq!((east.remote.datacenter.as_str(), east.meta["env"].as_str(), east.modify_index), ("dc2", "live", 9));
    assert_eq!(
        (&east.peer_server_addresses[..], &east.stream_status.imported_services[..]),
        (&["10.0.0.1:8502".into()][..], &["db".into()][..])
    );

    let exported = catalogue.exported_services(&Query::now()).await.unwrap().data;
    let shown = |found: &ExportedService| format!("{} {:?} {:?}", found.service, found.consumers.peers, found.consumers.partitions);
    assert_eq!(exported.iter().map(shown).collect::<Vec<_>>(), ["api [] []", r#"web ["east", "west"] []"#, r#"db [] ["a", "b"]"#]);

    let east = Scope { partition: Some("east".into()), ..Scope::default() };
    let imported = catalogue.imported_services(&Query::now().scoped(east)).await.unwrap().data;
    let shown = |found: &ImportedService| format!("{}/{} {}{}", found.namespace, found.service, found.source_partition, found.source_peer);
    assert_eq!(imported.iter().map(shown).collect::<Vec<_>>(), ["/db west", "default/db a"]);
    assert_eq!(seen.lock().unwrap().last().unwrap(), "/v1/imported-services?partition=east");
}

/// Why each of the four cannot be had.
async fn refusals(catalogue: &dyn Catalogue) -> Vec<Error> {
    let query = Query::now();
    vec![
        catalogue.partitions(&query).await.unwrap_err(),
        catalogue.peerings(&query).await.unwrap_err(),
        catalogue.exported_services(&query).await.unwrap_err(),
        catalogue.imported_services(&query).await.unwrap_err(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consul_without_them_says_so() {
    let Some(consul) = ConsulProcess::started().await else { return };
    for error in refusals(&*consul.client().catalogue(&access())).await {
        assert!(matches!(error, Error::Unsupported { .. }) && !error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("a list of ") && text.contains(") is not available from Consul") && !text.contains('\n'), "{text}");
    }
}
