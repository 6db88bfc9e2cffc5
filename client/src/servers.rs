//! The way to the servers.

use std::{fmt, sync::Arc};

use drover_model::rpc::{
    self,
    node::{
        NodeAllocations, NodeAllocationsItem, NodeHeartbeat, NodeRegister, NodeReport, NodeReportReply, NodeWelcome, ServicesRemove,
        ServicesUpsert, SignIdentities, SignedIdentities,
    },
};
use drover_runtime::rpc::{Dispatch, ItemStream};
use futures::{FutureExt, future::BoxFuture};

pub use remote::RemoteServers;

mod remote;

pub type Reply<'a, T> = BoxFuture<'a, Result<T, rpc::Error>>;

/// What the client says to the servers. Whoever implements it finds a server that answers; the client sets time limits and tries again.
pub trait Servers: Send + Sync + fmt::Debug {
    fn register(&self, request: NodeRegister) -> Reply<'_, NodeWelcome>;
    fn heartbeat(&self, request: NodeHeartbeat) -> Reply<'_, NodeWelcome>;
    fn report(&self, request: NodeReport) -> Reply<'_, NodeReportReply>;
    fn sign(&self, request: SignIdentities) -> Reply<'_, SignedIdentities>;
    fn upsert_services(&self, request: ServicesUpsert) -> Reply<'_, NodeReportReply>;
    fn remove_services(&self, request: ServicesRemove) -> Reply<'_, NodeReportReply>;

    /// The stream of this node's allocations: first all of them, then changes.
    fn allocations(&self, request: NodeAllocations) -> Reply<'_, ItemStream<NodeAllocationsItem>>;

    /// What the servers may ask of this client (logs, restarts, ...), over whatever leads back to it.
    fn serve(&self, client: Arc<dyn Dispatch>);

    /// The server in use does not help (it hangs, or lags behind): the next call goes to another one, if there is one.
    fn give_up(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    /// The servers told their addresses.
    fn learn(&self, addresses: &[String]) {
        let _ = addresses;
    }
}
