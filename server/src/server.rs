//! One server: its parts, and how they are started and stopped.

use std::{fmt, io, sync::Arc, time::Duration};

use drover_model::{
    ids::NodeId,
    rpc::{self, Method},
    time::UnixNanos,
};
use drover_runtime::{
    Random, Runtime,
    rpc::{Caller, Connection, Dispatch, Hello, Role, Router, ServeLimits, serve},
};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::warn;

use crate::{
    clients::{ClientConnections, Way},
    config::ServerConfig,
    consensus::{self, Consensus, Peer},
    embedded::Stores,
    fsm::command::{Applied, Command},
    gc,
    gossip::{self, GossipServer, Pool},
    heartbeats::Heartbeats,
    identity::{Keyring, KeyringConfig},
    leader::Leader,
    machine::Machine,
    membership::{self, Roster},
    node_rpc,
    peers::Peers,
    perform::Services,
    propose::Propose,
    rpc::Incoming,
    scheduled,
    state::StateStore,
};

/// How long a call waits for a leader to be elected and reached.
const LEADER_WITHIN: Duration = Duration::from_secs(10);
/// Before a leader that cannot be reached is dialled again.
const REDIAL: Duration = Duration::from_millis(200);
/// How long the leader may take to answer a call that was passed on.
const PASSED_ON_WITHIN: Duration = Duration::from_secs(60);
/// How long stopping may wait for what is under way.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot accept RPC calls at {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error(transparent)]
    Consensus(#[from] consensus::Error),
    #[error(transparent)]
    Gossip(#[from] gossip::Error),
}

/// One server. What handlers need is behind its methods.
pub struct Server {
    config: ServerConfig,
    runtime: Runtime,
    address: String,
    store: Arc<StateStore>,
    services: Arc<Services>,
    consensus: Consensus,
    stores: Stores,
    keyring: Keyring,
    clients: ClientConnections,
    peers: Peers,
    gossip: Option<Pool>,
    roster: Roster,
    incoming: Incoming,
    started: UnixNanos,
    stop: CancellationToken,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.config.node_name).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A server that runs, until it is shut down.
#[derive(Debug)]
pub struct Running {
    server: Arc<Server>,
    router: Arc<Router>,
    tasks: JoinSet<()>,
}

impl Running {
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// What answers calls: for those of this process, which need no connection.
    pub fn dispatch(&self) -> Arc<dyn Dispatch> {
        Arc::clone(&self.router) as Arc<dyn Dispatch>
    }

    /// Stops: no more calls, no more services; then what was written is on disk.
    pub async fn shutdown(mut self) {
        self.server.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            warn!("not everything of the server ended in time");
            self.tasks.shutdown().await;
        }
        self.server.peers.close();
        self.server.consensus.shutdown().await;
    }
}

impl Server {
    /// Opens what is on disk, takes part in the cluster and answers calls.
    pub async fn start(config: ServerConfig, runtime: Runtime) -> Result<Running, Error> {
        let failed = |source| Error::Listen { address: config.rpc_address.clone(), source };
        let listener = runtime.network.listen(&config.rpc_address).await.map_err(failed)?;
        let address = match &config.rpc_advertise {
            Some(address) => address.clone(),
            None => listener.local_address().map_err(failed)?.to_string(),
        };
        let hello = Hello::new(Role::Server, config.region.as_str(), config.node_name.as_str());
        let store = Arc::new(StateStore::default());
        let services = Arc::new(Services::new(runtime.clone(), Heartbeats::new(config.heartbeat)));
        let machine = Machine::new(Arc::clone(&store), Arc::clone(&services));
        let options = consensus::Options {
            region: config.region.clone(),
            name: config.node_name.clone(),
            datacenter: config.datacenter.clone(),
            bootstrap_expect: config.bootstrap_expect,
            non_voting: config.non_voting,
            // The others may have elected another leader, or have taken this server out, while it was away: they are asked first.
            hold_elections: config.bootstrap_expect != 1 || !config.join.is_empty(),
            timeout_multiplier: config.raft_multiplier,
            ..consensus::Options::new(&config.data_dir, address.as_str())
        };
        let options = consensus::Options {
            snapshot_entries: config.snapshot_entries.unwrap_or(options.snapshot_entries),
            trailing_entries: config.trailing_entries.unwrap_or(options.trailing_entries),
            ..options
        };
        let consensus = Consensus::start(options, &runtime, machine).await?;
        let (gossip, gossiping) = join_gossip(&config, &runtime, &consensus).await?.unzip();
        let peers = Peers::new(Arc::clone(&runtime.network), hello.clone());
        let (clients, stop) = (ClientConnections::default(), CancellationToken::new());
        let (stores, keyring) = embedded(&config, &runtime, &store, &consensus);
        let (roster, incoming, started) = (Roster::default(), Incoming::default(), runtime.clock.now());
        let server = Arc::new(Self {
            config,
            runtime,
            address,
            store,
            services,
            consensus,
            stores,
            keyring,
            clients,
            peers,
            gossip,
            roster,
            incoming,
            started,
            stop,
        });
        let router = Arc::new(router(&server));
        let mut tasks = JoinSet::new();
        let dispatch = Arc::clone(&router) as Arc<dyn Dispatch>;
        let limits = ServeLimits { connections_per_address: server.config.rpc_connections_per_address, ..ServeLimits::default() };
        tasks.spawn(serve(listener, hello, dispatch, limits, server.stop.clone()));
        tasks.spawn(server.leader_services().run(server.consensus.leader_changes(), server.stop.clone()));
        if let Some(gossiping) = gossiping {
            tasks.spawn(gossiping.run(server.stop.clone()));
        }
        membership::start(&server, &mut tasks, &server.stop);
        tasks.spawn(scheduled::run(Arc::clone(&server), server.stop.clone()));
        Ok(Running { server, router, tasks })
    }

