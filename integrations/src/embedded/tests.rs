use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use drover_model::{ids::NodeId, secret::SecretText, service::CheckStatus, time::UnixNanos};

use serde_json::Value;

use super::*;
use crate::catalogue::ServiceFilter;

/// Servers with fixed answers, which note what they are asked.
#[derive(Debug, Default)]
struct Servers {
    asked: Mutex<Vec<String>>,
    refuse: Option<rpc::Error>,
}

impl Servers {
    fn reply<T: Send + 'static>(&self, asked: String, data: T) -> Reply<'_, T> {
        self.asked.lock().unwrap().push(asked);
        let answer = self.refuse.clone().map_or(Ok(data), Err);
        Box::pin(std::future::ready(answer))
    }
}

fn read<T>(data: T) -> Read<T> {
    Read { meta: ReadMeta { index: 7, ..ReadMeta::default() }, data }
}

impl ServerCalls for Servers {
    fn kv_get(&self, request: KvGet) -> Reply<'_, Read<Option<Arc<KvEntry>>>> {
        self.reply(
            format!("{} after {}", request.key, request.options.min_index),
            read(Some(Arc::new(KvEntry { value: b"1".to_vec(), ..KvEntry::default() }))),
        )
    }

    fn kv_list(&self, request: KvList) -> Reply<'_, Read<Vec<Arc<KvEntry>>>> {
        self.reply(request.prefix, read(Vec::new()))
    }

    fn service_instances(&self, request: ServiceInstances) -> Reply<'_, Read<Vec<Arc<ServiceRegistration>>>> {
        let instance = |id: &str, tag: &str| {
            Arc::new(ServiceRegistration {
                id: id.to_owned(),
                service_name: "shop".into(),
                namespace: "default".into(),
                node_id: NodeId::from_random([1; 16]),
                datacenter: "dc1".into(),
                job_id: "shop".into(),
                alloc_id: drover_model::ids::AllocId::from_random([2; 16]),
                tags: vec![tag.to_owned()].into(),
                address: "10.0.0.1".into(),
                port: 80,
                meta: Default::default(),
                health: CheckStatus::Passing,
                provider: Default::default(),
                create_index: 1,
                modify_index: 1,
            })
        };
        self.reply(
            format!("{} {} healthy={}", request.options.namespace, request.name, request.healthy),
            read(vec![instance("b", "live"), instance("a", "canary"), instance("a2", "live")]),
        )
    }

    fn service_names(&self, request: ServiceNames) -> Reply<'_, Read<Vec<ServiceName>>> {
        let named = |tags: &[&str]| ServiceName {
            namespace: "default".into(),
            name: "shop".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        self.reply(request.options.namespace.to_string(), read(vec![named(&["b", "a"]), named(&["a"])]))
    }

    fn secret_get(&self, request: WorkloadSecretGet) -> Reply<'_, Read<Option<SecretVersion>>> {
        let data = [("password".to_owned(), SecretText::new("s3cret"))].into();
        let version = SecretVersion { path: request.path.clone(), version: 3, data, created: UnixNanos(1_795_212_493_000_000_000) };
        self.reply(format!("{} by {} after {}", request.path, request.auth.task, request.options.min_index), read(Some(version)))
    }

    fn secret_list(&self, request: WorkloadSecretList) -> Reply<'_, Read<Vec<String>>> {
        self.reply(format!("{} by {}", request.path, request.auth.task), read(vec!["config".to_owned(), "keys/".to_owned()]))
    }

    fn variable_get(&self, request: WorkloadVariableGet) -> Reply<'_, Read<Option<Variable>>> {
        self.reply(request.path, read(None))
    }

    fn variable_list(&self, request: WorkloadVariableList) -> Reply<'_, Read<Vec<VariableMetadata>>> {
        self.reply(request.options.prefix, read(Vec::new()))
    }

    fn certificate_issue(&self, request: CertificateIssue) -> Reply<'_, IssuedCertificate> {
        let issued = IssuedCertificate {
            certificate_pem: "C".into(),
            private_key_pem: SecretText::new("K"),
            ca_pem: "A".into(),
            ca_chain_pem: vec!["A".into()],
            serial: "01".into(),
            not_before: 100,
            not_after: 400,
        };
        self.reply(format!("{} {:?}", request.role, request.parameters), issued)
    }
}

