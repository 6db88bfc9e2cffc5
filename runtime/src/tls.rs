//! Mutual TLS between agents: a network whose streams are sealed, and whose other end has a certificate of the cluster's authority.
//!
//! The certificate says what its owner may be: a server of region R has the name `server.R.nomad`, a client `client.R.nomad`. Whoever dials wants a server of its
//! region; whoever is dialled checks the role that the other end claims when it says hello (see [`check_role`]).

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll, ready},
};

use futures::{FutureExt, future::BoxFuture};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ParsedCertificate, WebPkiClientVerifier},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{Accept, TlsAcceptor, TlsConnector};

use crate::{
    network::{Datagrams, Listener, Network, Stream},
    rpc::Role,
};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {what} from {}: {reason}", path.display())]
    File { what: &'static str, path: PathBuf, reason: String },
    #[error("cannot use the certificate {} with the key {}: {reason}", certificate.display(), key.display())]
    Pair { certificate: PathBuf, key: PathBuf, reason: String },
    #[error("{0:?} cannot be a part of a name in a certificate")]
    Region(String),
}

/// The files of an agent, all of them PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oldest {
    #[default]
    Tls12,
    Tls13,
}

/// The newest first.
static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

impl Oldest {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &BOTH,
            Self::Tls13 => &BOTH[..1],
        }
    }
}

/// How this agent seals connections. Clones share it, and its certificates when they are renewed.
#[derive(Clone)]
pub struct Tls {
    ends: Arc<RwLock<Ends>>,
    server_name: ServerName<'static>,
}

/// How a connection is sealed that begins now.
#[derive(Clone)]
struct Ends {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl Ends {
    fn new(files: &Files, oldest: Oldest) -> Result<Self, Error> {
        let connector = TlsConnector::from(Arc::new(files.client_config(oldest)?));
        let acceptor = TlsAcceptor::from(Arc::new(files.server_config(Visitors::Certified, oldest)?));
        Ok(Self { connector, acceptor })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whom a listener asks for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitors {
    /// Everybody must have one of the authority.
    Certified,
    /// Nobody is asked.
    Anybody,
}

impl Files {
    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority, "the authority's certificates")? {
            roots.add(certificate).map_err(|error| file("the authority's certificates", &self.authority, &error))?;
        }
        Ok(roots)
    }

    fn own(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| file("the private key", &self.key, &error))?;
        Ok((certificates(&self.certificate, "the certificate")?, key))
    }

    fn pair(&self, error: &rustls::Error) -> Error {
        Error::Pair { certificate: self.certificate.clone(), key: self.key.clone(), reason: error.to_string() }
    }

    /// How a listener presents itself.
    pub fn server_config(&self, visitors: Visitors, oldest: Oldest) -> Result<ServerConfig, Error> {
        let (chain, key) = self.own()?;
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(oldest.versions()).map_err(|error| self.pair(&error))?;
        let builder = match visitors {
            Visitors::Anybody => builder.with_no_client_auth(),
            Visitors::Certified => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider()).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| file("the authority's certificates", &self.authority, &error))?)
            }
        };
        builder.with_single_cert(chain, key).map_err(|error| self.pair(&error))
    }

    fn client_config(&self, oldest: Oldest) -> Result<ClientConfig, Error> {
        let (chain, key) = self.own()?;
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(oldest.versions());
        let builder = builder.map_err(|error| self.pair(&error))?.with_root_certificates(self.roots()?);
        builder.with_client_auth_cert(chain, key).map_err(|error| self.pair(&error))
    }
}

fn file(what: &'static str, path: &Path, reason: &impl fmt::Display) -> Error {
    Error::File { what, path: path.to_owned(), reason: reason.to_string() }
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(file(what, path, &"there is none in it")),
        Err(error) => Err(file(what, path, &error)),
    }
}

/// The name that the certificate of a server, or of a client, has.
fn name_of(role: &str, region: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(format!("{role}.{region}.nomad")).map_err(|_| Error::Region(region.to_owned()))
}