    fn leader_services(&self) -> Arc<Leader> {
        Arc::new(Leader {
            store: Arc::clone(&self.store),
            services: Arc::clone(&self.services),
            proposer: Arc::new(self.consensus.clone()),
            runtime: self.runtime.clone(),
            config: self.config.clone(),
            keyring: self.keyring.clone(),
        })
    }
}

/// Takes part in gossip, where the configuration wants that. A server that cannot stops again.
async fn join_gossip(config: &ServerConfig, runtime: &Runtime, consensus: &Consensus) -> Result<Option<(Pool, gossip::Driver)>, Error> {
    let Some(settings) = &config.gossip else { return Ok(None) };
    let node = consensus.node();
    let own = GossipServer {
        id: consensus.id(),
        name: node.name.clone(),
        region: config.region.clone(),
        datacenter: node.datacenter.clone(),
        rpc: node.addr.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        expect: config.bootstrap_expect,
        non_voting: node.non_voting,
        ..GossipServer::default()
    };
    match gossip::start(settings, own, &config.data_dir, runtime).await {
        Ok(started) => Ok(Some(started)),
        Err(error) => {
            consensus.shutdown().await;
            Err(error.into())
        }
    }
}

fn embedded(config: &ServerConfig, runtime: &Runtime, store: &Arc<StateStore>, consensus: &Consensus) -> (Stores, Keyring) {
    let proposer = Arc::new(consensus.clone()) as Arc<dyn Propose>;
    let (clock, random) = (Arc::clone(&runtime.clock), Arc::clone(&runtime.random));
    let keyring = KeyringConfig { region: config.region.clone(), issuer: config.oidc_issuer.clone(), algorithm: config.signing };
    let stores = Stores::new(Arc::clone(store), Arc::clone(&proposer), Arc::clone(&clock), Arc::clone(&random), config.stores.clone());
    (stores, Keyring::new(Arc::clone(store), proposer, clock, random, keyring))
}

/// Everything that a server answers.
fn router(server: &Arc<Server>) -> Router {
    let others = server.consensus.router().merge(membership::router(server));
    others.merge(node_rpc::router(server)).merge(crate::rpc::router(server))
}

/// The parts.
impl Server {
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub fn random(&self) -> &dyn Random {
        &*self.runtime.random
    }

    pub fn now(&self) -> UnixNanos {
        self.runtime.clock.now()
    }

