//! Namespaces and node pools.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use drover_model::{
    namespace::{self, Namespace, NodePool},
    rpc::{
        Error,
        job::Written,
        namespace::{NamespaceDelete, NamespaceGet, NamespaceList, NamespacePut, NodePoolDelete, NodePoolGet, NodePoolList, NodePoolPut},
    },
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Desk, Found};
use crate::{fsm::command::Command, state::State};

pub(super) fn list(state: &State, message: &NamespaceList) -> Result<Found<Vec<Arc<Namespace>>>, Error> {
    let prefix = &message.options.prefix;
    Ok(Found::new(state.namespaces().filter(|one| one.name.starts_with(prefix.as_str())).collect()))
}

pub(super) fn get(state: &State, message: &NamespaceGet) -> Result<Found<Option<Arc<Namespace>>>, Error> {
    Ok(Found::new(state.namespaces().find(|one| one.name == message.name)))
}

pub(super) async fn put(desk: Desk<'_>, message: NamespacePut) -> Result<Written, Error> {
    let mut namespace = message.namespace;
    namespace::check("namespace", &namespace.name, &namespace.description).map_err(Error::internal)?;
    (namespace.create_index, namespace.modify_index, namespace.hash) = (0, 0, String::new());
    namespace.hash = hash(&namespace)?;
    written(desk, Command::NamespacePut { namespace: Box::new(namespace) }).await
}

pub(super) async fn delete(desk: Desk<'_>, message: NamespaceDelete) -> Result<Written, Error> {
    written(desk, Command::NamespaceDelete { name: message.name }).await
}

pub(super) fn pools(state: &State, message: &NodePoolList) -> Result<Found<Vec<Arc<NodePool>>>, Error> {
    let prefix = &message.options.prefix;
    Ok(Found::new(state.node_pools().filter(|one| one.name.starts_with(prefix.as_str())).collect()))
}

pub(super) fn pool(state: &State, message: &NodePoolGet) -> Result<Found<Option<Arc<NodePool>>>, Error> {
    Ok(Found::new(state.node_pools().find(|one| one.name == message.name)))
}

pub(super) async fn put_pool(desk: Desk<'_>, message: NodePoolPut) -> Result<Written, Error> {
    let mut pool = message.pool;
    namespace::check("node pool", &pool.name, &pool.description).map_err(Error::internal)?;
    (pool.create_index, pool.modify_index, pool.hash) = (0, 0, None);
    pool.hash = Some(hash(&pool)?);
    written(desk, Command::NodePoolPut { pool: Box::new(pool) }).await
}

pub(super) async fn delete_pool(desk: Desk<'_>, message: NodePoolDelete) -> Result<Written, Error> {
    written(desk, Command::NodePoolDelete { name: message.name }).await
}

pub(super) async fn written(desk: Desk<'_>, command: Command) -> Result<Written, Error> {
    let index = desk.proposer.propose(command).await?.accepted()?;
    Ok(Written { index })
}

/// Tells two contents apart.
pub(super) fn hash<T: Serialize>(content: &T) -> Result<String, Error> {
    let bytes = serde_json::to_vec(content).map_err(|error| Error::internal(error.to_string()))?;
    Ok(STANDARD.encode(Sha256::digest(bytes)))
}