impl Tls {
    pub fn new(files: &Files, region: &str, oldest: Oldest) -> Result<Self, Error> {
        Ok(Self { ends: Arc::new(RwLock::new(Ends::new(files, oldest)?)), server_name: name_of("server", region)? })
    }

    /// Reads the files anew: connections that begin from now on are sealed by what is in them, those that there are stay as they are. On an error nothing is changed.
    pub fn renew(&self, files: &Files, oldest: Oldest) -> Result<(), Error> {
        let ends = Ends::new(files, oldest)?;
        *self.ends.write().unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(())
    }

    fn ends(&self) -> Ends {
        self.ends.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A network whose connections are sealed.
    pub fn seal(self, network: Arc<dyn Network>) -> TlsNetwork {
        TlsNetwork { network, tls: self }
    }
}

/// Whether a certificate allows its owner to be what it says. Servers may be anything.
pub fn check_role(certificate: &CertificateDer<'_>, role: Role, region: &str) -> Result<(), String> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?;
    let has = |role: &str| name_of(role, region).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok());
    match role {
        Role::Server if has("server") => Ok(()),
        Role::Server => Err(format!("it says that it is a server, but its certificate does not have the name server.{region}.nomad")),
        Role::Client | Role::Agent if has("client") || has("server") => Ok(()),
        Role::Client | Role::Agent => Err(format!("its certificate has neither the name client.{region}.nomad nor server.{region}.nomad")),
    }
}

/// A network over which everything is sealed.
#[derive(Debug)]
pub struct TlsNetwork {
    network: Arc<dyn Network>,
    tls: Tls,
}

impl Network for TlsNetwork {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        async move {
            let listener = self.network.listen(address).await?;
            Ok(Box::new(TlsListener { listener, tls: self.tls.clone() }) as Box<dyn Listener>)
        }
        .boxed()
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        async move {
            let stream = self.network.connect(address).await?;
            let sealed = self.tls.ends().connector.connect(self.tls.server_name.clone(), stream).await?;
            Ok(Box::new(Sealed::Ready(Box::new(sealed.into()))) as Box<dyn Stream>)
        }
        .boxed()
    }

    /// Not sealed: who sends datagrams has keys of its own for them.
    fn datagrams<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Datagrams>>> {
        self.network.datagrams(address)
    }
}

#[derive(Debug)]
struct TlsListener {
    listener: Box<dyn Listener>,
    tls: Tls,
}

impl Listener for TlsListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        async move {
            let (stream, peer) = self.listener.accept().await?;
            // The handshake waits for the other end: it is done by whoever reads, not by the one who accepts for all.
            Ok((Box::new(Sealed::Accepting(Box::new(self.tls.ends().acceptor.accept(stream)))) as Box<dyn Stream>, peer))
        }
        .boxed()
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_address()
    }
}

/// A sealed stream, which may have to be opened yet.
enum Sealed {
    Accepting(Box<Accept<Box<dyn Stream>>>),
    Ready(Box<tokio_rustls::TlsStream<Box<dyn Stream>>>),
    Failed,
}

impl Sealed {
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<&mut tokio_rustls::TlsStream<Box<dyn Stream>>>> {
        if let Self::Accepting(accept) = self {
            match ready!(Pin::new(&mut **accept).poll(context)) {
                Ok(stream) => *self = Self::Ready(Box::new(stream.into())),
                Err(error) => {
                    *self = Self::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        match self {
            Self::Ready(stream) => Poll::Ready(Ok(stream)),
            Self::Accepting(_) | Self::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Sealed {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(context))?;
        Pin::new(stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Sealed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_open(context))?;
        Pin::new(stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(context))?;
        Pin::new(stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Ready(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Accepting(_) | Self::Failed => Poll::Ready(Ok(())),
        }
    }
}

impl Stream for Sealed {
    fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Ready(stream) => stream.get_ref().1.peer_certificates().and_then(<[_]>::first),
            Self::Accepting(_) | Self::Failed => None,
        }
    }

    fn is_sealed(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
