//! Namespaces and node pools.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions, job::Written};
use crate::{
    method,
    namespace::{Namespace, NodePool},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamespaceList {
    pub options: ReadOptions,
}
method!(NamespaceList, "namespaces.list", Read<Vec<Arc<Namespace>>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamespaceGet {
    pub options: ReadOptions,
    pub name: String,
}
method!(NamespaceGet, "namespaces.get", Read<Option<Arc<Namespace>>>);

/// Makes a namespace, or changes one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamespacePut {
    pub namespace: Namespace,
}
method!(NamespacePut, "namespaces.put", Written);

/// Removes a namespace in which nothing is left to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamespaceDelete {
    pub name: String,
}
method!(NamespaceDelete, "namespaces.delete", Written);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodePoolList {
    pub options: ReadOptions,
}
method!(NodePoolList, "node_pools.list", Read<Vec<Arc<NodePool>>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodePoolGet {
    pub options: ReadOptions,
    pub name: String,
}
method!(NodePoolGet, "node_pools.get", Read<Option<Arc<NodePool>>>);

/// Makes a node pool, or changes one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodePoolPut {
    pub pool: NodePool,
}
method!(NodePoolPut, "node_pools.put", Written);

/// Removes a node pool that no node and no job names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodePoolDelete {
    pub name: String,
}
method!(NodePoolDelete, "node_pools.delete", Written);
