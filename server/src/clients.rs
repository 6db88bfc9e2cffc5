//! The connections that clients have opened to this server, by node: the way back to them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use drover_model::ids::NodeId;
use drover_runtime::rpc::Connection;

#[derive(Debug, Default)]
pub(crate) struct ClientConnections {
    by_node: Mutex<BTreeMap<NodeId, Connection>>,
}

impl ClientConnections {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Connection>> {
        self.by_node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes over which connection a node was heard last. Call it only once the node has proved who it is.
    pub(crate) fn note(&self, node: NodeId, connection: &Connection) {
        self.lock().insert(node, connection.clone());
    }

    /// The connection of a node, while it is open.
    pub(crate) fn get(&self, node: NodeId) -> Option<Connection> {
        let mut by_node = self.lock();
        let open = by_node.get(&node).filter(|connection| !connection.is_closed()).cloned();
        if open.is_none() {
            by_node.remove(&node);
        }
        open
    }
}
