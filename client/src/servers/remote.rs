//! Servers in other processes: one connection at a time, to whichever of them answers.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use drover_model::rpc::{
    self, Method,
    node::{
        NodeAllocations, NodeAllocationsItem, NodeHeartbeat, NodeRegister, NodeReport, NodeReportReply, NodeWelcome, ServicesRemove,
        ServicesUpsert, SignIdentities, SignedIdentities,
    },
};
use drover_runtime::{
    Runtime,
    rpc::{Connection, Dispatch, Header, Hello, ItemStream, Router},
};
use futures::{FutureExt, future::BoxFuture};

use super::{Reply, Servers};
use crate::limits;

/// How long one server may take to open a connection before the next one is tried.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// Addresses that are remembered.
const MOST_ADDRESSES: usize = 64;

/// Dials servers in turn and keeps the connection to the one that answered.
#[derive(Debug)]
pub struct RemoteServers {
    runtime: Runtime,
    hello: Hello,
    addresses: Mutex<Addresses>,
    /// Held while dialling, so that many callers share one connection.
    connection: tokio::sync::Mutex<Option<Connection>>,
    client: OnceLock<DispatchBox>,
}

#[derive(Debug)]
struct Addresses {
    /// As configured: never forgotten.
    given: Vec<String>,
    /// As told by the servers.
    learned: Vec<String>,
    /// Where the next dialling begins.
    next: usize,
}

struct DispatchBox(Arc<dyn Dispatch>);

impl std::fmt::Debug for DispatchBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dispatch")
    }
}

impl RemoteServers {
    /// `addresses` are `HOST:PORT`.
    pub fn new(runtime: Runtime, hello: Hello, addresses: Vec<String>) -> Self {
        // Clients that start together shall not all dial the same server.
        let next = usize::try_from(runtime.random.below(1024)).unwrap_or(0);
        let addresses = Mutex::new(Addresses { given: addresses, learned: Vec::new(), next });
        Self { runtime, hello, addresses, connection: tokio::sync::Mutex::new(None), client: OnceLock::new() }
    }

    /// The servers known now, for `agent-info` and the like.
    pub fn addresses(&self) -> Vec<String> {
        self.lock().in_turn()
    }

    /// Replaces the configured servers.
    pub fn set_addresses(&self, given: Vec<String>) {
        self.lock().given = given;
    }

    /// The connection in use, dialled when there is none.
    pub async fn connection(&self) -> Result<Connection, rpc::Error> {
        let mut held = self.connection.lock().await;
        match held.take() {
            Some(open) if !open.is_closed() => return Ok(held.insert(open).clone()),
            // Who has just hung up is the last to be tried.
            Some(_) => self.lock().advance(),
            None => {}
        }
        let addresses = self.lock().in_turn();
        let mut last = "no server is known: name one in `client { servers }` or `server_join`".to_owned();
        for address in addresses {
            match self.dial(&address).await {
                Ok(connection) => {
                    *held = Some(connection.clone());
                    return Ok(connection);
                }
                Err(error) => {
                    tracing::debug!(address, %error, "a server does not answer");
                    last = format!("server {address}: {error}");
                }
            }
            self.lock().advance();
        }
        Err(rpc::Error::unavailable(last))
    }

    async fn dial(&self, address: &str) -> io::Result<Connection> {
        let dispatch = self.client.get().map_or_else(|| Arc::new(Router::new()) as Arc<dyn Dispatch>, |client| Arc::clone(&client.0));
        let opening = Connection::open(&*self.runtime.network, address, self.hello.clone(), dispatch);
        tokio::time::timeout(OPEN_TIMEOUT, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// A connection whose server cannot help any more is left, so that the next call finds another one.
    async fn note(&self, connection: &Connection, error: &rpc::Error) {
        if error.is_unavailable() {
            let mut held = self.connection.lock().await;
            if held.as_ref().is_some_and(|held| held.peer() == connection.peer()) {
                *held = None;
                self.lock().advance();
            }
        }
    }

    async fn call<M: Method>(&self, message: M) -> Result<M::Reply, rpc::Error> {
        let connection = self.connection().await?;
        let reply = connection.call(&Header::default(), &message, limits::SERVER_REPLY).await;
        if let Err(error) = &reply {
            self.note(&connection, error).await;
        }
        reply
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Addresses {
    fn in_turn(&self) -> Vec<String> {
        let mut all = self.learned.clone();
        all.extend(self.given.iter().filter(|given| !self.learned.contains(given)).cloned());
        if !all.is_empty() {
            let start = self.next % all.len();
            all.rotate_left(start);
        }
        all
    }

    fn advance(&mut self) {
        self.next = self.next.wrapping_add(1);
    }
}

impl Servers for RemoteServers {
    fn register(&self, request: NodeRegister) -> Reply<'_, NodeWelcome> {
        self.call(request).boxed()
    }

    fn heartbeat(&self, request: NodeHeartbeat) -> Reply<'_, NodeWelcome> {
        self.call(request).boxed()
    }

    fn report(&self, request: NodeReport) -> Reply<'_, NodeReportReply> {
        self.call(request).boxed()
    }

    fn sign(&self, request: SignIdentities) -> Reply<'_, SignedIdentities> {
        self.call(request).boxed()
    }

