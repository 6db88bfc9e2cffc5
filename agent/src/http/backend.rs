//! Who answers what routes ask: the server in this process, or one that this agent's client is connected to.

use std::{sync::Arc, time::Duration};

use drover_client::servers::RemoteServers;
use drover_model::rpc::{
    Error, Method,
    event::{EventBatch, EventStream},
    nodes::{ClientReply, ClientStream},
    snapshot::{SnapshotPiece, SnapshotSave},
};
use drover_runtime::rpc::{Caller, Handle, Header, ItemStream};
use drover_server::Server;

/// The longest that a call to another process may take: a blocking query's wait, and some time beyond it.
const CALL_TIMEOUT: Duration = Duration::from_secs(330);

#[derive(Clone, Debug)]
pub enum Backend {
    Local(Arc<Server>),
    Remote(Arc<RemoteServers>),
}

impl Backend {
    /// Makes one call.
    pub async fn call<M: Method>(&self, message: M) -> Result<M::Reply, Error>
    where
        Server: Handle<M>,
    {
        match self {
            Self::Local(server) => server.handle(Caller::default(), message).await,
            Self::Remote(servers) => servers.connection().await?.call(&Header::default(), &message, CALL_TIMEOUT).await,
        }
    }

    /// Opens a stream of some node's client.
    pub async fn subscribe_client(&self, message: ClientStream) -> Result<ItemStream<ClientReply>, Error> {
        match self {
            Self::Local(server) => {
                let server = Arc::clone(server);
                Ok(ItemStream::local(|sink| async move { server.stream_client(Caller::default(), message, sink).await }))
            }
            Self::Remote(servers) => servers.connection().await?.subscribe(&Header::default(), &message).await,
        }
    }

    /// Asks for the state as a file, in pieces.
    pub async fn save_snapshot(&self, message: SnapshotSave) -> Result<ItemStream<SnapshotPiece>, Error> {
        match self {
            Self::Local(server) => {
                let server = Arc::clone(server);
                Ok(ItemStream::local(|sink| async move { server.stream_snapshot(Caller::default(), message, sink).await }))
            }
            Self::Remote(servers) => servers.connection().await?.subscribe(&Header::default(), &message).await,
        }
    }

    /// Opens the stream of changes.
    pub async fn subscribe_events(&self, message: EventStream) -> Result<ItemStream<EventBatch>, Error> {
        match self {
            Self::Local(server) => {
                let server = Arc::clone(server);
                Ok(ItemStream::local(|sink| async move { server.stream_events(Caller::default(), message, sink).await }))
            }
            Self::Remote(servers) => servers.connection().await?.subscribe(&Header::default(), &message).await,
        }
    }
}
