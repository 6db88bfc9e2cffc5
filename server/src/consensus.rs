//! What all servers agree on: one order of commands.
//!
//! The only user of openraft. Whoever writes calls [`Consensus::propose`]; the commands that wait become one log entry, which is on a majority's disks before
//! any of them is answered. What the commands mean is the [`StateMachine`]'s.
//!
//! Where to start: [`Consensus::start`] and [`Consensus::propose`]; then [`log`] for what is on disk, `machine` for how entries reach the state machine,
//! `network` for what servers say to each other.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drover_model::rpc;
use drover_runtime::{
    DiskLock, Runtime, apart,
    rpc::{Hello, Role, Router},
};
use openraft::{Raft, ServerState, storage::RaftLogStorage};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use self::{
    contact::{Contact, Lease},
    failover::Failover,
    headroom::Headroom,
    leadership::Watch,
    log::LogStore,
    machine::Adapter,
    network::Network,
    proposer::Proposer,
    snapshot::SnapshotStore,
};
pub use self::{
    leadership::{Leadership, Peer},
    machine::{BoxError, SnapshotSource, StateMachine},
    options::Options,
    types::{Batch, ServerNode, TypeConfig},
};
use crate::fsm::command::{Applied, Command};

mod contact;
mod failover;
mod headroom;
mod identity;
mod leadership;
pub mod log;
mod machine;
mod membership;
pub(crate) mod network;
mod options;
mod proposer;
mod recovery;
mod snapshot;
#[cfg(test)]
mod tests;
mod types;

/// How long shutting down may wait for what is under way.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why something was not agreed on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Nobody can be asked right now.
    #[error("No cluster leader")]
    NoLeader,
    /// Ask the one at `address`.
    #[error("this server is not the leader; the one at {address} is")]
    NotLeader { id: u64, address: String },
    /// It may still happen.
    #[error("not known to be committed after {after:?}; it may still be")]
    Timeout { after: Duration },
    /// It may have happened.
    #[error("the leader changed while it was asked; it may or may not have been done")]
    Deposed,
    #[error("this server is shutting down")]
    Shutdown,
    #[error("a command of {size} bytes, where {most} is the most: split it")]
    TooLarge { size: usize, most: usize },
    /// It cannot be done now, and nothing has changed.
    #[error("{0}")]
    Unable(String),
    /// There is no room on the disk, here or at a majority. Where it says nothing else, nothing was proposed.
    #[error("{0}")]
    Full(String),
    #[error("cannot encode a command: {0}")]
    Encode(String),
    /// This server has stopped taking part.
    #[error("{0}")]
    Storage(String),
    #[error("cannot start: {0}")]
    Start(String),
}

impl From<log::Error> for Error {
    fn from(error: log::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<Error> for rpc::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NoLeader | Error::NotLeader { .. } => Self::no_leader(),
            Error::Timeout { .. } | Error::Deposed | Error::Shutdown | Error::Full(_) => Self::unavailable(error.to_string()),
            Error::TooLarge { .. } => Self::new(413, error.to_string()),
            Error::Unable(_) | Error::Encode(_) | Error::Storage(_) | Error::Start(_) => Self::internal(error.to_string()),
        }
    }
}

/// What this server knows of the log, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub id: u64,
    pub term: u64,
    /// `Leader`, `Follower`, `Candidate`, `Learner` or `Shutdown`.
    pub state: String,
    /// The term of the newest entry that is applied.
    pub last_log_term: u64,
    pub last_log_index: u64,
    pub applied_index: u64,
    pub snapshot_index: u64,
    /// Set when this server has stopped taking part.
    pub failure: Option<String>,
}

/// This server's part in the agreement. Clones are the same.
#[derive(Clone)]
pub struct Consensus {
    inner: Arc<Inner>,
}

struct Inner {
    id: u64,
    node: ServerNode,
    raft: Raft<TypeConfig>,
    contact: Arc<Contact>,
    lease: Arc<Lease>,
    /// What this server promised before it was started again, to vote for nobody else for so long after its leader's last message, is not written down: it
    /// votes for nobody until that is over in any case.
    bound_until: Instant,
    log: LogStore,
    headroom: Arc<Headroom>,
    proposer: Proposer,
    leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Given back when this server has stopped.
    lock: Mutex<Option<DiskLock>>,
}

