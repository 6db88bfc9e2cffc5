//! Connections to other servers, one each, opened when they are first needed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::rpc::Error;
use drover_runtime::{
    Network,
    rpc::{Connection, Hello, Router},
};

/// How long opening a connection may take.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Peers {
    network: Arc<dyn Network>,
    hello: Hello,
    open: Mutex<BTreeMap<String, Connection>>,
}

impl Peers {
    pub(crate) fn new(network: Arc<dyn Network>, hello: Hello) -> Self {
        Self { network, hello, open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Connection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to the server at `address`.
    pub async fn connection(&self, address: &str) -> Result<Connection, Error> {
        if let Some(connection) = self.lock().get(address).filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        // Over this connection the other server has nothing to ask: it opens its own.
        let opening = Connection::open(&*self.network, address, self.hello.clone(), Arc::new(Router::new()));
        let unreachable = |why: String| Error::unavailable(format!("cannot reach the server at {address}: {why}"));
        let connection = match tokio::time::timeout(OPEN_WITHIN, opening).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable(format!("no answer within {OPEN_WITHIN:?}"))),
        };
        self.lock().insert(address.to_owned(), connection.clone());
        Ok(connection)
    }

    /// Closes the connection to a server that does not answer, so that the next call dials it anew.
    pub(crate) fn forget(&self, address: &str) {
        if let Some(connection) = self.lock().remove(address) {
            connection.close();
        }
    }

    pub(crate) fn close(&self) {
        std::mem::take(&mut *self.lock()).into_values().for_each(|connection| connection.close());
    }
}
