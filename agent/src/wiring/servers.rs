//! The way from the client (and its integrations) to the servers: a call in this process, or one over a connection.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use drover_client::servers::{RemoteServers, Reply, Servers};
use drover_integrations::embedded::ServerCalls;
use drover_model::{
    kv::{KvEntry, SecretVersion},
    rpc::{
        Method, Read,
        node::{
            CertificateIssue, IssuedCertificate, KvGet, KvList, NodeAllocations, NodeAllocationsItem, NodeHeartbeat, NodeRegister,
            NodeReport, NodeReportReply, NodeWelcome, ServiceInstances, ServiceName, ServiceNames, ServicesRemove, ServicesUpsert,
            SignIdentities, SignedIdentities, WorkloadSecretGet, WorkloadSecretList,
        },
        variable::{WorkloadVariableGet, WorkloadVariableList},
    },
    service::ServiceRegistration,
    variable::{Variable, VariableMetadata},
};
use drover_runtime::rpc::{Caller, Dispatch, Handle, Header, ItemStream};
use drover_server::Server;
use futures::{FutureExt, future::BoxFuture};

/// The longest that a call may take: a blocking read's wait, and some time beyond it. Whoever calls sets a shorter limit.
const CALL_TIMEOUT: Duration = Duration::from_secs(330);

/// What the servers may ask of the client in this process.
#[derive(Clone, Default)]
pub(crate) struct ClientDispatch(Arc<OnceLock<Arc<dyn Dispatch>>>);

impl fmt::Debug for ClientDispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "ClientDispatch(set)" } else { "ClientDispatch(empty)" })
    }
}

impl ClientDispatch {
    pub(crate) fn get(&self) -> Option<Arc<dyn Dispatch>> {
        self.0.get().map(Arc::clone)
    }
}

/// The server of this process.
#[derive(Clone, Debug)]
pub(crate) struct LocalServers {
    server: Arc<Server>,
    client: ClientDispatch,
}

impl LocalServers {
    pub(crate) fn new(server: Arc<Server>, client: ClientDispatch) -> Self {
        Self { server, client }
    }

    fn call<M: Method>(&self, message: M) -> Reply<'_, M::Reply>
    where
        Server: Handle<M>,
    {
        self.server.handle(Caller::default(), message).boxed()
    }
}

impl Servers for LocalServers {
    fn register(&self, request: NodeRegister) -> Reply<'_, NodeWelcome> {
        self.call(request)
    }

    fn heartbeat(&self, request: NodeHeartbeat) -> Reply<'_, NodeWelcome> {
        self.call(request)
    }

    fn report(&self, request: NodeReport) -> Reply<'_, NodeReportReply> {
        self.call(request)
    }

    fn sign(&self, request: SignIdentities) -> Reply<'_, SignedIdentities> {
        self.call(request)
    }

    fn upsert_services(&self, request: ServicesUpsert) -> Reply<'_, NodeReportReply> {
        self.call(request)
    }

    fn remove_services(&self, request: ServicesRemove) -> Reply<'_, NodeReportReply> {
        self.call(request)
    }

    fn allocations(&self, request: NodeAllocations) -> Reply<'_, ItemStream<NodeAllocationsItem>> {
        let server = Arc::clone(&self.server);
        let stream = ItemStream::local(|sink| async move { server.stream_allocations(Caller::default(), request, sink).await });
        std::future::ready(Ok(stream)).boxed()
    }

    fn serve(&self, client: Arc<dyn Dispatch>) {
        let _ = self.client.0.set(client);
    }
}