    /// The RPC address that others reach this server at.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn store(&self) -> &StateStore {
        &self.store
    }

    pub fn consensus(&self) -> &Consensus {
        &self.consensus
    }

    pub fn services(&self) -> &Services {
        &self.services
    }

    pub fn heartbeats(&self) -> &Heartbeats {
        &self.services.heartbeats
    }

    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    pub(crate) fn gossip(&self) -> Option<&Pool> {
        self.gossip.as_ref()
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    /// When this server was started.
    pub(crate) fn started(&self) -> UnixNanos {
        self.started
    }

    /// What the servers are in place of Consul and Vault.
    pub(crate) fn clients(&self) -> &ClientConnections {
        &self.clients
    }

    /// The way to a node that is connected to this server, or in its process.
    pub(crate) fn way_to(&self, node: NodeId) -> Option<Way> {
        self.clients.get(node)
    }

    /// Whether this server can pass calls on to the client of a node without another server's help.
    pub fn reaches(&self, node: NodeId) -> bool {
        self.way_to(node).is_some()
    }

    /// Makes the client that runs in this process known: it has no connection, and other servers ask for it here.
    pub fn set_local_client(&self, node: NodeId, client: Arc<dyn Dispatch>) {
        self.clients.set_here(node, client);
    }

    /// The RPC addresses of all servers.
    pub fn server_addresses(&self) -> Vec<String> {
        let mut addresses: Vec<_> = self.consensus.peers().into_iter().map(|peer| peer.address).collect();
        if addresses.is_empty() {
            addresses.push(self.address.clone());
        }
        addresses
    }

    /// Resolves when the server is being shut down.
    pub fn stopping(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// Writing.
impl Server {
    /// Commits a command. The index it was applied at, or why it changed nothing.
    pub async fn propose(&self, command: Command) -> Result<u64, rpc::Error> {
        self.propose_checked(command).await?.accepted()
    }

    /// Commits a command; refusals are the caller's to explain.
    pub async fn propose_checked(&self, command: Command) -> Result<Applied, rpc::Error> {
        Propose::propose(&self.consensus, command).await
    }

    /// Forgets everything that has ended, however recently.
    pub async fn collect_garbage(&self) -> Result<(), rpc::Error> {
        // What one round forgets may be what kept something else.
        for _ in 0..GC_ROUNDS {
            if gc::collect(&self.store, &self.config.gc, self.now(), true, &self.consensus).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}

const GC_ROUNDS: usize = 3;

/// Leadership.
impl Server {
    /// Fails when this server does not lead; when it does, its state has everything that was committed when this was called.
    pub async fn ensure_leading(&self) -> Result<(), rpc::Error> {
        Ok(self.consensus.barrier().await?)
    }

    /// As [`Server::ensure_leading`], and free of cost while the majority is known to follow.
    pub async fn ensure_newest(&self) -> Result<(), rpc::Error> {
        Ok(self.consensus.ensure_newest().await?)
    }

    pub fn is_leader(&self) -> bool {
        self.consensus.is_leader()
    }

    /// The connection to the leader, when that is another server. Waits a while for one to be elected, and for one that can be reached.
    pub async fn leader_elsewhere(&self, caller: &Caller) -> Result<Option<Connection>, rpc::Error> {
        let found = tokio::time::timeout(LEADER_WITHIN, self.find_leader()).await;
        let connection = found.map_err(|_| rpc::Error::no_leader())?;
        // Another server thinks that this one leads. Passing the call on could send it round in circles.
        let from_server = caller.connection.as_ref().is_some_and(|connection| connection.peer().role == Role::Server);
        if connection.is_some() && from_server {
            return Err(rpc::Error::no_leader());
        }
        Ok(connection)
    }

    /// Returns once this server leads (none) or is connected to the one that does.
    async fn find_leader(&self) -> Option<Connection> {
        let own = self.consensus.id();
        let mut changes = self.consensus.leader_changes();
        loop {
            // What consensus knows is as old as the last thing that the disk had room for.
            if self.consensus.waits_for_room() && !changes.borrow().is_self {
                if let Some(leader) = self.leader_by_its_word()
                    && let Ok(connection) = self.peers.connection(&leader.address).await
                {
                    return Some(connection);
                }
                tokio::time::sleep(REDIAL).await;
                continue;
            }
            let known = changes.wait_for(|now| now.is_self || now.leader.as_ref().is_some_and(|leader| leader.id != own)).await;
            let Ok(now) = known.map(|now| now.clone()) else { return std::future::pending().await };
            let leader = now.leader.filter(|_| !now.is_self)?;
            // Who is dialled may be gone, and another be elected meanwhile.
            tokio::select! {
                connected = self.peers.connection(&leader.address) => match connected {
                    Ok(connection) => return Some(connection),
                    Err(_) => tokio::time::sleep(REDIAL).await,
                },
                _ = async { changes.wait_for(|now| now.leader.as_ref() != Some(&leader)).await.is_ok() } => {}
            }
        }
    }

    /// Lets the leader answer a call. When another is elected meanwhile, nobody knows whether the old one has done it.
    pub async fn pass_on<M: Method>(&self, to: &Connection, caller: &Caller, message: &M) -> Result<M::Reply, rpc::Error> {
        let (header, mut changes) = (caller.header(), self.consensus.leader_changes());
        let leads = |leader: Option<&Peer>| leader.is_some_and(|leader| leader.address == to.peer().address);
        tokio::select! {
            reply = to.call(&header, message, PASSED_ON_WITHIN) => reply,
            _ = async { changes.wait_for(|now| now.leader.is_some() && !leads(now.leader.as_ref())).await.is_ok() } => {
                Err(consensus::Error::Deposed.into())
            }
        }
    }
}