impl fmt::Debug for Consensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus").field("id", &self.inner.id).field("leadership", &*self.inner.leadership.borrow()).finish()
    }
}

impl Consensus {
    /// Opens what is on disk and takes part. `state_machine` is as new: it is restored from the snapshot and the log.
    ///
    /// A server alone (`bootstrap_expect` 1, or a log that names only itself) is elected at once.
    pub async fn start(options: Options, runtime: &Runtime, state_machine: impl StateMachine) -> Result<Self, Error> {
        let config = options.raft_config()?;
        let Opened { mut log, id, mut adapter, lock, headroom } = open(&options.folder, runtime, Box::new(state_machine)).await?;
        if let Some(recovery) = recovery::read(&*runtime.disk, &options.folder, id)? {
            recovery.run(&*runtime.disk, &options.folder, &mut log, &mut adapter).await?;
        }
        let hello = Hello::new(Role::Server, &options.region, &options.name);
        let contact = Arc::new(Contact::new());
        let lease = Arc::new(Lease::new(Duration::from_millis(config.election_timeout_max)));
        let network = Network::new(Arc::clone(&runtime.network), hello, Arc::clone(&lease), Arc::clone(&headroom), log.flushed());
        let promised = log.read_vote().await.map_err(|error| Error::Storage(error.to_string()))?;
        let promised = promised.map_or(0, |vote| vote.leader_id.term);
        let installed = adapter.installed();
        let raft =
            Raft::new(id, Arc::new(config), network, log.clone(), adapter).await.map_err(|error| Error::Storage(error.to_string()))?;
        let stop = CancellationToken::new();
        let watch = Watch { raft: raft.clone(), id, address: options.address.clone(), lease: Arc::clone(&lease) };
        let (leadership, watching) = watch.start(stop.clone());
        let (proposer, proposing) =
            Proposer::start(raft.clone(), Arc::clone(&runtime.clock), Arc::clone(&headroom), installed, stop.clone());
        let looking = tokio::spawn(Arc::clone(&headroom).run(stop.clone()));
        let settling = tokio::spawn(log.clone().run(stop.clone()));
        let network = Arc::clone(&runtime.network);
        let failover = Failover { raft: raft.clone(), id, contact: Arc::clone(&contact), network, lease: lease.duration() };
        let failing_over = tokio::spawn(failover.run(stop.clone()));
        let tasks = Mutex::new(vec![watching, proposing, failing_over, looking, settling]);
        let lock = Mutex::new(Some(lock));
        let node = ServerNode {
            addr: options.address.clone(),
            name: options.name.clone(),
            datacenter: options.datacenter.clone(),
            non_voting: options.non_voting,
        };
        // One that has never voted has promised nothing.
        let bound_until = Instant::now() + if promised > 0 { lease.duration() } else { Duration::ZERO };
        let inner = Inner { id, node, raft, contact, lease, bound_until, log, headroom, proposer, leadership, stop, tasks, lock };
        let consensus = Self { inner: Arc::new(inner) };
        match consensus.take_part(&options).await {
            Ok(()) => Ok(consensus),
            Err(error) => {
                consensus.shutdown().await;
                Err(error)
            }
        }
    }

    /// Makes a new server alone its own leader, and an old one without waiting for others that are not there.
    async fn take_part(&self, options: &Options) -> Result<(), Error> {
        let raft = &self.inner.raft;
        let failed = |error: String| Error::Start(format!("cannot become the leader: {error}"));
        if raft.is_initialized().await.map_err(|error| failed(error.to_string()))? {
            let alone = raft.metrics().borrow().membership_config.membership().voter_ids().eq([self.inner.id]);
            if alone {
                raft.trigger().elect().await.map_err(|error| failed(error.to_string()))?;
            }
        } else if options.bootstrap_expect == 1 {
            self.initialize(BTreeMap::from([(self.inner.id, self.inner.node.clone())])).await?;
        }
        Ok(())
    }

