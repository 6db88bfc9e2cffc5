//! What servers say to each other to agree.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use drover_model::{
    method,
    rpc::{Error, Method},
};
use drover_runtime::{
    Network as Transport,
    rpc::{Caller, Connection, Header, Hello, Role, Router, Silence},
};
use openraft::{
    AnyError, EntryPayload, Raft,
    error::{InstallSnapshotError, NetworkError, PayloadTooLarge, RPCError, RaftError, RemoteError, Unreachable},
    network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory},
    raft::{AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest, VoteResponse},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    contact::{Contact, Lease},
    headroom::Headroom,
    log::Flushed,
    proposer::CROWD,
    types::{Entry, LogId, ServerNode, SnapshotMeta, TypeConfig, Vote},
};

/// Before a server that cannot be reached is tried again.
const BACKOFF: Duration = Duration::from_millis(200);
/// How long the news of what is committed waits for an append that takes it along, while many write.
const SOON: Duration = Duration::from_millis(1);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Append(AppendEntriesRequest<TypeConfig>);

method!(Append, "raft.append", Result<AppendEntriesResponse<u64>, RaftError<u64>>);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct AskForVote(VoteRequest<u64>);

method!(AskForVote, "raft.vote", Result<VoteResponse<u64>, RaftError<u64>>);

/// A piece of a snapshot.
#[derive(Serialize, Deserialize)]
struct SnapshotPiece {
    vote: Vote,
    meta: SnapshotMeta,
    offset: u64,
    #[serde(with = "drover_model::rpc::as_bytes")]
    data: Vec<u8>,
    done: bool,
}

method!(SnapshotPiece, "raft.snapshot", Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>);

/// Whether a caller is a server, and this one can take anything up: while its log waits for room, openraft would only heap up what it is asked.
fn taken(caller: &Caller, headroom: &Headroom) -> Result<(), Error> {
    server(caller)?;
    can_write(headroom)
}

/// Nothing can be agreed on with a server whose log waits for room, neither as a follower nor as the leader: then the others are to find themselves another one.
fn can_write(headroom: &Headroom) -> Result<(), Error> {
    if headroom.log_waits() { Err(Error::unavailable("the disk of this server is full")) } else { Ok(()) }
}

/// Answers what other servers ask. No vote is given before `bound_until`.
pub(super) fn router(raft: &Raft<TypeConfig>, contact: &Arc<Contact>, headroom: &Arc<Headroom>, bound_until: Instant) -> Router {
    let (append, vote, snapshot) = (raft.clone(), raft.clone(), raft.clone());
    let (contact, room) = (Arc::clone(contact), [(); 3].map(|()| Arc::clone(headroom)));
    let [room_to_append, room_to_vote, room_to_install] = room;
    Router::new()
        .method(move |caller, message: Append| {
            let (raft, contact, taken) = (append.clone(), Arc::clone(&contact), taken(&caller, &room_to_append));
            async move {
                taken?;
                let leader = message.0.vote.leader_id.node_id;
                let answer = raft.append_entries(message.0).await;
                if answer.as_ref().is_ok_and(accepted) {
                    contact.heard(leader, caller.connection);
                }
                Ok(answer)
            }
        })
        .method(move |caller, message: AskForVote| {
            let (raft, taken) = (vote.clone(), taken(&caller, &room_to_vote));
            async move {
                let raft = taken.map(|()| raft)?;
                tokio::time::sleep_until(bound_until).await;
                raft.vote(message.0).await.pipe()
            }
        })
        .method(move |caller, SnapshotPiece { vote, meta, offset, data, done }: SnapshotPiece| {
            let (raft, taken) = (snapshot.clone(), taken(&caller, &room_to_install));
            let request = InstallSnapshotRequest { vote, meta, offset, data, done };
            async move { taken.map(|()| raft)?.install_snapshot(request).await.pipe() }
        })
}

