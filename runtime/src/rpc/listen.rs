//! Accepting connections.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Connection, Dispatch, Hello, Limits};
use crate::network::Listener;

/// After a failed accept (too many open files, say), so that it is not tried in a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bounds of what [`serve`] accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    pub connections: usize,
    /// 0: as many as there are in all.
    pub connections_per_address: usize,
    pub connection: Limits,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { connections: 65_536, connections_per_address: 100, connection: Limits::default() }
    }
}

/// Accepts connections until `shutdown`; then closes them all and returns.
pub async fn serve(
    mut listener: Box<dyn Listener>,
    hello: Hello,
    dispatch: Arc<dyn Dispatch>,
    limits: ServeLimits,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let mut per_address: BTreeMap<IpAddr, usize> = BTreeMap::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Ok(address) = ended {
                    release(&mut per_address, address);
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let count = per_address.get(&peer.ip()).copied().unwrap_or(0);
                    let most = limits.connections_per_address;
                    if connections.len() >= limits.connections || (most > 0 && count >= most) {
                        tracing::warn!(%peer, "refused a connection: there are too many");
                        continue;
                    }
                    per_address.insert(peer.ip(), count + 1);
                    let (hello, dispatch, shutdown) = (hello.clone(), Arc::clone(&dispatch), shutdown.clone());
                    connections.spawn(async move {
                        let address = peer.to_string();
                        let opening = Connection::accept_with(stream, &address, hello, dispatch, limits.connection);
                        if let Err(error) = keep(opening, &shutdown).await {
                            tell(&peer, &error);
                        }
                        peer.ip()
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

fn release(per_address: &mut BTreeMap<IpAddr, usize>, address: IpAddr) {
    if let Some(count) = per_address.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            per_address.remove(&address);
        }
    }
}

/// Whoever hangs up before a word was said only looked whether somebody listens, as health checks do.
fn tell(peer: &SocketAddr, error: &io::Error) {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof) {
        tracing::debug!(%peer, %error, "a connection ended before it began");
    } else {
        tracing::warn!(%peer, %error, "refused a connection");
    }
}

/// Holds a connection until it ends.
async fn keep(opening: impl Future<Output = io::Result<Connection>>, shutdown: &CancellationToken) -> io::Result<()> {
    let connection = tokio::select! {
        connection = opening => connection?,
        () = shutdown.cancelled() => return Ok(()),
    };
    tokio::select! {
        _ = connection.closed() => {}
        () = shutdown.cancelled() => {
            connection.close();
            connection.closed().await;
        }
    }
    Ok(())
}
