//! Connections between agents.

use std::{fmt, io, net::SocketAddr};

use futures::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream},
};

/// A connection's two directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    /// The certificate that the other end has shown, once something has been read from it.
    fn certificate(&self) -> Option<&CertificateDer<'static>> {
        None
    }

    /// Whether nobody on the way can read it, so that the other end must have a certificate.
    fn is_sealed(&self) -> bool {
        false
    }
}

impl Stream for TcpStream {}

/// Between two ends in one process.
impl Stream for DuplexStream {}

/// Opens and accepts connections.
pub trait Network: Send + Sync + fmt::Debug {
    /// Listens at `address` (`HOST:PORT`; port 0 lets the system choose).
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;

    /// Connects to `address` (`HOST:PORT`). The caller sets the time limit.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

/// Accepts connections.
pub trait Listener: Send + Sync + fmt::Debug {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>>;

    /// Where it really listens.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpNetwork;

impl Network for TcpNetwork {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { Ok(Box::new(TcpListener::bind(address).await?) as Box<dyn Listener>) })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

impl Listener for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = Self::accept(self).await?;
            // Frames are written whole: waiting for more to send would only add to the latency.
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Box<dyn Stream>, peer))
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}