    /// Begins a new cluster of these servers. On one of them is enough; on all of them is fine.
    pub async fn initialize(&self, servers: BTreeMap<u64, impl Into<ServerNode>>) -> Result<(), Error> {
        let nodes: BTreeMap<u64, ServerNode> = servers.into_iter().map(|(id, node)| (id, node.into())).collect();
        self.inner.raft.initialize(nodes).await.map_err(|error| Error::Start(format!("cannot begin a cluster: {error}")))
    }

    /// Gets a command into the log and applied here. On an error it may or may not be applied later, except where nothing was proposed
    /// ([`Error::NoLeader`], [`Error::NotLeader`], [`Error::TooLarge`], and [`Error::Full`] where it says nothing else).
    pub async fn propose(&self, command: Command) -> Result<Applied, Error> {
        self.inner.proposer.propose(command).await
    }

    /// Returns once this server's state has everything that was committed when it was called; only the leader can say.
    pub async fn barrier(&self) -> Result<(), Error> {
        // While the log waits for room openraft answers nothing. What it would ask the others, the lease knows as well.
        if self.inner.headroom.log_waits() && self.holds_lease() && self.is_leader() {
            return Ok(());
        }
        let limit = proposer::PROPOSE_TIMEOUT;
        let newest = async {
            self.inner.raft.ensure_linearizable().await.map_err(|error| leadership::not_leader(error.forward_to_leader()))?;
            self.confirmed().await
        };
        tokio::time::timeout(limit, newest).await.unwrap_or(Err(Error::Timeout { after: limit }))
    }

    /// Waits until what openraft says of this leader is to be relied on, as [`Leadership::is_self`] says.
    async fn confirmed(&self) -> Result<(), Error> {
        let (mut leadership, mut metrics) = (self.inner.leadership.clone(), self.inner.raft.metrics());
        tokio::select! {
            known = leadership.wait_for(|leadership| leadership.is_self) => known.map(drop).map_err(|_| Error::Shutdown),
            _ = metrics.wait_for(|metrics| metrics.current_leader != Some(self.inner.id)) => Err(Error::NoLeader),
        }
    }

    /// As [`Consensus::barrier`], at no cost while the majority is known to follow.
    pub async fn ensure_newest(&self) -> Result<(), Error> {
        if self.holds_lease() && self.is_leader() { Ok(()) } else { self.barrier().await }
    }

    fn holds_lease(&self) -> bool {
        self.inner.lease.is_held(&self.inner.raft.server_metrics().borrow())
    }

    /// How long ago this server's leader was heard; nothing for the leader itself, and none when nobody was.
    pub fn last_contact(&self) -> Option<Duration> {
        if self.is_leader() { Some(Duration::ZERO) } else { self.inner.contact.last().map(|last| last.elapsed()) }
    }

    /// Whether this server's disk is full, or nearly so: another one should lead.
    pub fn is_short_of_room(&self) -> bool {
        self.inner.headroom.is_short()
    }

    /// Whether nothing can be agreed on with this server until its disk has room. What it knows of who leads may be old.
    pub fn waits_for_room(&self) -> bool {
        self.inner.headroom.log_waits()
    }

    /// Says why commands would not come to a majority's disks, though this server's has room; none: they do.
    pub fn set_room_elsewhere(&self, why: Option<String>) {
        self.inner.headroom.set_elsewhere(why);
    }

    /// How long ago another server was known to follow this leader.
    pub fn follower_contact(&self, id: u64) -> Option<Duration> {
        self.inner.lease.since(id)
    }

    /// For how long followers grant nobody else their vote after they have heard this leader.
    pub fn lease(&self) -> Duration {
        self.inner.lease.duration()
    }

    pub fn id(&self) -> u64 {
        self.inner.id
    }

    /// What other servers are told of this one.
    pub fn node(&self) -> &ServerNode {
        &self.inner.node
    }

    /// Whether this server leads and has applied all that earlier leaders committed.
    pub fn is_leader(&self) -> bool {
        self.inner.leadership.borrow().is_self
    }

