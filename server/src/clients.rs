//! The ways to clients, by node: the connections that they have opened to this server, and the one in this process.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use drover_model::{ids::NodeId, rpc::Error};
use drover_runtime::rpc::{Caller, Connection, Dispatch, RawStream};

#[derive(Default)]
pub(crate) struct ClientConnections {
    by_node: Mutex<BTreeMap<NodeId, Connection>>,
    /// The client that runs in the same process as this server.
    here: OnceLock<(NodeId, Arc<dyn Dispatch>)>,
}

impl fmt::Debug for ClientConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConnections").field("by_node", &self.by_node).field("here", &self.here.get().map(|(node, _)| node)).finish()
    }
}

/// The way to one client.
#[derive(Clone)]
pub(crate) enum Way {
    Connection(Connection),
    InProcess(Arc<dyn Dispatch>),
}

impl Way {
    pub(crate) async fn call(&self, method: &str, caller: &Caller, body: Bytes, limit: Duration) -> Result<Bytes, Error> {
        match self {
            Self::Connection(connection) => connection.call_raw(method, &caller.header(), body, limit).await,
            Self::InProcess(client) => {
                let answer = tokio::time::timeout(limit, client.call(method, caller.clone(), body)).await;
                answer.unwrap_or_else(|_| Err(Error::unavailable(format!("{method} was not answered within {limit:?}"))))
            }
        }
    }

    pub(crate) async fn subscribe(&self, method: &str, caller: &Caller, body: Bytes) -> Result<RawStream, Error> {
        match self {
            Self::Connection(connection) => connection.subscribe_raw(method, &caller.header(), body).await,
            Self::InProcess(client) => Ok(RawStream::local(|sink| client.subscribe(method, caller.clone(), body, sink))),
        }
    }
}

impl ClientConnections {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Connection>> {
        self.by_node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes over which connection a node was heard last. Call it only once the node has proved who it is.
    pub(crate) fn note(&self, node: NodeId, connection: &Connection) {
        self.lock().insert(node, connection.clone());
    }

    /// Makes the client in this process known.
    pub(crate) fn set_here(&self, node: NodeId, client: Arc<dyn Dispatch>) {
        let _ = self.here.set((node, client));
    }

    /// The way to a node: in this process, or its connection while that is open.
    pub(crate) fn get(&self, node: NodeId) -> Option<Way> {
        if let Some((_, client)) = self.here.get().filter(|(here, _)| *here == node) {
            return Some(Way::InProcess(Arc::clone(client)));
        }
        let mut by_node = self.lock();
        let open = by_node.get(&node).filter(|connection| !connection.is_closed()).cloned();
        if open.is_none() {
            by_node.remove(&node);
        }
        open.map(Way::Connection)
    }
}
