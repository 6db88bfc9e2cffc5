//! Connections between agents.

use std::{fmt, io, net::SocketAddr};

use futures::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream, UdpSocket},
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

/// Sends and takes datagrams: some get lost, some come twice, or in another order.
pub trait Datagrams: Send + Sync + fmt::Debug {
    /// Sends to `address` (`HOST:PORT`). That it arrives is nobody's promise.
    fn send<'a>(&'a self, bytes: &'a [u8], address: &'a str) -> BoxFuture<'a, io::Result<()>>;

    /// The next one's length and sender. What does not fit into `buffer` is cut off. May be dropped while it waits.
    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>>;

    /// Where it really listens.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// Opens and accepts connections.
pub trait Network: Send + Sync + fmt::Debug {
    /// Listens at `address` (`HOST:PORT`; port 0 lets the system choose).
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;

    /// Connects to `address` (`HOST:PORT`). The caller sets the time limit.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;

    /// Takes datagrams at `address` (`HOST:PORT`; port 0 lets the system choose). They are nobody's secret: whoever needs that seals them.
    fn datagrams<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Datagrams>>>;
}

/// Accepts connections.
pub trait Listener: Send + Sync + fmt::Debug {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>>;

    /// Where it really listens.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// The machine's TCP and UDP.
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

    fn datagrams<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move { Ok(Box::new(UdpSocket::bind(address).await?) as Box<dyn Datagrams>) })
    }
}

impl Datagrams for UdpSocket {
    fn send<'a>(&'a self, bytes: &'a [u8], address: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.send_to(bytes, address).await.map(drop) })
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(self.recv_from(buffer))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
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
