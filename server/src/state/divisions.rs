//! What divides the cluster: namespaces and node pools. Some are there although no row says so.

use std::sync::{Arc, LazyLock};

use drover_model::{
    ids::Name,
    namespace::{DEFAULT_NAMESPACE, Namespace, NodePool},
};

use super::{State, TableId};

static NAMESPACE: LazyLock<Arc<Namespace>> = LazyLock::new(|| Arc::new(Namespace::built_in()));
static POOLS: LazyLock<[Arc<NodePool>; 2]> = LazyLock::new(|| NodePool::built_in().map(Arc::new));

impl State {
    /// By name.
    pub fn namespaces(&self) -> impl Iterator<Item = Arc<Namespace>> {
        let mut all: Vec<_> = self.namespaces.values().cloned().collect();
        if self.namespaces.get(DEFAULT_NAMESPACE).is_none() {
            all.push(Arc::clone(&NAMESPACE));
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter()
    }

    pub fn namespace(&self, name: &str) -> Option<&Arc<Namespace>> {
        self.namespaces.get(name).or_else(|| (name == DEFAULT_NAMESPACE).then(|| &*NAMESPACE))
    }

    /// By name.
    pub fn node_pools(&self) -> impl Iterator<Item = Arc<NodePool>> {
        let mut all: Vec<_> = self.node_pools.values().chain(POOLS.iter()).cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter()
    }

    pub fn node_pool(&self, name: &str) -> Option<&Arc<NodePool>> {
        self.node_pools.get(name).or_else(|| POOLS.iter().find(|pool| pool.name == name))
    }

    pub(crate) fn put_namespace(&mut self, namespace: Namespace) {
        let name = Name::from(namespace.name.as_str());
        self.namespaces.insert(name.clone(), Arc::new(namespace));
        self.count_namespace(&name);
        self.touch(TableId::Namespaces);
    }

    pub(crate) fn remove_namespace(&mut self, name: &str) -> Option<Arc<Namespace>> {
        let old = self.namespaces.remove(name)?;
        self.count_namespace(&Name::from(name));
        self.touch(TableId::Namespaces);
        Some(old)
    }

    pub(crate) fn put_node_pool(&mut self, pool: NodePool) {
        self.node_pools.insert(pool.name.as_str().into(), Arc::new(pool));
        self.touch(TableId::NodePools);
    }

    pub(crate) fn remove_node_pool(&mut self, name: &str) -> Option<Arc<NodePool>> {
        let old = self.node_pools.remove(name)?;
        self.touch(TableId::NodePools);
        Some(old)
    }
}
