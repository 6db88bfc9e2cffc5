use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use drover_client::servers::Reply;
use drover_integrations::{Query, embedded::Embedded};
use drover_model::{
    ids::NodeId,
    job::ConsulUse,
    kv::{KvEntry, SecretVersion},
    rpc::{
        Error, Read, ReadMeta,
        node::{
            CertificateIssue, IssuedCertificate, KvGet, KvList, NodeAuth, ServiceInstances, ServiceName, ServiceNames, WorkloadSecretGet,
            WorkloadSecretList,
        },
        variable::{WorkloadVariableGet, WorkloadVariableList},
    },
    secret::SecretText,
    service::ServiceRegistration,
    variable::{Variable, VariableMetadata},
};
use drover_template::{Data, Scope};
use futures::FutureExt;

use super::*;

mod leases;

/// Servers that have one key, whose value the test sets.
#[derive(Debug)]
struct OneKey {
    value: watch::Sender<(u64, Vec<u8>)>,
    calls: AtomicUsize,
}

impl ServerCalls for OneKey {
    fn kv_get(&self, request: KvGet) -> Reply<'_, Read<Option<Arc<KvEntry>>>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut value = self.value.subscribe();
            let newest = value.wait_for(|(index, _)| *index > request.options.min_index).await.map_err(|_| Error::no_leader())?;
            let (index, bytes) = newest.clone();
            let entry = KvEntry { key: request.key, value: bytes, modify_index: index, ..KvEntry::default() };
            Ok(Read { meta: ReadMeta { index, ..ReadMeta::default() }, data: Some(Arc::new(entry)) })
        }
        .boxed()
    }

    fn kv_list(&self, _: KvList) -> Reply<'_, Read<Vec<Arc<KvEntry>>>> {
        refused()
    }
    fn service_instances(&self, _: ServiceInstances) -> Reply<'_, Read<Vec<Arc<ServiceRegistration>>>> {
        refused()
    }
    fn service_names(&self, _: ServiceNames) -> Reply<'_, Read<Vec<ServiceName>>> {
        refused()
    }
    fn secret_get(&self, _: WorkloadSecretGet) -> Reply<'_, Read<Option<SecretVersion>>> {
        refused()
    }
    fn secret_list(&self, _: WorkloadSecretList) -> Reply<'_, Read<Vec<String>>> {
        refused()
    }
    fn variable_get(&self, _: WorkloadVariableGet) -> Reply<'_, Read<Option<Variable>>> {
        refused()
    }
    fn variable_list(&self, _: WorkloadVariableList) -> Reply<'_, Read<Vec<VariableMetadata>>> {
        refused()
    }
    fn certificate_issue(&self, _: CertificateIssue) -> Reply<'_, IssuedCertificate> {
        refused()
    }
}

fn refused<'a, T: Send + 'a>() -> Reply<'a, T> {
    std::future::ready(Err(Error::no_leader())).boxed()
}

fn sources(calls: &Arc<OneKey>) -> NodeSources {
    let calls = Arc::clone(calls) as Arc<dyn ServerCalls>;
    let auth = NodeAuth { id: NodeId::from_random([1; 16]), secret: SecretText::default() };
    let embedded: Arc<dyn ConsulCluster> = Arc::new(Embedded::new("default", auth.clone(), Arc::clone(&calls)));
    NodeSources::new(Neighbours {
        consul: BTreeMap::from([("default".to_owned(), embedded)]),
        vault: BTreeMap::new(),
        calls,
        node: auth,
        runtime: Runtime::real(),
        default_lease: Duration::from_secs(1),
        max_stale: Duration::ZERO,
        longest_wait: Query::LONGEST_WAIT,
    })
}

fn task(byte: u8, folder: PathBuf) -> Arc<TaskContext> {
    let none = || watch::channel(SecretText::default()).1;
    Arc::new(TaskContext {
        alloc_id: AllocId::from_random([byte; 16]),
        region: "global".to_owned(),
        namespace: "default".into(),
        job_id: "j".into(),
        group: "g".into(),
        task: "t".to_owned(),
        task_dir: folder,
        disable_file_sandbox: false,
        kept: None,
        vault: None,
        vault_token: none(),
        consul: ConsulUse::default(),
        consul_token: none(),
        vault_doubt: Arc::default(),
        consul_doubt: Arc::default(),
        variables: None,
        identity: none(),
    })
}

fn key_of(observed: &Observed) -> Option<Vec<u8>> {
    match observed.data.as_deref() {
        Some(Data::Key(value)) => value.clone(),
        _ => None,
    }
}

#[tokio::test]
async fn tasks_share_a_watcher_which_ends_with_its_last_listener() {
    let calls = Arc::new(OneKey { value: watch::channel((1, b"one".to_vec())).0, calls: AtomicUsize::new(0) });
    let sources = sources(&calls);
    let wanted = Dependency::KvGet { key: "k".to_owned(), scope: Scope::default() };
    let (first, second) = (sources.open(task(1, PathBuf::new())), sources.open(task(2, PathBuf::new())));
    let (mut one, mut two) = (first.subscribe(&wanted), second.subscribe(&wanted));
    assert_eq!(key_of(&one.wait_for(|seen| seen.data.is_some()).await.unwrap()).unwrap(), b"one");
    calls.value.send_replace((2, b"two".to_vec()));
    for listener in [&mut one, &mut two] {
        let seen = listener.wait_for(|seen| key_of(seen).as_deref() == Some(b"two")).await.unwrap();
        assert!(seen.error.is_none());
    }
    assert_eq!(sources.shared.lock().len(), 1, "both listen to one watcher");
    assert!(calls.calls.load(Ordering::Relaxed) <= 3, "one question for each change, and the one that waits");
    drop((one, two));
    while !sources.shared.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    sources.stop().await;
}

#[tokio::test]
async fn what_cannot_be_had_is_said_and_the_last_value_stays() {
    let calls = Arc::new(OneKey { value: watch::channel((1, b"one".to_vec())).0, calls: AtomicUsize::new(0) });
    let sources = sources(&calls);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.txt"), "hello").unwrap();
    let source = sources.open(task(1, folder.path().to_owned()));
    let secret = Dependency::SecretRead { path: "secret/x".to_owned(), version: None };
    let mut seen = source.subscribe(&secret);
    let error = seen.wait_for(|seen| seen.error.is_some()).await.unwrap().error.clone().unwrap();
    assert!(error.is_final && error.text.contains("no Vault named \"default\""), "{error}");
    let mut file = source.subscribe(&Dependency::File { path: "in.txt".to_owned() });
    assert!(
        matches!(file.wait_for(|seen| seen.data.is_some()).await.unwrap().data.as_deref(), Some(Data::File(bytes)) if bytes == b"hello")
    );
    for path in ["../in.txt", "/etc/passwd", "none.txt"] {
        let mut outside = source.subscribe(&Dependency::File { path: path.to_owned() });
        let error = outside.wait_for(|seen| seen.error.is_some()).await.unwrap().error.clone().unwrap();
        assert!(error.is_final, "{path}: {error}");
    }
    let mut services = source.subscribe(&Dependency::NomadServices { region: None });
    let error = services.wait_for(|seen| seen.error.is_some()).await.unwrap().error.clone().unwrap();
    assert!(!error.is_final && error.text.contains("No cluster leader"), "{error}");
    sources.stop().await;
}
