//! Namespaces and node pools.

use drover_model::{
    job::JobStatus,
    namespace::{DEFAULT_NAMESPACE, Namespace, NodePool},
};

use super::{Change, Done, Refusal};

impl Change<'_> {
    pub(super) fn namespace_put(&mut self, mut namespace: Namespace) -> Done {
        let known = self.state.namespace(&namespace.name);
        if known.is_some_and(|known| known.hash == namespace.hash && !known.hash.is_empty()) {
            return Ok(());
        }
        if !namespace.quota.is_empty() && self.state.quota(&namespace.quota).is_none() {
            return Err(Refusal::invalid(format!("quota {:?} does not exist", namespace.quota)));
        }
        namespace.create_index = known.map_or(self.index, |known| known.create_index);
        namespace.modify_index = self.index;
        // What it used of the quota that it had until now is free for others, and what waits for that one is no longer bound by it.
        if known.is_some_and(|known| known.quota != namespace.quota) {
            self.unblock_quota_of(&namespace.name);
        }
        self.state.put_namespace(namespace);
        Ok(())
    }

    /// Refused while a job of it may still run, or something is kept in it: checked here, where nothing can come in between.
    pub(super) fn namespace_delete(&mut self, name: &str) -> Done {
        if name == DEFAULT_NAMESPACE {
            return Err(Refusal::invalid("can not delete default namespace"));
        }
        if self.state.jobs().any(|job| &*job.namespace == name && job.status != JobStatus::Dead) {
            return Err(Refusal::invalid(format!("namespace {name:?} has non-terminal jobs")));
        }
        if self.state.variables_with_prefix(&name.into(), "").next().is_some() {
            return Err(Refusal::invalid(format!("namespace {name:?} has variables")));
        }
        self.unblock_quota_of(name);
        match self.state.remove_namespace(name) {
            Some(_) => Ok(()),
            None => Err(Refusal::Refused { status: 404, message: "Namespace not found".to_owned() }),
        }
    }

    pub(super) fn node_pool_put(&mut self, mut pool: NodePool) -> Done {
        if NodePool::is_built_in(&pool.name) {
            return Err(Refusal::invalid(format!("modifying node pool {:?} is not allowed", pool.name)));
        }
        let known = self.state.node_pool(&pool.name);
        if known.is_some_and(|known| known.hash == pool.hash && known.hash.is_some()) {
            return Ok(());
        }
        pool.create_index = known.map_or(self.index, |known| known.create_index);
        pool.modify_index = self.index;
        self.state.put_node_pool(pool);
        Ok(())
    }

    pub(super) fn node_pool_delete(&mut self, name: &str) -> Done {
        if NodePool::is_built_in(name) {
            return Err(Refusal::invalid(format!("deleting node pool {name:?} is not allowed")));
        }
        if self.state.nodes().any(|node| node.node_pool == name) {
            return Err(Refusal::invalid(format!("node pool {name:?} has nodes")));
        }
        if self.state.jobs().any(|job| job.node_pool == name && job.status != JobStatus::Dead) {
            return Err(Refusal::invalid(format!("node pool {name:?} has non-terminal jobs")));
        }
        match self.state.remove_node_pool(name) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found("node pool")),
        }
    }

    /// A pool exists from the moment that a node is in it.
    pub(super) fn ensure_node_pool(&mut self, name: &str) {
        if self.state.node_pool(name).is_none() {
            let (create_index, modify_index) = (self.index, self.index);
            self.state.put_node_pool(NodePool { name: name.to_owned(), create_index, modify_index, ..NodePool::default() });
        }
    }
}
