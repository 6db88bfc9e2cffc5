//! The client as a whole: it starts, restores what ran, follows what the servers want, and stops.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::{AllocId, NodeId},
    job::Provider,
    node::Node,
    rpc::node::{NodeAllocationsItem, NodeAuth},
};
use drover_runtime::{Runtime, apart};
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    task::{AbortHandle, JoinHandle},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ClientConfig, ClientParts, Error,
    allocations::AllocCommand,
    drivers::TaskHandle,
    files::Lanes,
    fingerprint,
    labels::{Dynamic, merged},
    limits,
    reports::Reports,
    services::{Native, NativeRegistry, Registries},
    session::Session,
    shared::Shared,
    state::{SavedAllocation, State},
    stats::Samples,
};

mod collect;
mod manage;
mod stop;

/// Items of the servers' stream that wait.
const ITEM_QUEUE: usize = 4;

/// Starts clients; see [`Client::start`].
#[derive(Clone, Copy, Debug)]
pub struct Client;

/// A running client. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    allocations: Mutex<BTreeMap<AllocId, Held>>,
    /// Removals of folders under way.
    destroys: Semaphore,
    /// What runs for the client as a whole.
    tasks: TaskTracker,
    pub(crate) samples: Samples,
    pub(crate) sessions: crate::exec::Sessions,
    /// The node ends and takes its tasks along: it begins nothing any more.
    is_leaving: AtomicBool,
    /// What people have set of the node's labels.
    labels: Mutex<Dynamic>,
}

/// One allocation, as the client holds it.
#[derive(Debug)]
pub(crate) struct Held {
    allocation: watch::Sender<Arc<Allocation>>,
    commands: mpsc::Sender<AllocCommand>,
    view: watch::Receiver<ClientStatus>,
    runner: AbortHandle,
    /// True once nothing of it runs any more.
    ended: watch::Receiver<bool>,
    ended_at: Option<Instant>,
    /// Its folder is being removed.
    going: bool,
}

impl Client {
    /// Who this node is: read from its folder, or drawn. For those who speak for the node before its client has started.
    pub fn identify(config: &ClientConfig, runtime: &Runtime) -> Result<NodeAuth, Error> {
        prepare_folder(&config.state_dir, 0o700)?;
        let (id, secret) = fingerprint::node_identity(config, runtime)?;
        Ok(NodeAuth { id, secret })
    }

    /// Starts the client: what it ran before the agent was restarted is found again, then the servers are spoken to.
    pub async fn start(config: ClientConfig, runtime: Runtime, parts: ClientParts) -> Result<Handle, Error> {
        prepare_folder(&config.state_dir, 0o700)?;
        prepare_folder(&config.alloc_dir, 0o711)?;
        let NodeAuth { id, secret } = config.identity.clone().map_or_else(|| Self::identify(&config, &runtime), Ok)?;
        let mut node = fingerprint::node(&config, &runtime, &parts.drivers, id, secret.clone()).await;
        let auth = NodeAuth { id, secret };
        let (state, saved) = State::open(Arc::clone(&runtime.disk), (!config.dev).then_some(config.state_dir.as_path()))?;
        let labels = state.labels();
        node.meta = merged(&config.meta, &labels);
        let labels = Mutex::new(labels);
        let shutdown = CancellationToken::new();
        let native = |provider| {
            let (servers, random) = (Arc::clone(&parts.servers), Arc::clone(&runtime.random));
            NativeRegistry::new(provider, config.datacenter.clone(), servers, auth.clone(), random, shutdown.child_token())
        };
        let (own, embedded) = (native(Provider::Nomad), native(Provider::Consul));
        let consul = parts.consul.iter().filter_map(|(name, part)| Some((name.clone(), part.cluster.registry()?))).collect();
        let registries = Registries::new(consul, Arc::new(Native(Arc::clone(&own))), Arc::new(Native(Arc::clone(&embedded))));
        let drivers = parts.drivers.iter().map(|driver| (driver.name().to_owned(), Arc::clone(driver))).collect();
        let destroys = Semaphore::new(2);
        let shared = Arc::new(Shared {
            config,
            runtime,
            parts,
            drivers,
            registries,
            state,
            reports: Reports::default(),
            auth,
            lanes: Lanes::default(),
            node: watch::channel(Arc::new(node)).0,
            contact: watch::channel(Instant::now()).0,
            shutdown,
        });
        let (allocations, tasks, samples, sessions) =
            (Mutex::default(), TaskTracker::new(), Samples::default(), crate::exec::Sessions::default());
        let is_leaving = AtomicBool::new(false);
        let handle = Handle { inner: Arc::new(Inner { shared, allocations, destroys, tasks, samples, sessions, is_leaving, labels }) };
        handle.inner.shared.parts.servers.serve(Arc::new(handle.router()));
        // No server that is behind what ran here last may say what runs here now.
        let seen = saved.iter().map(|one| one.allocation.modify_index).max().unwrap_or(0);
        handle.restore(saved).await;
        handle.set_going(own, embedded, seen);
        Ok(handle)
    }
}

