//! An agent that runs: its parts, and the order in which they start and stop.

use std::{collections::BTreeMap, fs, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use drover_client::{Client, ClientParts, servers::RemoteServers, servers::Servers};
use drover_integrations::{consul::Advertiser, embedded::ServerCalls};
use drover_model::{
    ids::NodeId,
    rpc::{
        ReadOptions,
        nodes::{DrainRequest, NodeDrain, NodeGet},
    },
};
use drover_runtime::{
    MemoryDisk, Runtime,
    rpc::{Hello, Role, ServeLimits},
    tls,
};
use drover_server::Server;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, DrainOnShutdown},
    http::{Api, HttpLimits, LocalClient, backend::Backend},
    wiring::{
        client, discovery,
        integrations::{Integrations, NodeParts},
        server,
        servers::{ClientDispatch, DistantServers, LocalServers},
        sources::{Neighbours, NodeSources},
        tls::Certificates,
    },
};

/// How often a drain at shutdown is looked at.
const DRAIN_POLL: Duration = Duration::from_millis(250);
/// Beyond a drain's deadline: what the servers then stop may take its time to end.
const DRAIN_MARGIN: Duration = Duration::from_secs(60);

/// How long a server may take to leave its cluster.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen for HTTP at {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("cannot prepare {path}: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot start the server: {0}")]
    Server(#[from] drover_server::Error),
    #[error("cannot start the client: {0}")]
    Client(#[from] drover_client::Error),
    #[error("cannot prepare the driver {name}: {source}")]
    Driver { name: &'static str, source: io::Error },
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] tls::Error),
    #[error("{0}")]
    Integration(String),
}

/// A running agent. Ends with [`Agent::shutdown`].
#[derive(Debug)]
pub struct Agent {
    config: Arc<Config>,
    http_address: SocketAddr,
    server: Option<drover_server::Running>,
    client: Option<drover_client::Handle>,
    sources: Option<NodeSources>,
    /// In Consul.
    advertiser: Option<Advertiser>,
    backend: Backend,
    certificates: Certificates,
    tasks: TaskTracker,
    /// Ends HTTP and whatever else runs beside server and client.
    stop: CancellationToken,
    /// Of a throw-away agent.
    temporary: Option<PathBuf>,
}

/// A way to hurry an agent that is shutting down.
#[derive(Clone, Debug)]
pub struct LastWishes {
    /// Of a throw-away agent, whose tasks end with it.
    client: Option<drover_client::Handle>,
}

impl LastWishes {
    /// How many allocations of a throw-away agent have not ended.
    pub fn live_allocations(&self) -> usize {
        self.client.as_ref().map_or(0, drover_client::Handle::live_allocations)
    }

    /// Kills the tasks of a throw-away agent at once.
    pub async fn kill_tasks(&self) {
        if let Some(client) = &self.client {
            client.kill_tasks().await;
        }
    }
}

/// What was made before the server and the client.
struct Base {
    config: Arc<Config>,
    runtime: Runtime,
    data_dir: PathBuf,
    temporary: Option<PathBuf>,
    http_address: SocketAddr,
    dispatch: ClientDispatch,
}