/// Raft's own errors are part of the answer.
trait Pipe: Sized {
    fn pipe(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<T, E> Pipe for Result<T, E> {}

/// Whether the one who answers follows the leader who asked.
fn accepted(answer: &AppendEntriesResponse<u64>) -> bool {
    !matches!(answer, AppendEntriesResponse::HigherVote(_))
}

/// Nobody but servers may take part.
pub(crate) fn server(caller: &Caller) -> Result<(), Error> {
    match &caller.connection {
        Some(connection) if connection.peer().role == Role::Server => Ok(()),
        _ => Err(Error::forbidden()),
    }
}

/// After so many calls in a row without an answer, a connection is given up for a new one: what a break in the network has swallowed, TCP may send again only much
/// later.
const UNANSWERED: u32 = 5;

/// A connection, and how many calls over it have had no answer since the last one that had.
#[derive(Clone)]
struct Way {
    connection: Connection,
    unanswered: Arc<AtomicU32>,
}

/// Counts a call as unanswered when it is given up, which is when openraft drops it.
struct Attempt<'a> {
    way: &'a Way,
    answered: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.answered {
            self.way.unanswered.store(0, Ordering::Relaxed);
        } else if self.way.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= UNANSWERED {
            self.way.connection.close();
        }
    }
}

/// The ways to the other servers. Clones share them.
#[derive(Clone)]
pub(super) struct Network {
    transport: Arc<dyn Transport>,
    hello: Hello,
    lease: Arc<Lease>,
    headroom: Arc<Headroom>,
    flushed: Flushed,
    ways: Arc<Mutex<BTreeMap<String, Way>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("hello", &self.hello).finish_non_exhaustive()
    }
}

impl Network {
    pub(super) fn new(transport: Arc<dyn Transport>, hello: Hello, lease: Arc<Lease>, headroom: Arc<Headroom>, flushed: Flushed) -> Self {
        Self { transport, hello, lease, headroom, flushed, ways: Arc::default() }
    }

    /// Of what openraft takes for committed, what is on this server's disk. With nothing to send but that, waits for the rest a little.
    async fn shown(&self, committed: Option<LogId>, wait: Duration) -> Option<LogId> {
        let committed = committed?;
        if !wait.is_zero() {
            // Later messages tell the rest.
            let _ = tokio::time::timeout(wait, self.flushed.until(committed)).await;
        }
        self.flushed.upto().map(|upto| upto.min(committed))
    }

    fn known(&self, address: &str) -> Option<Way> {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.get(address).filter(|way| !way.connection.is_closed()).cloned()
    }

    async fn way(&self, address: &str) -> Result<Way, std::io::Error> {
        if let Some(way) = self.known(address) {
            return Ok(way);
        }
        // The other end has nothing to ask over this connection: it dials itself.
        let connection = Connection::open(&*self.transport, address, self.hello.clone(), Arc::new(Router::new())).await?;
        let way = Way { connection, unanswered: Arc::default() };
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).insert(address.to_owned(), way.clone());
        Ok(way)
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Route;

    async fn new_client(&mut self, target: u64, node: &ServerNode) -> Route {
        Route { network: self.clone(), target, node: node.clone(), silence: Silence::default(), told: None, in_crowd: None }
    }
}

/// The way to one other server.
pub(super) struct Route {
    network: Network,
    target: u64,
    node: ServerNode,
    silence: Silence,
    /// The newest commit that the other server has been told of.
    told: Option<LogId>,
    /// The entry that it has just taken, when that was one of many commands.
    in_crowd: Option<LogId>,
}

impl Route {
    /// Whether another append is about to take along what this message would tell: that more is committed. It would be in that one's way, since a server is sent
    /// one message after the other.
    async fn is_overtaken(&mut self, rpc: &AppendEntriesRequest<TypeConfig>) -> bool {
        let is_news = rpc.entries.is_empty() && rpc.leader_commit > self.told;
        let Some(sent) = self.in_crowd.take().filter(|_| is_news) else { return false };
        tokio::time::timeout(SOON, self.network.flushed.until_after(sent)).await.is_ok()
    }

