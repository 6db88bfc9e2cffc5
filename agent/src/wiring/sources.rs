//! Where templates get their data: the integrations, watched.
//!
//! There is one watcher for each distinct dependency, which all tasks of the node share as long as they ask with the same rights. It is started by the first
//! subscription and ends after the last.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_client::{
    parts::VaultPart,
    templates::{Sources, TaskContext},
};
use drover_integrations::{ConsulCluster, embedded::ServerCalls};
use drover_model::{ids::AllocId, rpc::node::NodeAuth};
use drover_runtime::Runtime;
use drover_template::{Dependency, Observed, Source, SourceError, Subscription};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::watcher::Watcher;

mod convert;
mod kept;
mod question;
mod secrets;
mod watcher;

/// The most watchers of one node.
const MAX_WATCHERS: usize = 10_000;

/// Of whose rights a watcher makes use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// The agent's: every task sees the same.
    Node {
        cluster: String,
        namespace: String,
        partition: String,
    },
    Task(AllocId, String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    dependency: Dependency,
    owner: Owner,
}

type Sender = Arc<watch::Sender<Observed>>;

/// What watchers ask.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    pub(crate) consul: BTreeMap<String, Arc<dyn ConsulCluster>>,
    pub(crate) vault: BTreeMap<String, VaultPart>,
    pub(crate) calls: Arc<dyn ServerCalls>,
    /// Who the node is that asks for its tasks.
    pub(crate) node: NodeAuth,
    pub(crate) runtime: Runtime,
    /// How long a secret without a lease is taken for fresh.
    pub(crate) default_lease: Duration,
    /// How old an answer of Consul may be.
    pub(crate) max_stale: Duration,
    /// How long a question waits for a change before it is asked again.
    pub(crate) longest_wait: Duration,
}

/// The sources of one node.
#[derive(Clone)]
pub(crate) struct NodeSources {
    shared: Arc<Shared>,
}

struct Shared {
    neighbours: Neighbours,
    watchers: Mutex<BTreeMap<Key, Sender>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl fmt::Debug for NodeSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeSources({} watchers)", self.shared.lock().len())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Sender>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a watcher that nobody listens to. Nobody can come in between: subscribing takes the same lock.
    fn forget_unused(&self, key: &Key) -> bool {
        let mut watchers = self.lock();
        let is_unused = watchers.get(key).is_none_or(|sender| sender.receiver_count() == 0);
        if is_unused {
            watchers.remove(key);
        }
        is_unused
    }
}

impl NodeSources {
    pub(crate) fn new(neighbours: Neighbours) -> Self {
        let shared = Shared { neighbours, watchers: Mutex::default(), tasks: TaskTracker::new(), stop: CancellationToken::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Ends all watchers. What they gave last stays.
    pub(crate) async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Sources for NodeSources {
    fn open(&self, task: Arc<TaskContext>) -> Arc<dyn Source> {
        Arc::new(TaskSource { shared: Arc::clone(&self.shared), task })
    }
}

/// The source of one task.
struct TaskSource {
    shared: Arc<Shared>,
    task: Arc<TaskContext>,
}

impl fmt::Debug for TaskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskSource({}/{})", self.task.alloc_id, self.task.task)
    }
}

impl Source for TaskSource {
    fn subscribe(&self, dependency: &Dependency) -> Subscription {
        self.join(dependency, Vec::new())
    }

    fn subscribe_certificate(&self, dependency: &Dependency, previous: &[u8]) -> Subscription {
        self.join(dependency, previous.to_vec())
    }
}

impl TaskSource {
    fn owner(&self, dependency: &Dependency) -> Owner {
        let own = || Owner::Task(self.task.alloc_id, self.task.task.clone());
        match dependency {
            Dependency::SecretRead { .. }
            | Dependency::SecretWrite { .. }
            | Dependency::SecretList { .. }
            | Dependency::PkiCert { .. }
            | Dependency::NomadVar { .. }
            | Dependency::NomadVarList { .. }
            | Dependency::CaLeaf { .. }
            | Dependency::File { .. } => own(),
            _ if !self.task.consul_token.borrow().is_empty() => own(),
            Dependency::NomadService { .. } | Dependency::NomadServices { .. } => {
                Owner::Node { cluster: String::new(), namespace: self.task.namespace.to_string(), partition: String::new() }
            }
            _ => {
                let drover_model::job::ConsulUse { cluster, namespace, partition } = self.task.consul.clone();
                Owner::Node { cluster, namespace, partition }
            }
        }
    }

    fn join(&self, dependency: &Dependency, previous: Vec<u8>) -> Subscription {
        let key = Key { dependency: dependency.clone(), owner: self.owner(dependency) };
        let mut watchers = self.shared.lock();
        if let Some(sender) = watchers.get(&key) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Observed::default());
        if watchers.len() >= MAX_WATCHERS {
            let text = format!("this node already watches {MAX_WATCHERS} dependencies of templates");
            sender.send_replace(Observed { data: None, error: Some(SourceError::permanent(text)) });
            return receiver;
        }
        let sender = Arc::new(sender);
        watchers.insert(key.clone(), Arc::clone(&sender));
        drop(watchers);
        let watcher = Watcher { neighbours: self.shared.neighbours.clone(), task: Arc::clone(&self.task), out: Arc::clone(&sender) };
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let stop = shared.stop.clone();
            let watching = watcher.watch(key.dependency.clone(), previous);
            tokio::pin!(watching);
            let mut is_over = false;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    // One that can learn nothing new stays, so that whoever comes sees what it found.
                    () = &mut watching, if !is_over => is_over = true,
                    () = sender.closed() => {
                        if shared.forget_unused(&key) {
                            return;
                        }
                    }
                }
            }
        });
        receiver
    }
}

#[cfg(test)]
mod tests;
