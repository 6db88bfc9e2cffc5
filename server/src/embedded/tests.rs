//! The stores over a state that applies commands at once, without consensus.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::{AllocId, NodeId},
    job::{Job, Task, TaskGroup},
    namespace::Namespace,
    node::Node,
    rpc::{
        Error, ReadOptions,
        embedded::{CaRotate, CaShow, Jwks, KvDelete, KvPut, OidcConfiguration, SecretDelete, SecretGet, SecretList, SecretPut},
        node::{
            CertificateIssue, IdentityRequest, KvGet, KvList, NodeAuth, SignIdentities, WorkloadAuth, WorkloadSecretGet, WorkloadSecretList,
        },
    },
    secret::SecretText,
    time::UnixNanos,
};
use drover_model::{
    rpc::variable::{
        VariableDelete, VariableGet, VariableList, VariableLockChange, VariableOutcome, VariablePut, WorkloadVariableGet,
        WorkloadVariableList,
    },
    variable::LockTerms,
};
use drover_runtime::{OsRandom, RealClock};
use futures::future::BoxFuture;

use super::{Stores, StoresConfig};
use crate::{
    fsm::{
        self,
        command::{Applied, COMMAND_VERSION, Command, Proposed},
    },
    identity::{Algorithm, Keyring, KeyringConfig, sign},
    propose::Propose,
    state::{State, StateStore},
};

#[derive(Debug)]
struct Alone {
    store: Arc<StateStore>,
}

impl Propose for Alone {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, Error>> {
        Box::pin(async move {
            let proposed = Proposed { version: COMMAND_VERSION, at: UnixNanos(1), command };
            let (applied, _) = self.store.change(false, |state| fsm::apply(state, state.index() + 1, proposed));
            Ok(applied)
        })
    }
}

struct Cluster {
    stores: Stores,
    keyring: Keyring,
    store: Arc<StateStore>,
    propose: Arc<Alone>,
}

const ALLOC: [u8; 16] = [2; 16];

fn node_auth() -> NodeAuth {
    NodeAuth { id: NodeId::from_random([1; 16]), secret: SecretText::new("node's secret") }
}

fn workload() -> WorkloadAuth {
    WorkloadAuth { node: node_auth(), alloc_id: AllocId::from_random(ALLOC), task: "app".into() }
}

/// A cluster with one node that runs one allocation of job `shop`.
async fn cluster() -> Cluster {
    let task = Task { name: "app".into(), ..Task::default() };
    let group = TaskGroup { name: "web".into(), tasks: vec![task].into(), ..TaskGroup::default() };
    let job = Job { id: "shop".into(), namespace: "default".into(), task_groups: vec![group].into(), ..(*Job::placeholder()).clone() };
    let node = Node { id: node_auth().id, secret_id: node_auth().secret, ..Node::default() };
    let allocation = Allocation {
        id: AllocId::from_random(ALLOC),
        namespace: "default".into(),
        job_id: "shop".into(),
        node_id: node.id,
        task_group: "web".into(),
        client_status: ClientStatus::Running,
        job: Arc::new(job),
        ..Allocation::default()
    };
    let mut state = State::default();
    state.begin(1);
    state.put_node(node);
    state.put_allocation(allocation);
    let store = Arc::new(StateStore::new(state));
    let propose = Arc::new(Alone { store: Arc::clone(&store) });
    let parts = || (Arc::clone(&store), Arc::clone(&propose) as Arc<dyn Propose>, Arc::new(RealClock), Arc::new(OsRandom));
    let (state, proposer, clock, random) = parts();
    let config = KeyringConfig { region: "global".into(), issuer: None, algorithm: Algorithm::EdDsa };
    let keyring = Keyring::new(state, proposer, clock, random, config);
    keyring.ensure().await;
    let (state, proposer, clock, random) = parts();
    Cluster { stores: Stores::new(state, proposer, clock, random, StoresConfig::default()), keyring, store, propose }
}