fn embedded(servers: &Arc<Servers>) -> (Embedded, Access) {
    let node = NodeAuth { id: NodeId::from_random([1; 16]), secret: SecretText::new("node's") };
    let access = Access {
        alloc_id: drover_model::ids::AllocId::from_random([2; 16]),
        task: "app".into(),
        token: None,
        namespace: None,
        partition: None,
    };
    (Embedded::new("default", node, Arc::clone(servers) as Arc<dyn ServerCalls>), access)
}

#[tokio::test]
async fn secrets_answer_as_the_versioned_engine_does() {
    let servers = Arc::new(Servers::default());
    let (embedded, access) = embedded(&servers);
    let secrets = embedded.secrets(&access);
    let secret = secrets.read("/secret/data/default/shop/config", None).await.unwrap().unwrap();
    assert_eq!(
        Value::Object(secret.data.clone()),
        serde_json::json!({
            "data": {"password": "s3cret"},
            "metadata": {"version": 3, "created_time": "2026-11-20T22:08:13Z", "deletion_time": "", "destroyed": false}
        })
    );
    assert!(!format!("{secret:?}").contains("s3cret"));
    let query = Query::after(7);
    assert_eq!(secrets.watch("secret/default/shop/config", None, &query).unwrap().await.unwrap().index, 7);
    assert_eq!(
        *servers.asked.lock().unwrap(),
        ["secret/data/default/shop/config by app after 0", "secret/default/shop/config by app after 7"]
    );
}

#[tokio::test]
async fn certificates_answer_as_the_pki_engine_does() {
    let servers = Arc::new(Servers::default());
    let (embedded, access) = embedded(&servers);
    let secrets = embedded.secrets(&access);
    let parameters = BTreeMap::from([("common_name".to_owned(), "shop.service.consul".to_owned())]);
    let secret = secrets.write("pki/issue/web", &parameters).await.unwrap().unwrap();
    assert_eq!((secret.text("certificate"), secret.text("private_key"), secret.text("issuing_ca")), ("C", "K", "A"));
    assert_eq!((secret.lease.duration.as_secs(), secret.data["ca_chain"][0].as_str()), (300, Some("A")));
    assert_eq!(*servers.asked.lock().unwrap(), [r#"web {"common_name": "shop.service.consul"}"#]);
    for path in ["pki/sign/web", "secret/data/x", "pki/issue/"] {
        assert!(matches!(secrets.write(path, &parameters).await, Err(Error::Unsupported { .. })), "{path}");
    }
}

#[tokio::test]
async fn the_catalogue_is_filtered_and_sorted() {
    let servers = Arc::new(Servers::default());
    let (embedded, mut access) = embedded(&servers);
    access.namespace = Some("prod".into());
    let catalogue = embedded.catalogue(&access);
    let filter = ServiceFilter { tag: Some("live".into()), passing: true, mesh: false };
    let found = catalogue.service("shop", &filter, &Query::now()).await.unwrap();
    assert_eq!(found.data.iter().map(|found| found.service.id.as_str()).collect::<Vec<_>>(), ["a2", "b"]);
    assert_eq!((found.index, found.data[0].status(), found.data[0].address()), (7, CheckStatus::Passing, "10.0.0.1"));
    let names = catalogue.services(&Query::now()).await.unwrap().data;
    assert_eq!(names, [crate::catalogue::ServiceName { name: "shop".into(), tags: vec!["a".into(), "b".into()] }]);
    assert_eq!(*servers.asked.lock().unwrap(), ["prod shop healthy=true", "prod"]);
}

#[tokio::test]
async fn refusals_keep_their_kind() {
    for (refusal, transient, forbidden) in
        [(rpc::Error::no_leader(), true, false), (rpc::Error::unavailable("x"), true, false), (rpc::Error::forbidden(), false, true)]
    {
        let servers = Arc::new(Servers { refuse: Some(refusal), ..Servers::default() });
        let (embedded, access) = embedded(&servers);
        let error = embedded.key_value(&access).get("a", &Query::now()).await.unwrap_err();
        assert_eq!((error.is_transient(), error.is_forbidden()), (transient, forbidden), "{error}");
    }
}

#[tokio::test]
async fn keys_are_asked_for_with_the_index_to_wait_on() {
    let servers = Arc::new(Servers::default());
    let (embedded, access) = embedded(&servers);
    let found = embedded.key_value(&access).get("/shop/flags/beta", &Query::after(5)).await.unwrap();
    assert_eq!((found.index, found.data.unwrap().value), (7, b"1".to_vec()));
    assert_eq!(*servers.asked.lock().unwrap(), ["shop/flags/beta after 5"]);
}