    async fn call<M, T, E>(&mut self, message: M, option: &RPCOption) -> Result<T, RPCError<u64, ServerNode, RaftError<u64, E>>>
    where
        M: Method<Reply = Result<T, RaftError<u64, E>>>,
        E: std::error::Error,
    {
        let ServerNode { name, addr: address, .. } = &self.node;
        if let Some((lasts, error)) = self.silence.asked() {
            tracing::warn!(name, address, ?lasts, error, "a server does not answer; it is asked on and on");
        }
        let answer = self.ask(message, option.hard_ttl()).await;
        if let Some(error) = answer.as_ref().err().filter(|error| error.is_unavailable()) {
            self.silence.failed(&error.message);
        } else if let Some(lasted) = self.silence.answered() {
            tracing::info!(name = self.node.name, address = self.node.addr, ?lasted, "a server answers again");
        }
        match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(RPCError::RemoteError(RemoteError::new(self.target, error))),
            Err(error) if error.status == 413 => Err(RPCError::PayloadTooLarge(PayloadTooLarge::new_entries_hint(1))),
            Err(error) if error.is_unavailable() => Err(unreachable(&error)),
            Err(error) => Err(RPCError::Network(NetworkError::new(&error))),
        }
    }

    async fn ask<M: Method>(&self, message: M, limit: Duration) -> Result<M::Reply, Error> {
        let way = match tokio::time::timeout(limit, self.network.way(&self.node.addr)).await {
            Ok(way) => way.map_err(|error| Error::unavailable(error.to_string()))?,
            Err(_) => return Err(Error::unavailable(format!("no connection within {limit:?}"))),
        };
        let mut attempt = Attempt { way: &way, answered: false };
        let answer = way.connection.call(&Header::default(), &message, limit).await;
        attempt.answered = !answer.as_ref().is_err_and(Error::is_unavailable);
        answer
    }
}

/// Whether an entry is of many commands: then more are to follow at once.
fn is_crowd(entry: &Entry) -> bool {
    matches!(&entry.payload, EntryPayload::Normal(batch) if batch.items.len() >= CROWD)
}

fn unreachable<E: std::error::Error>(error: &(impl std::error::Error + 'static)) -> RPCError<u64, ServerNode, E> {
    RPCError::Unreachable(Unreachable::from(AnyError::new(error)))
}

impl RaftNetwork<TypeConfig> for Route {
    async fn append_entries(
        &mut self,
        mut rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, ServerNode, RaftError<u64>>> {
        can_write(&self.network.headroom).map_err(|error| unreachable(&error))?;
        if self.is_overtaken(&rpc).await {
            // It has taken what is before: that is all that openraft takes from it.
            return Ok(AppendEntriesResponse::Success);
        }
        let wait = if rpc.entries.is_empty() { option.soft_ttl() / 2 } else { Duration::ZERO };
        rpc.leader_commit = self.network.shown(rpc.leader_commit, wait).await;
        let (term, asked) = (rpc.vote.leader_id.term, Instant::now());
        let (committed, last) = (rpc.leader_commit, rpc.entries.last().filter(|entry| is_crowd(entry)).map(|entry| entry.log_id));
        let answer = self.call(Append(rpc), &option).await;
        if answer.as_ref().is_ok_and(accepted) {
            self.network.lease.acknowledged(term, self.target, asked);
        }
        if let Ok(AppendEntriesResponse::Success) = answer {
            (self.told, self.in_crowd) = (committed, last);
        }
        answer
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, ServerNode, RaftError<u64, InstallSnapshotError>>> {
        let InstallSnapshotRequest { vote, meta, offset, data, done } = rpc;
        self.call(SnapshotPiece { vote, meta, offset, data, done }, &option).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, ServerNode, RaftError<u64>>> {
        self.call(AskForVote(rpc), &option).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}
