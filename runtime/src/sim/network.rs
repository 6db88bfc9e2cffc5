//! The network between simulated hosts.

use std::{fmt, io, net::SocketAddr};

use futures::future::BoxFuture;
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

use crate::network::{Datagrams, Listener, Network, Stream};

/// Turmoil's TCP and UDP. Works only on a host of a running simulation; addresses are `HOST:PORT` with the simulation's host names.
#[derive(Clone, Copy, Debug, Default)]
pub struct TurmoilNetwork;

impl Network for TurmoilNetwork {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { Ok(Box::new(SimListener(TcpListener::bind(address).await?)) as Box<dyn Listener>) })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(TcpStream::connect(address).await?) as Box<dyn Stream>) })
    }

    fn datagrams<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move { Ok(Box::new(SimDatagrams(UdpSocket::bind(address).await?)) as Box<dyn Datagrams>) })
    }
}

struct SimDatagrams(UdpSocket);

impl fmt::Debug for SimDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDatagrams")
    }
}

impl Datagrams for SimDatagrams {
    fn send<'a>(&'a self, bytes: &'a [u8], address: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.0.send_to(bytes, address).await.map(drop) })
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(self.0.recv_from(buffer))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Stream for TcpStream {}

struct SimListener(TcpListener);

impl fmt::Debug for SimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimListener")
    }
}

impl Listener for SimListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn Stream>, peer))
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