fn put(key: &str, value: &str, check: Option<u64>) -> KvPut {
    KvPut { key: key.into(), value: value.into(), flags: 0, check }
}

fn options(min_index: u64) -> ReadOptions {
    ReadOptions { min_index, max_wait: Some(Duration::from_secs(20)), ..ReadOptions::default() }
}

#[tokio::test]
async fn keys_are_put_listed_checked_and_deleted() {
    let stores = cluster().await.stores;
    assert!(stores.kv_put(put("shop/a", "1", Some(0))).await.unwrap().done);
    assert!(!stores.kv_put(put("shop/a", "2", Some(0))).await.unwrap().done, "it exists by now");
    stores.kv_put(put("shop/b", "2", None)).await.unwrap();
    stores.kv_put(put("other", "3", None)).await.unwrap();
    let list = || async { stores.kv_list(KvList { options: options(0), prefix: "shop/".into() }).await.unwrap() };
    assert_eq!(
        list().await.data.iter().map(|entry| (entry.key.as_str(), entry.value.as_slice())).collect::<Vec<_>>(),
        [("shop/a", b"1" as &[u8]), ("shop/b", b"2")]
    );
    let found = stores.kv_get(KvGet { options: options(0), key: "shop/a".into() }).await.unwrap();
    assert_eq!(found.meta.index, found.data.as_ref().unwrap().modify_index, "a key's index is its own");
    let delete = |key: &str, recurse, check| KvDelete { key: key.into(), recurse, check };
    assert!(!stores.kv_delete(delete("shop/a", false, Some(1))).await.unwrap().done);
    stores.kv_delete(delete("shop/", true, None)).await.unwrap();
    assert!(list().await.data.is_empty());
    for bad in [put("", "x", None), put("/a", "x", None), put(&"k".repeat(600), "x", None), put("big", &"x".repeat(600 << 10), None)] {
        assert!(matches!(stores.kv_put(bad).await.unwrap_err().status, 400 | 413));
    }
}

#[tokio::test]
async fn a_read_waits_for_its_own_key_alone() {
    let Cluster { stores, .. } = cluster().await;
    stores.kv_put(put("flag", "old", None)).await.unwrap();
    let first = stores.kv_get(KvGet { options: options(0), key: "flag".into() }).await.unwrap();
    let waiting = tokio::spawn({
        let (stores, index) = (stores.clone(), first.meta.index);
        async move { stores.kv_get(KvGet { options: options(index), key: "flag".into() }).await.unwrap() }
    });
    stores.kv_put(put("another", "x", None)).await.unwrap();
    stores.kv_put(put("flag", "new", None)).await.unwrap();
    assert_eq!(waiting.await.unwrap().data.unwrap().value, b"new", "the change of another key is no answer");
    // A key that does not exist yet can be waited for, too.
    let missing = stores.kv_get(KvGet { options: options(0), key: "later".into() }).await.unwrap();
    assert!(missing.data.is_none());
    let waiting = tokio::spawn({
        let (stores, index) = (stores.clone(), missing.meta.index);
        async move { stores.kv_get(KvGet { options: options(index), key: "later".into() }).await.unwrap() }
    });
    stores.kv_put(put("later", "here", None)).await.unwrap();
    assert_eq!(waiting.await.unwrap().data.unwrap().value, b"here");
}

fn secret(path: &str, value: &str, check: Option<u64>) -> SecretPut {
    SecretPut { path: path.into(), data: BTreeMap::from([("password".to_owned(), SecretText::new(value))]), check }
}