impl Agent {
    /// Starts what the configuration asks for. HTTP answers as soon as there is a server; the node follows.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        let address = config.http_address();
        let listen_failed = |source| StartError::Listen { address: address.clone(), source };
        let listener = TcpListener::bind(&address).await.map_err(listen_failed)?;
        let http_address = listener.local_addr().map_err(listen_failed)?;
        settle_http_port(&mut config, http_address);
        let certificates = Certificates::read(&config)?;
        let runtime = certificates.sealed(Runtime::real());
        let (data_dir, temporary) = data_dir(&config, &runtime)?;
        let base = Base { config: Arc::new(config), runtime, data_dir, temporary, http_address, dispatch: ClientDispatch::default() };
        match Self::start_parts(&base, listener, certificates).await {
            Ok(agent) => Ok(agent),
            Err(error) => {
                if let Some(path) = &base.temporary {
                    let _ = fs::remove_dir_all(path);
                }
                Err(error)
            }
        }
    }

    /// Takes up what can change while an agent runs from a configuration that was read anew: its certificates. On an error nothing is changed.
    pub fn reload(&self, config: &Config) -> Result<(), tls::Error> {
        self.certificates.renew(config)
    }

    async fn start_parts(base: &Base, listener: TcpListener, certificates: Certificates) -> Result<Self, StartError> {
        let config = &base.config;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let server = if config.server.enabled { Some(start_server(base, &tasks, &stop).await?) } else { None };
        let remote = match &server {
            Some(_) => None,
            None => Some(remote_servers(base)),
        };
        let backend = match (&server, &remote) {
            (Some(running), _) => Backend::Local(Arc::clone(running.server())),
            (None, Some(remote)) => Backend::Remote(Arc::clone(remote)),
            (None, None) => Backend::Remote(remote_servers(base)),
        };
        let api = Arc::new(Api::new(backend.clone(), Arc::clone(config), base.runtime.clone()));
        let limits = HttpLimits { connections_per_address: config.limits.http_max_conns_per_client, tls: certificates.https() };
        tasks.spawn(crate::http::serve(listener, Arc::clone(&api), limits, stop.child_token()));
        let mut agent = Self {
            config: Arc::clone(config),
            http_address: base.http_address,
            server,
            client: None,
            sources: None,
            advertiser: None,
            backend,
            certificates,
            tasks,
            stop,
            temporary: base.temporary.clone(),
        };
        if config.client.enabled
            && let Err(error) = agent.start_client(base, remote, &api).await
        {
            agent.temporary = None;
            agent.shutdown().await;
            return Err(error);
        }
        agent.advertiser = discovery::consul(config).and_then(|consul| discovery::advertise(config, &consul, &base.runtime.random));
        Ok(agent)
    }

    async fn start_client(&mut self, base: &Base, remote: Option<Arc<RemoteServers>>, api: &Api) -> Result<(), StartError> {
        let (servers, calls): (Arc<dyn Servers>, Arc<dyn ServerCalls>) = match (&self.server, remote) {
            (Some(running), _) => {
                let local = Arc::new(LocalServers::new(Arc::clone(running.server()), base.dispatch.clone()));
                (Arc::clone(&local) as Arc<dyn Servers>, local)
            }
            (None, remote) => {
                let remote = remote.unwrap_or_else(|| remote_servers(base));
                self.look_for_servers(base, &remote);
                let distant = Arc::new(DistantServers::new(remote, base.dispatch.clone()));
                (Arc::clone(&distant) as Arc<dyn Servers>, distant)
            }
        };
        let config = &base.config;
        let http_address = config.advertise.http.clone().unwrap_or_else(|| base.http_address.to_string());
        let mut client_config = client::config(config, &base.data_dir, http_address, environment());
        let node = Client::identify(&client_config, &base.runtime)?;
        let state_dir = Some(client_config.state_dir.clone()).filter(|_| !config.dev);
        let parts = NodeParts { auth: &node, servers: Some(&servers), calls: &calls, state_dir: state_dir.as_deref() };
        let integrations = Integrations::new(config, &base.runtime, &parts)?;
        client_config.identity = Some(node.clone());
        client_config.extra_attributes = integrations.attributes().await;
        let neighbours = Neighbours {
            consul: integrations.clusters(),
            vault: integrations.vault.clone(),
            calls,
            node,
            runtime: base.runtime.clone(),
            default_lease: config.client.template.vault_default_lease_duration,
            max_stale: config.client.template.max_stale,
            longest_wait: config.client.template.longest_wait(),
        };
        let sources = NodeSources::new(neighbours);
        let parts = ClientParts {
            servers,
            drivers: client::drivers(config, &client_config)?,
            consul: integrations.consul.clone(),
            vault: integrations.vault.clone(),
            sources: Arc::new(sources.clone()),
        };
        let handle = Client::start(client_config, base.runtime.clone(), parts).await?;
        if let Some(dispatch) = base.dispatch.get() {
            if let Some(running) = &self.server {
                running.server().set_local_client(handle.node_id(), Arc::clone(&dispatch));
            }
            api.set_client(LocalClient { node: handle.node_id(), dispatch });
        }
        self.tasks.spawn(self.stop.child_token().run_until_cancelled_owned(integrations.watch(handle.clone())));
        self.client = Some(handle);
        self.sources = Some(sources);
        Ok(())
    }

    /// A client that nobody told where the servers are finds them in Consul.
    fn look_for_servers(&self, base: &Base, remote: &Arc<RemoteServers>) {
        if let Some(consul) = discovery::consul(&base.config).filter(|_| discovery::searches(&base.config)) {
            let search = discovery::find_for_client(Arc::clone(&base.config), consul, base.runtime.clone(), Arc::clone(remote));
            self.tasks.spawn(self.stop.child_token().run_until_cancelled_owned(search));
        }
    }

    /// Where HTTP really listens.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The node's id, when there is a client.
    pub fn node_id(&self) -> Option<NodeId> {
        self.client.as_ref().map(drover_client::Handle::node_id)
    }

    /// The server of this agent, when it has one.
    pub fn server(&self) -> Option<&Arc<Server>> {
        self.server.as_ref().map(drover_server::Running::server)
    }

    /// Empties the node and takes the server out of its cluster, where the agent leaves for good.
    pub async fn leave(&self) {
        if let (Some(client), Some(drain)) = (&self.client, self.config.client.drain_on_shutdown) {
            self.drain(client, drain).await;
        }
        if let Some(server) = self.server() {
            match tokio::time::timeout(LEAVE_WITHIN, server.leave()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the server could not leave its cluster"),
                Err(_) => tracing::warn!("the server has not left its cluster within {LEAVE_WITHIN:?}"),
            }
        }
    }

    async fn drain(&self, client: &drover_client::Handle, drain: DrainOnShutdown) {
        let DrainOnShutdown { deadline, force, ignore_system_jobs } = drain;
        let message = NodeDrain {
            id: client.node_id(),
            drain: Some(DrainRequest { deadline, force, ignore_system_jobs }),
            mark_eligible: false,
            meta: BTreeMap::from([("message".to_owned(), "shutting down".to_owned())]),
        };
        if let Err(error) = self.backend.call(message).await {
            tracing::warn!(%error, "the node could not be drained before the agent leaves");
            return;
        }
        // The servers say when it is done: they know which jobs are left alone, and force the rest at the deadline.
        let emptied = async {
            while self.is_draining(client.node_id()).await {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        let limit = if deadline.is_zero() { Duration::MAX } else { deadline + DRAIN_MARGIN };
        if tokio::time::timeout(limit, emptied).await.is_err() {
            tracing::warn!("the drain's deadline has passed; what still runs goes on running");
        }
    }

    /// Also while nobody can say.
    async fn is_draining(&self, id: NodeId) -> bool {
        match self.backend.call(NodeGet { options: ReadOptions::default(), id }).await {
            Ok(read) => read.data.is_some_and(|node| node.drain.is_some()),
            Err(error) => {
                tracing::debug!(%error, "cannot read how far the drain is");
                true
            }
        }
    }

    /// What can still be asked of an agent that is shutting down.
    pub fn last_wishes(&self) -> LastWishes {
        LastWishes { client: self.client.clone().filter(|_| self.config.dev) }
    }

    /// Stops in the order that lets each part finish what it needs the others for.
    pub async fn shutdown(self) {
        let Self { server, client, sources, advertiser, tasks, stop, temporary, .. } = self;
        if let Some(advertiser) = advertiser {
            advertiser.withdraw().await;
        }
        if let Some(client) = client {
            client.shutdown().await;
        }
        if let Some(sources) = sources {
            sources.stop().await;
        }
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        if let Some(server) = server {
            server.shutdown().await;
        }
        if let Some(path) = temporary
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::debug!(path = %path.display(), %error, "the temporary folder could not be removed");
        }
    }
}