impl ServerCalls for LocalServers {
    fn kv_get(&self, request: KvGet) -> Reply<'_, Read<Option<Arc<KvEntry>>>> {
        self.call(request)
    }

    fn kv_list(&self, request: KvList) -> Reply<'_, Read<Vec<Arc<KvEntry>>>> {
        self.call(request)
    }

    fn service_instances(&self, request: ServiceInstances) -> Reply<'_, Read<Vec<Arc<ServiceRegistration>>>> {
        self.call(request)
    }

    fn service_names(&self, request: ServiceNames) -> Reply<'_, Read<Vec<ServiceName>>> {
        self.call(request)
    }

    fn secret_get(&self, request: WorkloadSecretGet) -> Reply<'_, Read<Option<SecretVersion>>> {
        self.call(request)
    }

    fn secret_list(&self, request: WorkloadSecretList) -> Reply<'_, Read<Vec<String>>> {
        self.call(request)
    }

    fn variable_get(&self, request: WorkloadVariableGet) -> Reply<'_, Read<Option<Variable>>> {
        self.call(request)
    }

    fn variable_list(&self, request: WorkloadVariableList) -> Reply<'_, Read<Vec<VariableMetadata>>> {
        self.call(request)
    }

    fn certificate_issue(&self, request: CertificateIssue) -> Reply<'_, IssuedCertificate> {
        self.call(request)
    }
}

/// Servers in other processes. Wraps the client's own way to them, so that both use one connection; it also keeps what the client answers, for this
/// agent's HTTP routes.
#[derive(Clone, Debug)]
pub(crate) struct DistantServers {
    servers: Arc<RemoteServers>,
    client: ClientDispatch,
}

impl DistantServers {
    pub(crate) fn new(servers: Arc<RemoteServers>, client: ClientDispatch) -> Self {
        Self { servers, client }
    }

    fn call<M: Method>(&self, message: M) -> Reply<'_, M::Reply> {
        async move { self.servers.connection().await?.call(&Header::default(), &message, CALL_TIMEOUT).await }.boxed()
    }
}

impl Servers for DistantServers {
    fn register(&self, request: NodeRegister) -> Reply<'_, NodeWelcome> {
        self.servers.register(request)
    }

    fn heartbeat(&self, request: NodeHeartbeat) -> Reply<'_, NodeWelcome> {
        self.servers.heartbeat(request)
    }

    fn report(&self, request: NodeReport) -> Reply<'_, NodeReportReply> {
        self.servers.report(request)
    }

    fn sign(&self, request: SignIdentities) -> Reply<'_, SignedIdentities> {
        self.servers.sign(request)
    }

    fn upsert_services(&self, request: ServicesUpsert) -> Reply<'_, NodeReportReply> {
        self.servers.upsert_services(request)
    }

    fn remove_services(&self, request: ServicesRemove) -> Reply<'_, NodeReportReply> {
        self.servers.remove_services(request)
    }

    fn allocations(&self, request: NodeAllocations) -> Reply<'_, ItemStream<NodeAllocationsItem>> {
        self.servers.allocations(request)
    }

    fn serve(&self, client: Arc<dyn Dispatch>) {
        let _ = self.client.0.set(Arc::clone(&client));
        self.servers.serve(client);
    }

    fn give_up(&self) -> BoxFuture<'_, ()> {
        self.servers.give_up()
    }

    fn learn(&self, addresses: &[String]) {
        self.servers.learn(addresses);
    }
}

impl ServerCalls for DistantServers {
    fn kv_get(&self, request: KvGet) -> Reply<'_, Read<Option<Arc<KvEntry>>>> {
        self.call(request)
    }

    fn kv_list(&self, request: KvList) -> Reply<'_, Read<Vec<Arc<KvEntry>>>> {
        self.call(request)
    }

    fn service_instances(&self, request: ServiceInstances) -> Reply<'_, Read<Vec<Arc<ServiceRegistration>>>> {
        self.call(request)
    }

    fn service_names(&self, request: ServiceNames) -> Reply<'_, Read<Vec<ServiceName>>> {
        self.call(request)
    }

    fn secret_get(&self, request: WorkloadSecretGet) -> Reply<'_, Read<Option<SecretVersion>>> {
        self.call(request)
    }

    fn secret_list(&self, request: WorkloadSecretList) -> Reply<'_, Read<Vec<String>>> {
        self.call(request)
    }

    fn variable_get(&self, request: WorkloadVariableGet) -> Reply<'_, Read<Option<Variable>>> {
        self.call(request)
    }

    fn variable_list(&self, request: WorkloadVariableList) -> Reply<'_, Read<Vec<VariableMetadata>>> {
        self.call(request)
    }

    fn certificate_issue(&self, request: CertificateIssue) -> Reply<'_, IssuedCertificate> {
        self.call(request)
    }
}
