//! Secrets that are lent to a task, over restarts of the agent and changes of its token.

use std::{path::Path, sync::Mutex};

use drover_client::files::{Folder, Lanes};
use drover_integrations::{
    Access, Result, Secret, Secrets, Token, Tokens, VaultCluster,
    secrets::Lease,
    tokens::{Login, TokenInfo},
};
use drover_model::job::VaultUse;
use futures::future::BoxFuture;
use serde_json::{Map, json};

use super::*;

/// Lends another password at each read, and notes with which token it was asked.
#[derive(Clone, Debug, Default)]
struct Lender {
    reads: Arc<Mutex<Vec<String>>>,
    token: String,
}

impl VaultCluster for Lender {
    fn name(&self) -> &str {
        "default"
    }
    fn is_embedded(&self) -> bool {
        false
    }
    fn secrets(&self, access: &Access) -> Arc<dyn Secrets> {
        let token = access.token.as_ref().map(|token| token.borrow().expose().to_owned()).unwrap_or_default();
        Arc::new(Self { token, ..self.clone() })
    }
    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        Some(Arc::new(self.clone()))
    }
}

impl Secrets for Lender {
    fn read<'a>(&'a self, _: &'a str, _: Option<u64>) -> BoxFuture<'a, Result<Option<Secret>>> {
        let number = {
            let mut reads = self.reads.lock().unwrap();
            reads.push(self.token.clone());
            reads.len()
        };
        let lease = Lease { duration: Duration::from_secs(3600), renewable: true };
        let data = Map::from_iter([("password".to_owned(), json!(number.to_string()))]);
        std::future::ready(Ok(Some(Secret { lease_id: format!("lease/{number}"), lease, data, ..Secret::default() }))).boxed()
    }
    fn write<'a>(&'a self, path: &'a str, _: &'a BTreeMap<String, String>) -> BoxFuture<'a, Result<Option<Secret>>> {
        self.read(path, None)
    }
    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        unreachable!("nothing is listed")
    }
    fn renew<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Lease>> {
        unreachable!("nothing is due")
    }
    fn revoke<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        unreachable!("an agent that ends takes nothing away from its tasks")
    }
}

impl Tokens for Lender {
    fn login<'a>(&'a self, _: &'a Login) -> BoxFuture<'a, Result<Token>> {
        unreachable!("the task has its token")
    }
    fn lookup<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, Result<TokenInfo>> {
        unreachable!("the task has its token")
    }
    fn renew<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, Result<Lease>> {
        unreachable!("the task has its token")
    }
    fn revoke<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, Result<()>> {
        unreachable!("the task has its token")
    }
}

/// One run of an agent, with one task that has a token.
struct Run {
    sources: NodeSources,
    token: watch::Sender<SecretText>,
    seen: Subscription,
}

impl Run {
    fn new(lender: &Lender, folder: Option<&Path>, token: &str, wanted: &Dependency) -> Self {
        let calls = Arc::new(OneKey { value: watch::channel((1, Vec::new())).0, calls: AtomicUsize::new(0) });
        let Neighbours { consul, .. } = sources(&calls).shared.neighbours.clone();
        let part = VaultPart { cluster: Arc::new(lender.clone()), login: None, default_role: String::new() };
        let neighbours = Neighbours { consul, vault: [("default".to_owned(), part)].into(), ..sources(&calls).shared.neighbours.clone() };
        let sources = NodeSources::new(neighbours);
        let token = watch::channel(SecretText::new(token)).0;
        let kept = folder.map(|folder| Folder::new(folder.to_owned(), Lanes::default(), TaskTracker::new(), CancellationToken::new()));
        let plain = TaskContext::clone(&task(1, PathBuf::new()));
        let context = TaskContext { kept, vault: Some(VaultUse::default()), vault_token: token.subscribe(), ..plain };
        let seen = sources.open(Arc::new(context)).subscribe(wanted);
        Self { sources, token, seen }
    }

    /// The password that the task has, once it is one that it shall have.
    async fn password(&mut self, is: impl Fn(&str) -> bool) -> String {
        let of = |observed: &Observed| match observed.data.as_deref() {
            Some(Data::Secret(Some(secret))) => secret.data["password"].as_str().map(str::to_owned),
            _ => None,
        };
        let seen = self.seen.wait_for(|observed| of(observed).is_some_and(|password| is(&password))).await.unwrap();
        of(&seen).unwrap()
    }
}

#[tokio::test]
async fn what_is_lent_to_a_task_outlives_the_agent_but_not_its_token() {
    let read = Dependency::SecretRead { path: "database/creds/app".to_owned(), version: None };
    let written = Dependency::SecretWrite { path: "database/creds/app".to_owned(), data: [("ttl".to_owned(), "1h".to_owned())].into() };
    for wanted in [read, written] {
        let (lender, folder) = (Lender::default(), tempfile::tempdir().unwrap());
        let mut run = Run::new(&lender, Some(folder.path()), "a", &wanted);
        assert_eq!(run.password(|_| true).await, "1");
        run.sources.stop().await;

        let mut run = Run::new(&lender, Some(folder.path()), "a", &wanted);
        assert_eq!(run.password(|_| true).await, "1", "{wanted:?}: an agent that restarts goes on with it");
        assert_eq!(lender.reads.lock().unwrap().len(), 1);
        run.token.send_replace(SecretText::default());
        run.token.send_replace(SecretText::new("b"));
        assert_eq!(run.password(|password| password != "1").await, "2", "it ended with the token");
        run.sources.stop().await;

        let mut run = Run::new(&lender, Some(folder.path()), "c", &wanted);
        assert_eq!(run.password(|_| true).await, "3", "the task got another token meanwhile");
        run.sources.stop().await;
        assert_eq!(*lender.reads.lock().unwrap(), ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn nothing_is_kept_for_whoever_does_not_come_back() {
    let wanted = Dependency::SecretRead { path: "database/creds/app".to_owned(), version: None };
    let lender = Lender::default();
    for want in ["1", "2"] {
        let mut run = Run::new(&lender, None, "a", &wanted);
        assert_eq!(run.password(|_| true).await, want);
        run.sources.stop().await;
    }
}