/// A port that the system chose stands where the configuration left it open.
fn settle_http_port(config: &mut Config, address: SocketAddr) {
    if config.ports.http == 0 {
        config.ports.http = address.port();
        if let Some(host) = config.advertise.http.as_ref().and_then(|advertised| advertised.strip_suffix(":0")) {
            config.advertise.http = Some(format!("{host}:{}", address.port()));
        }
    }
}

/// Where the agent keeps what it must not forget; a throw-away one has a folder of its own.
fn data_dir(config: &Config, runtime: &Runtime) -> Result<(PathBuf, Option<PathBuf>), StartError> {
    let (path, temporary) = match &config.data_dir {
        Some(path) => (path.clone(), None),
        None => {
            let name: String = runtime.random.id_bytes().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            let path = std::env::temp_dir().join(format!("drover-dev-{name}"));
            (path.clone(), Some(path))
        }
    };
    fs::create_dir_all(&path).map_err(|source| StartError::Folder { path: path.clone(), source })?;
    Ok((path, temporary))
}

async fn start_server(base: &Base, tasks: &TaskTracker, stop: &CancellationToken) -> Result<drover_server::Running, StartError> {
    let config = &base.config;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // A server for trying things out leaves nothing behind.
    let runtime = if config.dev { base.runtime.clone().with_disk(MemoryDisk::default()) } else { base.runtime.clone() };
    let mut settings = server::config(config, &base.data_dir, threads);
    if let Some(consul) = discovery::consul(config).filter(|_| discovery::searches(config)) {
        let (sender, found) = watch::channel(Vec::new());
        settings.found = Some(found);
        let search = discovery::find_servers(Arc::clone(config), consul, base.runtime.clone(), sender);
        tasks.spawn(stop.child_token().run_until_cancelled_owned(search));
    }
    let running = Server::start(settings, runtime).await?;
    listen_for_joins(base, &running, tasks, stop).await;
    Ok(running)
}

/// Other servers may know this one by the port that gossip had, as existing configurations name it: it answers there too.
async fn listen_for_joins(base: &Base, running: &drover_server::Running, tasks: &TaskTracker, stop: &CancellationToken) {
    let config = &base.config;
    if config.ports.serf == 0 {
        return;
    }
    let address = crate::config::join(config.addresses.serf.as_ref().unwrap_or(&config.bind_addr), config.ports.serf);
    match base.runtime.network.listen(&address).await {
        Ok(listener) => {
            let hello = Hello::new(Role::Server, config.region.as_str(), config.name.as_str());
            tasks.spawn(drover_runtime::rpc::serve(listener, hello, running.dispatch(), ServeLimits::default(), stop.child_token()));
        }
        Err(error) => tracing::warn!(address, %error, "cannot listen at the port for joins; servers can still join at the RPC port"),
    }
}

fn remote_servers(base: &Base) -> Arc<RemoteServers> {
    let config = &base.config;
    let role = if config.client.enabled { Role::Client } else { Role::Agent };
    let hello = Hello::new(role, config.region.as_str(), config.name.as_str());
    Arc::new(RemoteServers::new(base.runtime.clone(), hello, client::servers(config)))
}

/// The agent's own environment, which tasks inherit in part. Names and values that are not UTF-8 are left out.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}
