//! The standing conversation with the servers: registration, heartbeats, and the stream of allocations.
//!
//! It knows neither runners nor drivers, so that a simulated node (see [`crate::sim`]) speaks exactly as a real one does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use drover_model::{
    node::{Node, NodeStatus},
    rpc::{
        Error,
        node::{NodeAllocations, NodeAllocationsItem, NodeAuth, NodeHeartbeat, NodeRegister, NodeWelcome},
    },
};
use drover_runtime::{
    Random,
    rpc::{ItemStream, Silence},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};

use crate::{limits, servers::Servers};

/// Runs until the receiver of `items` is gone.
pub(crate) struct Session {
    pub(crate) servers: Arc<dyn Servers>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) auth: NodeAuth,
    /// What the node says of itself; the servers are told of each change.
    pub(crate) node: watch::Receiver<Arc<Node>>,
    /// When the servers last answered.
    pub(crate) contact: watch::Sender<Instant>,
    pub(crate) items: mpsc::Sender<NodeAllocationsItem>,
    /// How often the node has registered.
    pub(crate) registered: watch::Sender<u64>,
    /// The newest index that the servers have shown this node: a server that is behind it must not say what is to run here.
    pub(crate) seen: AtomicU64,
    /// The stream is to be opened anew: the server that serves it may be cut off from the others.
    pub(crate) moved: Notify,
}

/// The servers do not know this node (any more).
struct Unknown;

impl Session {
    pub(crate) async fn run(self) {
        let mut node = self.node.clone();
        loop {
            let current = Arc::clone(&node.borrow_and_update());
            let welcome = tokio::select! {
                biased;
                welcome = self.register(current) => welcome,
                () = self.items.closed() => return,
            };
            self.registered.send_modify(|count| *count += 1);
            let Unknown = tokio::select! {
                biased;
                unknown = self.beat(welcome.heartbeat_ttl) => unknown,
                unknown = self.listen() => unknown,
                Ok(()) = node.changed() => continue,
                () = self.items.closed() => return,
            };
            tracing::warn!("the servers do not know this node any more; it registers again");
            // They may be others than those that had shown it something.
            self.seen.store(0, Ordering::Relaxed);
        }
    }

    async fn register(&self, node: Arc<Node>) -> NodeWelcome {
        let (mut pause, mut silence) = (limits::RETRY_FIRST, Silence::default());
        loop {
            if let Some((lasts, error)) = silence.asked() {
                tracing::warn!(?lasts, error, "the node is not registered yet; it tries on and on");
            }
            let request = NodeRegister { node: Node::clone(&node) };
            match within(limits::SERVER_CALL, self.servers.register(request)).await {
                Ok(welcome) => {
                    self.heard(&welcome);
                    if let Some(lasted) = silence.answered() {
                        tracing::info!(?lasted, "the node is registered now");
                    }
                    return welcome;
                }
                Err(error) => silence.failed(error.message),
            }
            tokio::time::sleep(self.next_pause(&mut pause)).await;
        }
    }

    /// The first heartbeat goes at once: it makes the node ready.
    async fn beat(&self, mut ttl: Duration) -> Unknown {
        let (mut wait, mut pause, mut missed) = (Duration::ZERO, limits::RETRY_FIRST, false);
        let mut silence = Silence::default();
        loop {
            tokio::time::sleep(wait).await;
            if let Some((lasts, error)) = silence.asked() {
                tracing::warn!(?lasts, error, "no server answers; they are asked on and on");
            }
            let request = NodeHeartbeat { auth: self.auth.clone(), status: NodeStatus::Ready };
            // Early enough for another server to be asked before the time is up.
            let patience = (ttl / 4).clamp(limits::HEARTBEAT_PATIENCE, limits::SERVER_CALL);
            match within(patience, self.servers.heartbeat(request)).await {
                Ok(welcome) => {
                    self.heard(&welcome);
                    if let Some(lasted) = silence.answered() {
                        tracing::info!(?lasted, "a server answers again");
                    }
                    if std::mem::take(&mut missed) {
                        self.moved.notify_one();
                    }
                    (ttl, pause) = (welcome.heartbeat_ttl, limits::RETRY_FIRST);
                    let half = (ttl / 2).clamp(limits::HEARTBEAT_LEAST, limits::HEARTBEAT_MOST);
                    wait = half.saturating_sub(self.random.jitter(half / 4));
                }
                Err(error) if is_unknown(&error) => return Unknown,
                Err(error) => {
                    silence.failed(error.message);
                    missed = true;
                    self.servers.give_up().await;
                    wait = self.next_pause(&mut pause).min((ttl / 4).max(limits::HEARTBEAT_LEAST));
                }
            }
        }
    }

    /// Takes in what the servers push.
    async fn listen(&self) -> Unknown {
        let mut pause = limits::RETRY_FIRST;
        loop {
            let request = NodeAllocations { auth: self.auth.clone(), min_index: self.seen.load(Ordering::Relaxed) };
            let error = match within(limits::SERVER_CALL, self.servers.allocations(request)).await {
                Ok(stream) => self.follow(stream, &mut pause).await,
                Err(error) => error,
            };
            if is_unknown(&error) {
                return Unknown;
            }
            tracing::debug!(%error, "the stream of allocations is opened again");
            let mut contact = self.contact.subscribe();
            tokio::select! {
                biased;
                () = tokio::time::sleep(self.next_pause(&mut pause)) => {}
                // Somebody answers again.
                _ = contact.changed() => {}
            }
        }
    }

    /// Why the stream has ended.
    async fn follow(&self, mut stream: ItemStream<NodeAllocationsItem>, pause: &mut Duration) -> Error {
        loop {
            let item = tokio::select! {
                biased;
                item = stream.next() => item,
                () = self.moved.notified() => return Error::unavailable("another server is asked"),
            };
            match item {
                Some(Ok(item)) => {
                    *pause = limits::RETRY_FIRST;
                    self.seen.fetch_max(item.index, Ordering::Relaxed);
                    if self.items.send(item).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                Some(Err(error)) => {
                    if error.is_unavailable() {
                        self.servers.give_up().await;
                    }
                    return error;
                }
                None => return Error::unavailable("the stream has ended"),
            }
        }
    }

    fn heard(&self, welcome: &NodeWelcome) {
        self.seen.fetch_max(welcome.index, Ordering::Relaxed);
        self.contact.send_replace(Instant::now());
        self.servers.learn(&welcome.servers);
    }

    /// How long to wait before the next attempt; each time longer.
    fn next_pause(&self, pause: &mut Duration) -> Duration {
        let now = *pause + self.random.jitter(*pause);
        *pause = (*pause * 2).min(limits::RETRY_MOST);
        now
    }
}

fn is_unknown(error: &Error) -> bool {
    matches!(error.status, 403 | 404)
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::unavailable(format!("no server has answered within {limit:?}"));
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}