    fn upsert_services(&self, request: ServicesUpsert) -> Reply<'_, NodeReportReply> {
        self.call(request).boxed()
    }

    fn remove_services(&self, request: ServicesRemove) -> Reply<'_, NodeReportReply> {
        self.call(request).boxed()
    }

    fn allocations(&self, request: NodeAllocations) -> Reply<'_, ItemStream<NodeAllocationsItem>> {
        async move { self.connection().await?.subscribe(&Header::default(), &request).await }.boxed()
    }

    fn serve(&self, client: Arc<dyn Dispatch>) {
        let _ = self.client.set(DispatchBox(client));
    }

    fn give_up(&self) -> BoxFuture<'_, ()> {
        async {
            // With one server only, another connection to it would not be answered any better.
            if self.addresses().len() > 1 && self.connection.lock().await.take().is_some() {
                self.lock().advance();
            }
        }
        .boxed()
    }

    fn learn(&self, addresses: &[String]) {
        let mut known = self.lock();
        known.learned = addresses.iter().take(MOST_ADDRESSES).cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use drover_model::{ids::NodeId, node::NodeStatus, rpc::node::NodeAuth, secret::SecretText};
    use drover_runtime::rpc::{Caller, Role, ServeLimits, serve};
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// A server that answers heartbeats with its number as the index, or never.
    async fn server(number: u64, answers: bool) -> (String, CancellationToken) {
        let runtime = Runtime::real();
        let listener = runtime.network.listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_address().unwrap().to_string();
        let router = Router::new().method(move |_: Caller, _: NodeHeartbeat| async move {
            if !answers {
                std::future::pending::<()>().await;
            }
            Ok(NodeWelcome { index: number, ..NodeWelcome::default() })
        });
        let (hello, stop) = (Hello::new(Role::Server, "global", "server"), CancellationToken::new());
        tokio::spawn(serve(listener, hello, Arc::new(router), ServeLimits::default(), stop.clone()));
        (address, stop)
    }

    fn heartbeat() -> NodeHeartbeat {
        let auth = NodeAuth { id: NodeId::from_random([1; 16]), secret: SecretText::new("secret") };
        NodeHeartbeat { auth, status: NodeStatus::Ready }
    }

    fn to(addresses: Vec<String>) -> RemoteServers {
        let servers = RemoteServers::new(Runtime::real(), Hello::new(Role::Client, "global", "node"), addresses);
        servers.lock().next = 0;
        servers
    }

    async fn answer(servers: &RemoteServers) -> Option<u64> {
        let call = tokio::time::timeout(Duration::from_millis(200), servers.heartbeat(heartbeat())).await;
        call.ok().and_then(Result::ok).map(|welcome| welcome.index)
    }

    #[tokio::test]
    async fn a_server_that_hangs_is_left_and_one_that_dies_too() {
        let ((hung, _hung), (well, stop), (last, _last)) = (server(1, false).await, server(2, true).await, server(3, true).await);
        let servers = to(vec![hung, well, last]);
        assert_eq!(answer(&servers).await, None);
        servers.give_up().await;
        assert_eq!(answer(&servers).await, Some(2));
        let connection = servers.connection().await.unwrap();
        stop.cancel();
        connection.closed().await;
        assert_eq!(answer(&servers).await, Some(3), "the next call goes elsewhere at once");
    }

    #[tokio::test]
    async fn the_only_server_is_not_left() {
        let (only, _stop) = server(1, true).await;
        let servers = to(vec![only]);
        let before = servers.connection().await.unwrap();
        servers.give_up().await;
        assert!(!before.is_closed());
        assert_eq!(answer(&servers).await, Some(1));
    }
}