    pub fn leadership(&self) -> Leadership {
        self.inner.leadership.borrow().clone()
    }

    /// Follows who leads.
    pub fn leader_changes(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// The servers that take part, as far as this one knows.
    pub fn peers(&self) -> Vec<Peer> {
        let membership = Arc::clone(&self.inner.raft.metrics().borrow().membership_config);
        let membership = membership.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let peer = |(id, node): (&u64, &ServerNode)| {
            // The log may still have the address that this server had before its last restart.
            let node = if *id == self.inner.id { &self.inner.node } else { node };
            Peer::new(*id, node, voters.contains(id))
        };
        membership.nodes().map(peer).collect()
    }

    pub fn status(&self) -> Status {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow();
        Status {
            id: metrics.id,
            term: metrics.current_term,
            state: match metrics.state {
                ServerState::Leader => "Leader",
                ServerState::Follower => "Follower",
                ServerState::Candidate => "Candidate",
                ServerState::Learner => "Learner",
                ServerState::Shutdown => "Shutdown",
            }
            .to_owned(),
            last_log_term: metrics.last_applied.map_or(0, |id| id.leader_id.term),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            applied_index: metrics.last_applied.map_or(0, |id| id.index),
            snapshot_index: metrics.snapshot.map_or(0, |id| id.index),
            failure: metrics.running_state.as_ref().err().map(ToString::to_string),
        }
    }

    /// Writes a snapshot now, so that the next start replays less.
    pub async fn snapshot(&self) -> Result<(), Error> {
        self.inner.raft.trigger().snapshot().await.map_err(|error| Error::Storage(error.to_string()))
    }

    /// What other servers call here.
    pub fn router(&self) -> Router {
        network::router(&self.inner.raft, &self.inner.contact, &self.inner.headroom, self.inner.bound_until).merge(membership::router(self))
    }

    /// Stops taking part; returns once everything that was written is on disk.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.headroom.give_up();
        let work = async {
            if let Err(error) = self.inner.raft.shutdown().await {
                tracing::warn!(%error, "consensus did not stop cleanly");
            }
            let tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
            for task in tasks {
                let _ = task.await;
            }
            self.inner.log.close().await;
            drop(self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, work).await.is_err() {
            tracing::warn!("consensus did not stop within {SHUTDOWN_TIMEOUT:?}");
        }
    }
}

/// What a server needs to take part.
struct Opened {
    log: LogStore,
    id: u64,
    adapter: Adapter,
    lock: DiskLock,
    headroom: Arc<Headroom>,
}

/// Opens the log, this server's id and the snapshot, which must fit each other.
async fn open(folder: &Path, runtime: &Runtime, machine: Box<dyn StateMachine>) -> Result<Opened, Error> {
    let (folder, disk, random) = (folder.to_owned(), Arc::clone(&runtime.disk), Arc::clone(&runtime.random));
    let work = move || {
        let failed = |action| {
            let path = folder.clone();
            move |source| log::Error::Io { path, action, source: Arc::new(source) }
        };
        disk.create_dir_all(&folder).map_err(failed("create"))?;
        let lock = match disk.lock(&folder.join("lock")) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(log::Error::InUse { folder }.into()),
            Err(error) => return Err(failed("lock")(error).into()),
        };
        let known = identity::read(&*disk, &folder)?;
        let headroom = Arc::new(Headroom::new(Arc::clone(&disk), &folder));
        let log = LogStore::open_beside(Arc::clone(&disk), &folder.join("log"), known.is_some(), Arc::clone(&headroom))?;
        let id = identity::settle(&*disk, &folder, &*random, known, log.is_pristine())?;
        log.set_owner(id);
        let snapshots = SnapshotStore::new(disk, &folder);
        let adapter = Adapter::open(machine, snapshots, Arc::clone(&headroom), log.flushed())?;
        log.check_snapshot(adapter.applied())?;
        headroom.look();
        Ok(Opened { log, id, adapter, lock, headroom })
    };
    apart(work).await.map_err(|error| Error::Storage(error.to_string()))?
}
