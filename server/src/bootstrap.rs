//! How servers that are to be a cluster find each other for the first time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_model::method;
use drover_runtime::rpc::{Header, Router};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::Server;

/// Between two rounds of asking.
const PAUSE: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Asks a server who it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Introduce {}
method!(Introduce, "server.introduce", Introduction);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Introduction {
    id: u64,
    address: String,
    expect: u32,
}

/// The handlers of this file.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let server = Arc::clone(server);
    Router::new().method(move |_, _: Introduce| {
        let introduction = introduction(&server);
        async move { Ok(introduction) }
    })
}

fn introduction(server: &Server) -> Introduction {
    Introduction { id: server.consensus().id(), address: server.address().to_owned(), expect: server.config().bootstrap_expect }
}

/// Asks the servers that this one was told of until it knows as many as are expected, and begins a cluster with them. All of them do so with the same
/// members; returns as soon as the cluster has begun, whoever began it.
pub(crate) async fn run(server: Arc<Server>, stop: CancellationToken) {
    let expect = server.config().bootstrap_expect as usize;
    if expect <= 1 {
        return;
    }
    let mut known = BTreeMap::from([(server.consensus().id(), server.address().to_owned())]);
    while server.consensus().peers().is_empty() {
        for address in &server.config().others() {
            match ask(&server, address).await {
                Ok(found) if found.expect as usize == expect => drop(known.insert(found.id, found.address)),
                Ok(found) => warn!(address, expects = found.expect, expect, "another server expects another number of servers"),
                Err(error) => debug!(address, %error, "a server to join does not answer yet"),
            }
        }
        if known.len() == expect {
            match server.consensus().initialize(known.clone()).await {
                Ok(()) => info!(servers = known.len(), "began a cluster"),
                Err(error) => debug!(%error, "somebody else began the cluster"),
            }
        } else if known.len() > expect {
            warn!(known = known.len(), expect, "there are more servers than expected; none begins a cluster");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn ask(server: &Server, address: &str) -> Result<Introduction, drover_model::rpc::Error> {
    let connection = server.peers().connection(address).await?;
    connection.call(&Header::default(), &Introduce {}, ANSWER_WITHIN).await
}
