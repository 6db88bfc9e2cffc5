//! What servers say to each other to agree.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drover_model::rpc::{Error, Method};
use drover_runtime::{
    Network as Transport,
    rpc::{Caller, Connection, Header, Hello, Role, Router},
};
use openraft::{
    AnyError, BasicNode, Raft,
    error::{InstallSnapshotError, NetworkError, PayloadTooLarge, RPCError, RaftError, RemoteError, Unreachable},
    network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory},
    raft::{AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest, VoteResponse},
};
use serde::{Deserialize, Serialize};

use super::types::{SnapshotMeta, TypeConfig, Vote, as_bytes};

/// Before a server that cannot be reached is tried again.
const BACKOFF: Duration = Duration::from_millis(200);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Append(AppendEntriesRequest<TypeConfig>);

impl Method for Append {
    const NAME: &'static str = "raft.append";
    type Reply = Result<AppendEntriesResponse<u64>, RaftError<u64>>;
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct AskForVote(VoteRequest<u64>);

impl Method for AskForVote {
    const NAME: &'static str = "raft.vote";
    type Reply = Result<VoteResponse<u64>, RaftError<u64>>;
}

/// A piece of a snapshot.
#[derive(Serialize, Deserialize)]
struct SnapshotPiece {
    vote: Vote,
    meta: SnapshotMeta,
    offset: u64,
    #[serde(with = "as_bytes")]
    data: Vec<u8>,
    done: bool,
}

impl Method for SnapshotPiece {
    const NAME: &'static str = "raft.snapshot";
    type Reply = Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>;
}

/// Answers what other servers ask.
pub(super) fn router(raft: Raft<TypeConfig>) -> Router {
    let (append, vote, snapshot) = (raft.clone(), raft.clone(), raft);
    Router::new()
        .method(move |caller, message: Append| {
            let raft = append.clone();
            async move { server(&caller).map(|()| raft)?.append_entries(message.0).await.pipe() }
        })
        .method(move |caller, message: AskForVote| {
            let raft = vote.clone();
            async move { server(&caller).map(|()| raft)?.vote(message.0).await.pipe() }
        })
        .method(move |caller, SnapshotPiece { vote, meta, offset, data, done }: SnapshotPiece| {
            let raft = snapshot.clone();
            let request = InstallSnapshotRequest { vote, meta, offset, data, done };
            async move { server(&caller).map(|()| raft)?.install_snapshot(request).await.pipe() }
        })
}

/// Raft's own errors are part of the answer.
trait Pipe: Sized {
    fn pipe(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<T, E> Pipe for Result<T, E> {}

/// Nobody but servers may take part.
fn server(caller: &Caller) -> Result<(), Error> {
    match &caller.connection {
        Some(connection) if connection.peer().role == Role::Server => Ok(()),
        _ => Err(Error::forbidden()),
    }
}

/// The ways to the other servers. Clones share them.
#[derive(Clone)]
pub(super) struct Network {
    transport: Arc<dyn Transport>,
    hello: Hello,
    connections: Arc<Mutex<BTreeMap<String, Connection>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("hello", &self.hello).finish_non_exhaustive()
    }
}

impl Network {
    pub(super) fn new(transport: Arc<dyn Transport>, hello: Hello) -> Self {
        Self { transport, hello, connections: Arc::default() }
    }

    fn known(&self, address: &str) -> Option<Connection> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.get(address).filter(|connection| !connection.is_closed()).cloned()
    }

    async fn connection(&self, address: &str) -> Result<Connection, std::io::Error> {
        if let Some(connection) = self.known(address) {
            return Ok(connection);
        }
        // The other end has nothing to ask over this connection: it dials itself.
        let connection = Connection::open(&*self.transport, address, self.hello.clone(), Arc::new(Router::new())).await?;
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(address.to_owned(), connection.clone());
        Ok(connection)
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Route;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Route {
        Route { network: self.clone(), target, address: node.addr.clone() }
    }
}

/// The way to one other server.
pub(super) struct Route {
    network: Network,
    target: u64,
    address: String,
}

impl Route {
    async fn call<M, T, E>(&self, message: M, option: &RPCOption) -> Result<T, RPCError<u64, BasicNode, RaftError<u64, E>>>
    where
        M: Method<Reply = Result<T, RaftError<u64, E>>>,
        E: std::error::Error,
    {
        let limit = option.hard_ttl();
        let connecting = tokio::time::timeout(limit, self.network.connection(&self.address));
        let connection = match connecting.await {
            Ok(connection) => connection.map_err(|error| unreachable(&error))?,
            Err(elapsed) => return Err(unreachable(&elapsed)),
        };
        match connection.call(&Header::default(), &message, limit).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(RPCError::RemoteError(RemoteError::new(self.target, error))),
            Err(error) if error.status == 413 => Err(RPCError::PayloadTooLarge(PayloadTooLarge::new_entries_hint(1))),
            Err(error) if error.is_unavailable() => Err(unreachable(&error)),
            Err(error) => Err(RPCError::Network(NetworkError::new(&error))),
        }
    }
}

fn unreachable<E: std::error::Error>(error: &(impl std::error::Error + 'static)) -> RPCError<u64, BasicNode, E> {
    RPCError::Unreachable(Unreachable::from(AnyError::new(error)))
}

impl RaftNetwork<TypeConfig> for Route {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        self.call(Append(rpc), &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        let InstallSnapshotRequest { vote, meta, offset, data, done } = rpc;
        self.call(SnapshotPiece { vote, meta, offset, data, done }, &option).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        self.call(AskForVote(rpc), &option).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}