fn prepare_folder(path: &Path, mode: u32) -> Result<(), Error> {
    let prepare = || -> io::Result<()> {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    prepare().map_err(|source| Error::Folder { path: path.to_owned(), source })
}

impl Handle {
    pub fn node_id(&self) -> NodeId {
        self.inner.shared.auth.id
    }

    /// The node as it is told to the servers.
    pub fn node(&self) -> Arc<Node> {
        self.inner.shared.node()
    }

    /// What proves to the servers that a request comes from this node.
    pub fn auth(&self) -> NodeAuth {
        self.inner.shared.auth.clone()
    }

    /// Changes what the node says of itself (its metadata, attributes of neighbours); the servers are told.
    pub fn update_node(&self, change: impl FnOnce(&mut Node)) {
        self.inner.shared.node.send_if_modified(|node| {
            let mut changed = Node::clone(node);
            change(&mut changed);
            let differs = changed != **node;
            if differs {
                *node = Arc::new(changed);
            }
            differs
        });
    }

    /// When the servers last answered.
    pub fn last_contact(&self) -> Instant {
        *self.inner.shared.contact.borrow()
    }

    /// How many allocations are in which state, for telemetry.
    pub fn allocation_counts(&self) -> BTreeMap<ClientStatus, usize> {
        let mut counts = BTreeMap::new();
        for held in self.inner.lock().values() {
            *counts.entry(*held.view.borrow()).or_insert(0) += 1;
        }
        counts
    }

    fn set_going(&self, own: Arc<NativeRegistry>, embedded: Arc<NativeRegistry>, seen: u64) {
        let shared = &self.inner.shared;
        let stop = shared.shutdown.clone();
        let (items, received) = mpsc::channel(ITEM_QUEUE);
        let registered = watch::channel(0).0;
        let session = Session {
            servers: Arc::clone(&shared.parts.servers),
            random: Arc::clone(&shared.runtime.random),
            auth: shared.auth.clone(),
            node: shared.node.subscribe(),
            contact: shared.contact.clone(),
            items,
            registered: registered.clone(),
            seen: AtomicU64::new(seen),
            moved: Notify::new(),
        };
        let spawn = |work: futures::future::BoxFuture<'static, ()>| -> JoinHandle<Option<()>> {
            self.inner.tasks.spawn(stop.clone().run_until_cancelled_owned(work))
        };
        spawn(Box::pin(session.run()));
        spawn(Box::pin(own.run(registered.subscribe())));
        spawn(Box::pin(embedded.run(registered.subscribe())));
        let reporting = Arc::clone(shared);
        let told = registered.subscribe();
        spawn(Box::pin(async move {
            let Shared { reports, parts, auth, runtime, contact, .. } = &*reporting;
            reports.run(&*parts.servers, auth, &*runtime.random, told, contact.subscribe()).await;
        }));
        spawn(Box::pin(self.clone().keep_state_small()));
        spawn(Box::pin(self.clone().manage(received)));
        spawn(Box::pin(self.clone().collect_regularly()));
    }

    /// Writes the state's file anew whenever little in it counts any more.
    async fn keep_state_small(self) {
        loop {
            self.inner.shared.state.bloated().await;
            // Whoever waits for the client's end waits for this, too: nobody else may open the file before.
            let (shared, token) = (Arc::clone(&self.inner.shared), self.inner.tasks.token());
            let compacted = apart(move || {
                let _held = token;
                shared.state.compact();
            });
            if let Err(error) = compacted.await {
                tracing::warn!(%error, "writing the client's state anew was cut off");
            }
            tokio::time::sleep(limits::STATE_PAUSE).await;
        }
    }

    /// Takes up everything that an earlier agent left.
    async fn restore(&self, saved: Vec<SavedAllocation>) {
        let (declaring, mut declared) = mpsc::channel(1);
        let handles: Vec<TaskHandle> = saved.iter().flat_map(|one| one.tasks.values()).filter_map(|task| task.handle.clone()).collect();
        if !self.inner.shared.config.dev {
            for driver in &self.inner.shared.parts.drivers {
                let known: Vec<TaskHandle> = handles.iter().filter(|handle| handle.driver == driver.name()).cloned().collect();
                driver.retain(&known).await;
            }
        }
        for one in saved {
            self.resume(one, declaring.clone());
        }
        drop(declaring);
        let handle = self.clone();
        self.inner.tasks.spawn(self.inner.shared.shutdown.clone().run_until_cancelled_owned(async move {
            // Ends when the last of them has declared its services.
            let _ = declared.recv().await;
            handle.inner.shared.registries.restored();
        }));
    }

    /// The allocations that the client holds, for agents that show them.
    pub fn allocations(&self) -> Vec<Arc<Allocation>> {
        self.inner.lock().values().map(|held| Arc::clone(&held.allocation.borrow())).collect()
    }
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<AllocId, Held>> {
        self.allocations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn labels(&self) -> MutexGuard<'_, Dynamic> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(crate) fn allocation(&self) -> Arc<Allocation> {
        Arc::clone(&self.allocation.borrow())
    }

    pub(crate) fn commands(&self) -> mpsc::Sender<AllocCommand> {
        self.commands.clone()
    }

    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

/// How long a throw-away node waits for its tasks to end before it goes.
const DEV_STOP: Duration = Duration::from_secs(40);
/// How long it waits for those that it has killed after that.
const DEV_KILL: Duration = Duration::from_secs(5);
/// How long the last reports may take.
const LAST_REPORTS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
