//! What all runners of one client use together.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use drover_model::{ids::AllocId, node::Node, rpc::node::NodeAuth, time::UnixNanos};
use drover_runtime::Runtime;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    config::ClientConfig, drivers::Driver, files::Lanes, parts::ClientParts, reports::Reports, services::Registries, state::State,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) runtime: Runtime,
    pub(crate) parts: ClientParts,
    pub(crate) drivers: BTreeMap<String, Arc<dyn Driver>>,
    pub(crate) registries: Registries,
    pub(crate) state: State,
    pub(crate) reports: Reports,
    pub(crate) auth: NodeAuth,
    pub(crate) lanes: Lanes,
    pub(crate) node: watch::Sender<Arc<Node>>,
    /// When the servers last answered.
    pub(crate) contact: watch::Sender<Instant>,
    /// The client ends; what its runners do beside the tasks ends with it.
    pub(crate) shutdown: CancellationToken,
}

impl Shared {
    pub(crate) fn now(&self) -> UnixNanos {
        self.runtime.clock.now()
    }

    pub(crate) fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node.borrow())
    }

    pub(crate) fn alloc_root(&self, alloc: AllocId) -> PathBuf {
        self.config.alloc_dir.join(alloc.to_string())
    }

    /// The node's address, for services without a port of their own.
    pub(crate) fn host_ip(&self) -> String {
        self.node.borrow().attributes.get("unique.network.ip-address").cloned().unwrap_or_default()
    }
}
