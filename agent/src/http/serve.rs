//! Connections of HTTP clients.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Api, call::Call, route};
use crate::wiring::tls::Https;

/// The most bytes that a request's line and headers may have together.
const MAX_HEADER_BYTES: usize = 1 << 20;
/// The most header lines of a request.
const MAX_HEADERS: usize = 256;
/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most connections in all.
const MAX_CONNECTIONS: usize = 16_384;
/// The most requests at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 250;
/// After a failed accept (too many open files, say), so that it is not tried in a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take to agree on how the connection is sealed.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests under way may still take when the agent stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    Your IP is issuing too many concurrent connections, please rate limit your calls\n";

/// What one address may take.
#[derive(Clone, Default)]
pub struct HttpLimits {
    /// 0: as many as there are in all.
    pub connections_per_address: usize,
    /// Seals connections, where that is wanted.
    pub(crate) tls: Option<Https>,
}

impl fmt::Debug for HttpLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLimits")
            .field("connections_per_address", &self.connections_per_address)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

/// Connections by address.
#[derive(Debug, Default)]
struct Counts {
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A connection that counts until it is dropped.
struct Counted {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Counts {
    /// None when there are too many.
    fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = if by_address.len() > 1 { by_address.values().sum() } else { 0 };
        let count = by_address.entry(address).or_insert(0);
        if (most > 0 && *count >= most) || total.max(*count) >= MAX_CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Counted { counts: Arc::clone(self), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_address = self.counts.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Answers requests until `shutdown`; then lets those under way end, for a while.
pub async fn serve(listener: TcpListener, api: Arc<Api>, limits: HttpLimits, shutdown: CancellationToken) {
    let counts = Arc::new(Counts::default());
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => accept(stream, peer, &api, &counts, &limits, &connections, &shutdown),
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        tracing::debug!(left = connections.len(), "HTTP connections were cut off at shutdown");
    }
}

fn accept(
    stream: TcpStream,
    peer: SocketAddr,
    api: &Arc<Api>,
    counts: &Arc<Counts>,
    limits: &HttpLimits,
    connections: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let Some(counted) = counts.enter(peer.ip(), limits.connections_per_address) else {
        connections.spawn(refuse(stream));
        return;
    };
    let (api, shutdown, tls) = (Arc::clone(api), shutdown.clone(), limits.tls.clone());
    connections.spawn(async move {
        // Answers are small and awaited.
        let _ = stream.set_nodelay(true);
        let ended = match tls {
            None => drive(stream, api, shutdown).await,
            Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
                Ok(Ok(sealed)) => drive(sealed, api, shutdown).await,
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no TLS handshake within {HANDSHAKE_TIMEOUT:?}")),
            },
        };
        if let Err(error) = ended {
            tracing::trace!(%peer, error, "an HTTP connection ended early");
        }
        drop(counted);
    });
}

async fn refuse(mut stream: TcpStream) {
    let _: Result<io::Result<()>, _> = tokio::time::timeout(Duration::from_secs(1), stream.write_all(TOO_MANY)).await;
}

async fn drive<S>(stream: S, api: Arc<Api>, shutdown: CancellationToken) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let api = Arc::clone(&api);
        async move {
            let (parts, body) = request.into_parts();
            Ok::<_, std::convert::Infallible>(route::answer(Call::new(api, parts, Body::new(body))).await)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .title_case_headers(true);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADER_BYTES as u32);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(|error| error.to_string()),
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let ended = tokio::time::timeout(DRAIN_TIMEOUT, connection).await;
    ended.unwrap_or(Ok(())).map_err(|error| error.to_string())
}