#[tokio::test]
async fn secrets_have_versions_and_are_encrypted() {
    let Cluster { stores, store, .. } = cluster().await;
    assert_eq!(stores.secret_put(secret("secret/default/shop/config", "first-one", Some(0))).await.unwrap().version, 1);
    let written = stores.secret_put(secret("secret/data/default/shop/config", "second-one", Some(1))).await.unwrap();
    assert_eq!((written.version, written.done), (2, true));
    assert!(!stores.secret_put(secret("secret/default/shop/config", "third-one", Some(1))).await.unwrap().done);
    let get = |version| SecretGet { options: options(0), path: "secret/default/shop/config".into(), version };
    for (version, text) in [(0, "second-one"), (2, "second-one"), (1, "first-one")] {
        let found = stores.secret_get(get(version)).await.unwrap().data.unwrap();
        assert_eq!(found.data["password"].expose(), text);
    }
    assert!(stores.secret_get(get(9)).await.unwrap().data.is_none());
    let row = format!(
        "{:?}{}",
        store.snapshot().secret("secret/default/shop/config"),
        serde_json::to_string(store.snapshot().secret("secret/default/shop/config").unwrap()).unwrap()
    );
    assert!(!row.contains("second-one"));
    let sealed = &store.snapshot().secret("secret/default/shop/config").unwrap().versions[&2].sealed.clone();
    assert!(!sealed.windows(6).any(|part| part == b"second"));
    let names = stores.secret_list(SecretList { options: options(0), prefix: "secret/data/default/".into() }).await.unwrap().data;
    assert_eq!(
        names.iter().map(|name| (name.path.as_str(), name.version, name.versions)).collect::<Vec<_>>(),
        [("secret/default/shop/config", 2, 2)]
    );
    stores.secret_delete(SecretDelete { path: "secret/default/shop/config".into() }).await.unwrap();
    assert!(stores.secret_get(get(0)).await.unwrap().data.is_none());
    assert_eq!(stores.secret_delete(SecretDelete { path: "secret/default/shop/config".into() }).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn a_task_reads_the_secrets_of_its_job_alone() {
    let stores = cluster().await.stores;
    for path in ["secret/default/shop/config", "secret/default/db/config"] {
        stores.secret_put(secret(path, "s3cret", None)).await.unwrap();
    }
    let read = |auth: WorkloadAuth, path: &str| WorkloadSecretGet { auth, options: options(0), path: path.into(), version: 0 };
    let found = stores.workload_secret_get(read(workload(), "secret/data/default/shop/config")).await.unwrap().data.unwrap();
    assert_eq!(found.data["password"].expose(), "s3cret");
    stores.secret_put(secret("secret/default/shop/keys/a", "s3cret", None)).await.unwrap();
    let list = |path: &str| WorkloadSecretList { auth: workload(), options: options(0), path: path.into() };
    assert_eq!(stores.workload_secret_list(list("secret/metadata/default/shop")).await.unwrap().data, ["config", "keys/"]);
    assert_eq!(stores.workload_secret_list(list("secret/default/db/")).await.unwrap_err().status, 403);
    let stranger = NodeAuth { id: NodeId::from_random([9; 16]), ..node_auth() };
    let guess = NodeAuth { secret: SecretText::new("a guess"), ..node_auth() };
    for (auth, path) in [
        (workload(), "secret/data/default/db/config"),
        (WorkloadAuth { node: stranger, ..workload() }, "secret/data/default/shop/config"),
        (WorkloadAuth { node: guess, ..workload() }, "secret/data/default/shop/config"),
        (WorkloadAuth { task: "other".into(), ..workload() }, "secret/data/default/shop/config"),
        (WorkloadAuth { alloc_id: AllocId::from_random([8; 16]), ..workload() }, "secret/data/default/shop/config"),
    ] {
        let error = stores.workload_secret_get(read(auth, path)).await.unwrap_err();
        assert!(error.status == 403 && !error.message.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn one_authority_is_made_even_when_many_ask_at_once() {
    let Cluster { stores, store, .. } = cluster().await;
    let issue = || CertificateIssue {
        auth: workload(),
        role: "web".into(),
        parameters: BTreeMap::from([
            ("common_name".to_owned(), "shop.service.consul".to_owned()),
            ("ip_sans".to_owned(), "127.0.0.1".to_owned()),
        ]),
    };
    let issued = futures::future::join_all((0..4).map(|_| stores.certificate_issue(issue()))).await;
    let shown = stores.ca_show(CaShow {}).await.unwrap();
    for certificate in issued {
        assert_eq!(certificate.unwrap().ca_pem, shown.certificate_pem);
    }
    assert!(!serde_json::to_string(store.snapshot().ca().unwrap()).unwrap().contains("PRIVATE KEY"));
    let rotated = stores.ca_rotate(CaRotate {}).await.unwrap();
    assert_ne!(rotated.certificate_pem, shown.certificate_pem);
    assert_eq!(rotated.previous_pem, std::slice::from_ref(&shown.certificate_pem));
    let after = stores.certificate_issue(issue()).await.unwrap();
    assert_eq!((after.ca_pem, after.ca_chain_pem.last()), (rotated.certificate_pem, Some(&shown.certificate_pem)));
    let forbidden = CertificateIssue { auth: WorkloadAuth { task: "other".into(), ..workload() }, ..issue() };
    assert_eq!(stores.certificate_issue(forbidden).await.unwrap_err().status, 403);
}

#[tokio::test]
async fn identities_are_signed_for_allocations_of_the_calling_node() {
    let Cluster { keyring, store, propose, .. } = cluster().await;
    let request = |alloc, task: &str| IdentityRequest {
        service: String::new(),
        alloc_id: AllocId::from_random(alloc),
        task: task.into(),
        identity: "vault_default".into(),
        audience: vec!["vault.io".into()],
        ttl: Duration::from_secs(3600),
    };
    let requests = vec![request(ALLOC, "app"), request([7; 16], "app"), request(ALLOC, "nobody")];
    let signed = keyring.sign(SignIdentities { auth: node_auth(), requests }).await.unwrap().identities;
    let jwt = &signed[0].as_ref().unwrap().jwt;
    assert!(signed[1].as_ref().unwrap_err().contains("does not run on this node") && signed[2].as_ref().unwrap_err().contains("no task"));
    let now = signed[0].as_ref().unwrap().expires - 1;
    assert_eq!(sign::verify(store.snapshot().keys(), jwt, now).unwrap().sub, "global:default:shop:web:app:vault_default");
    assert_eq!(keyring.bearer(jwt).unwrap().nomad_job_id, "shop");
    let wrong = NodeAuth { secret: SecretText::new("a guess"), ..node_auth() };
    assert_eq!(keyring.sign(SignIdentities { auth: wrong, requests: Vec::new() }).await.unwrap_err().status, 403);
    assert_eq!(keyring.jwks(Jwks { options: options(0) }).await.unwrap().data.keys.len(), 1);
    assert!(keyring.openid_configuration(OidcConfiguration {}).await.unwrap().is_none());
    // Who has ended is nobody any more.
    let mut state = State::clone(&store.snapshot());
    state.begin(state.index() + 1);
    let mut ended = Allocation::clone(state.allocation(AllocId::from_random(ALLOC)).unwrap());
    ended.client_status = ClientStatus::Complete;
    state.put_allocation(ended);
    propose.store.replace(state);
    assert_eq!(keyring.bearer(jwt).unwrap_err().status, 403);
}

fn variable(path: &str, value: &str) -> VariablePut {
    let items = Some([("password".to_owned(), SecretText::new(value))].into());
    VariablePut { namespace: "default".into(), path: path.into(), items, check: None, holder: String::new(), acquire: None }
}

fn variable_get(path: &str) -> VariableGet {
    VariableGet { options: ReadOptions::default(), path: path.into() }
}

#[tokio::test]
async fn variables_are_encrypted_checked_and_listed() {
    let cluster = cluster().await;
    let stores = &cluster.stores;
    let first = stores.variable_put(variable("nomad/jobs/shop", "hunter2")).await.unwrap();
    let read = stores.variable_get(variable_get("nomad/jobs/shop")).await.unwrap();
    assert_eq!(read.data.as_ref().unwrap().items["password"].expose(), "hunter2");
    assert_eq!(read.meta.index, first.index);

    let mut bytes = Vec::new();
    crate::state::snapshot::encode(&cluster.store.snapshot(), &mut bytes).unwrap();
    assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "the state holds the value as it is");
    let again = crate::state::snapshot::decode(&mut bytes.as_slice()).unwrap();
    assert_eq!(
        again.variable(&"default".into(), "nomad/jobs/shop"),
        cluster.store.snapshot().variable(&"default".into(), "nomad/jobs/shop")
    );

    let checked = |check| VariablePut { check: Some(check), ..variable("nomad/jobs/shop", "other") };
    for (check, outcome) in
        [(first.index + 7, VariableOutcome::Conflict), (0, VariableOutcome::Conflict), (first.index, VariableOutcome::Done)]
    {
        assert_eq!(stores.variable_put(checked(check)).await.unwrap().outcome, outcome, "{check}");
    }
    stores.variable_put(variable("other/a", "x")).await.unwrap();
    let list = |prefix: &str, per_page| VariableList { options: ReadOptions { prefix: prefix.into(), per_page, ..ReadOptions::default() } };
    for (prefix, per_page, paths) in
        [("", 0, vec!["nomad/jobs/shop", "other/a"]), ("nomad", 0, vec!["nomad/jobs/shop"]), ("", 1, vec!["nomad/jobs/shop"])]
    {
        let found = stores.variable_list(list(prefix, per_page)).await.unwrap();
        assert_eq!(found.data.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), paths);
        assert_eq!(found.meta.next_token, if per_page == 1 { "default.other/a" } else { "" });
    }
    let delete = VariableDelete { namespace: "default".into(), path: "other/a".into(), check: None, holder: String::new() };
    assert_eq!(stores.variable_delete(delete).await.unwrap().outcome, VariableOutcome::Done);
    assert_eq!(stores.variable_get(variable_get("other/a")).await.unwrap().data, None);
}

/// A task that may read what is its own, and asks for more.
#[tokio::test]
async fn tasks_read_the_variables_of_their_job_only() {
    let cluster = cluster().await;
    let stores = &cluster.stores;
    let own = ["nomad/jobs", "nomad/jobs/shop", "nomad/jobs/shop/web", "nomad/jobs/shop/web/app"];
    let others = ["nomad/jobs/other", "nomad/jobs/shop/other", "nomad/jobs/shop/web/app/deep", "nomad/jobs/shop/web/beside", "shop"];
    for path in own.into_iter().chain(others) {
        stores.variable_put(variable(path, "hunter2")).await.unwrap();
    }
    let auth = workload();
    let get = |auth: &WorkloadAuth, namespace: &str, path: &str| WorkloadVariableGet {
        auth: auth.clone(),
        options: ReadOptions { namespace: namespace.into(), ..ReadOptions::default() },
        path: path.into(),
    };
    for path in own {
        let read = stores.workload_variable_get(get(&auth, "default", path)).await.unwrap();
        assert_eq!(read.data.unwrap().items["password"].expose(), "hunter2", "{path}");
    }
    for (namespace, path) in others.map(|path| ("default", path)).into_iter().chain([("prod", own[1])]) {
        let error = stores.workload_variable_get(get(&auth, namespace, path)).await.unwrap_err();
        let told = format!("task \"app\" may not read variable {path:?}");
        assert!(error.status == 403 && error.message.starts_with(&told) && error.message.contains(own[3]), "{namespace} {path}: {error}");
    }
    let list = |namespace: &str, prefix: &str| WorkloadVariableList {
        auth: auth.clone(),
        options: ReadOptions { namespace: namespace.into(), prefix: prefix.into(), ..ReadOptions::default() },
    };
    for (namespace, prefix, want) in
        [("default", "", &own[..]), ("*", "nomad/jobs/shop", &own[1..]), ("default", "shop", &[]), ("prod", "", &[])]
    {
        let found = stores.workload_variable_list(list(namespace, prefix)).await.unwrap().data;
        assert_eq!(found.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), want, "{namespace} {prefix}");
    }
    // Who is not that task, or not its node, reads nothing.
    let stranger = WorkloadAuth { task: "nobody".into(), ..auth.clone() };
    let thief = WorkloadAuth { node: NodeAuth { secret: SecretText::new("a guess"), ..auth.node.clone() }, ..auth.clone() };
    for auth in [stranger, thief] {
        assert_eq!(stores.workload_variable_get(get(&auth, "default", own[1])).await.unwrap_err().status, 403);
    }
}

#[tokio::test]
async fn variables_have_sound_names_and_bounded_items() {
    let cluster = cluster().await;
    let long = "a".repeat(129);
    for path in ["", "a b", "a.b", "a@b", "nomad", "nomad/other", "nomad/jobsx", long.as_str()] {
        let error = cluster.stores.variable_put(variable(path, "hunter2")).await.unwrap_err();
        assert!(error.status == 400 && !error.message.contains("hunter2"), "{path:?}: {error}");
    }
    let large = cluster.stores.variable_put(variable("a", &"x".repeat(65 << 10))).await.unwrap_err();
    assert!(large.message.contains("64 KiB"), "{large}");
    let elsewhere = VariablePut { namespace: "prod".into(), ..variable("a", "x") };
    assert!(cluster.stores.variable_put(elsewhere.clone()).await.unwrap_err().message.contains("nonexistent namespace"));
    let namespace = Box::new(Namespace { name: "prod".to_owned(), ..Namespace::default() });
    cluster.propose.propose(Command::NamespacePut { namespace }).await.unwrap();
    assert_eq!(cluster.stores.variable_put(elsewhere).await.unwrap().outcome, VariableOutcome::Done);
    let refused = cluster.propose.propose(Command::NamespaceDelete { name: "prod".to_owned() }).await.unwrap();
    assert!(matches!(refused, Applied::Refused { ref message, .. } if message.contains("has variables")), "{refused:?}");
}

#[tokio::test]
async fn a_lock_keeps_others_out() {
    let cluster = cluster().await;
    let stores = &cluster.stores;
    let terms = || LockTerms { id: String::new(), ttl: Duration::from_secs(3600), delay: Duration::ZERO };
    let acquire = || VariablePut { items: None, acquire: Some(terms()), ..variable("lock/me", "") };
    let taken = stores.variable_put(acquire()).await.unwrap();
    let lock = cluster.store.snapshot().variable(&"default".into(), "lock/me").unwrap().lock.clone().unwrap();
    assert_eq!((taken.outcome, lock.terms.id.len()), (VariableOutcome::Done, 36));

    assert_eq!(stores.variable_put(acquire()).await.unwrap().outcome, VariableOutcome::Held);
    let refused = stores.variable_put(variable("lock/me", "mine")).await.unwrap();
    assert_eq!((refused.outcome, refused.variable.metadata.modify_index), (VariableOutcome::Held, 0));
    let delete = || VariableDelete { namespace: "default".into(), path: "lock/me".into(), check: None, holder: String::new() };
    assert_eq!(stores.variable_delete(delete()).await.unwrap().outcome, VariableOutcome::Held);

    let mine = VariablePut { holder: lock.terms.id.clone(), ..variable("lock/me", "mine") };
    assert_eq!(stores.variable_put(mine).await.unwrap().outcome, VariableOutcome::Done);
    let change = |id: &str, release| VariableLockChange { namespace: "default".into(), path: "lock/me".into(), id: id.into(), release };
    assert_eq!(stores.variable_lock(change("another", true)).await.unwrap().outcome, VariableOutcome::Held);
    assert_eq!(stores.variable_lock(change(&lock.terms.id, false)).await.unwrap().outcome, VariableOutcome::Done);
    assert_eq!(stores.variable_lock(change(&lock.terms.id, true)).await.unwrap().outcome, VariableOutcome::Done);
    assert_eq!(stores.variable_put(variable("lock/me", "free")).await.unwrap().outcome, VariableOutcome::Done);
}
