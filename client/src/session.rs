//! The standing conversation with the servers: registration, heartbeats, and the stream of allocations.

use std::{sync::Arc, time::Duration};

use drover_model::{
    node::{Node, NodeStatus},
    rpc::{
        Error,
        node::{NodeAllocations, NodeAllocationsItem, NodeHeartbeat, NodeRegister, NodeWelcome},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{limits, shared::Shared};

/// Runs until the receiver of `items` is gone.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) items: mpsc::Sender<NodeAllocationsItem>,
    /// How often the node has registered.
    pub(crate) registered: watch::Sender<u64>,
}

/// The servers do not know this node (any more).
struct Unknown;

impl Session {
    pub(crate) async fn run(self) {
        loop {
            let mut node = self.shared.node.subscribe();
            let current = Arc::clone(&node.borrow_and_update());
            let welcome = tokio::select! {
                welcome = self.register(current) => welcome,
                () = self.items.closed() => return,
            };
            self.registered.send_modify(|count| *count += 1);
            tokio::select! {
                Unknown = self.beat(welcome) => tracing::warn!("the servers do not know this node any more; it registers again"),
                Unknown = self.listen() => tracing::warn!("the servers do not know this node any more; it registers again"),
                _ = node.changed() => {}
                () = self.items.closed() => return,
            }
        }
    }

    async fn register(&self, node: Arc<Node>) -> NodeWelcome {
        let mut pause = limits::RETRY_FIRST;
        loop {
            let request = NodeRegister { node: Node::clone(&node) };
            match timed(self.shared.parts.servers.register(request)).await {
                Ok(welcome) => {
                    self.heard(&welcome);
                    return welcome;
                }
                Err(error) => tracing::warn!(%error, "the node could not be registered; another attempt follows"),
            }
            self.pause(&mut pause).await;
        }
    }

    /// The first heartbeat goes at once: it makes the node ready.
    async fn beat(&self, welcome: NodeWelcome) -> Unknown {
        let mut ttl = welcome.heartbeat_ttl;
        let (mut wait, mut pause) = (Duration::ZERO, limits::RETRY_FIRST);
        loop {
            tokio::time::sleep(wait).await;
            let request = NodeHeartbeat { auth: self.shared.auth.clone(), status: NodeStatus::Ready };
            match timed(self.shared.parts.servers.heartbeat(request)).await {
                Ok(welcome) => {
                    self.heard(&welcome);
                    (ttl, pause) = (welcome.heartbeat_ttl, limits::RETRY_FIRST);
                    let half = (ttl / 2).clamp(limits::HEARTBEAT_LEAST, limits::HEARTBEAT_MOST);
                    wait = half.saturating_sub(self.shared.runtime.random.jitter(half / 4));
                }
                Err(error) if is_unknown(&error) => return Unknown,
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat was not answered");
                    wait = (pause + self.shared.runtime.random.jitter(pause)).min((ttl / 4).max(limits::HEARTBEAT_LEAST));
                    pause = (pause * 2).min(limits::RETRY_MOST);
                }
            }
        }
    }

    /// Takes in what the servers push.
    async fn listen(&self) -> Unknown {
        let mut pause = limits::RETRY_FIRST;
        loop {
            let request = NodeAllocations { auth: self.shared.auth.clone() };
            let opened = timed(self.shared.parts.servers.allocations(request)).await;
            let error = match opened {
                Ok(mut stream) => loop {
                    match stream.next().await {
                        Some(Ok(item)) => {
                            pause = limits::RETRY_FIRST;
                            if self.items.send(item).await.is_err() {
                                std::future::pending::<()>().await;
                            }
                        }
                        Some(Err(error)) => break error,
                        None => break Error::unavailable("the stream has ended"),
                    }
                },
                Err(error) => error,
            };
            if is_unknown(&error) {
                return Unknown;
            }
            tracing::debug!(%error, "the stream of allocations is opened again");
            self.pause(&mut pause).await;
        }
    }

    fn heard(&self, welcome: &NodeWelcome) {
        self.shared.contact.send_replace(Instant::now());
        self.shared.parts.servers.learn(&welcome.servers);
    }

    async fn pause(&self, pause: &mut Duration) {
        tokio::time::sleep(*pause + self.shared.runtime.random.jitter(*pause)).await;
        *pause = (*pause * 2).min(limits::RETRY_MOST);
    }
}

fn is_unknown(error: &Error) -> bool {
    matches!(error.status, 403 | 404)
}

async fn timed<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limits::SERVER_CALL, call).await.unwrap_or_else(|_| Err(Error::unavailable("no server has answered")))
}
