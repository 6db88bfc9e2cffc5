//! The agent's certificates: read when it starts, and again when it is told to.

use std::sync::{Arc, PoisonError, RwLock};

use drover_runtime::{
    Runtime,
    tls::{Error, Files, Tls, Visitors},
};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;

/// How HTTPS is spoken on connections that begin now. Clones share it.
#[derive(Clone)]
pub(crate) struct Https {
    acceptor: Arc<RwLock<TlsAcceptor>>,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Https")
    }
}

impl Https {
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What seals calls between agents, and what the HTTP API shows.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    rpc: Option<Tls>,
    https: Option<Https>,
}

impl Certificates {
    pub(crate) fn read(config: &Config) -> Result<Self, Error> {
        let rpc = rpc_files(config).map(|files| Tls::new(&files, &config.region, config.tls.oldest)).transpose()?;
        let https = acceptor(config)?.map(|acceptor| Https { acceptor: Arc::new(RwLock::new(acceptor)) });
        Ok(Self { rpc, https })
    }

    /// Where calls between agents are sealed, everything goes over a network that does it.
    pub(crate) fn sealed(&self, runtime: Runtime) -> Runtime {
        match &self.rpc {
            Some(tls) => Runtime { network: Arc::new(tls.clone().seal(Arc::clone(&runtime.network))), ..runtime },
            None => runtime,
        }
    }

    pub(crate) fn https(&self) -> Option<Https> {
        self.https.clone()
    }

    /// Reads the files anew. Connections that there are stay as they are. Whether there is TLS at all does not change while an agent runs.
    pub(crate) fn renew(&self, config: &Config) -> Result<(), Error> {
        let new = acceptor(config)?;
        if self.rpc.is_some() != rpc_files(config).is_some() || self.https.is_some() != new.is_some() {
            tracing::warn!("tls: `rpc` and `http` are switched on or off when an agent starts, not when its configuration is reloaded");
        }
        if let (Some(tls), Some(files)) = (&self.rpc, rpc_files(config)) {
            tls.renew(&files, config.tls.oldest)?;
        }
        if let (Some(https), Some(new)) = (&self.https, new) {
            *https.acceptor.write().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }
}

fn rpc_files(config: &Config) -> Option<Files> {
    config.tls.files().filter(|_| config.tls.rpc)
}

fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>, Error> {
    let Some(files) = config.tls.files().filter(|_| config.tls.http) else { return Ok(None) };
    let visitors = if config.tls.verify_https_client { Visitors::Certified } else { Visitors::Anybody };
    let mut server = files.server_config(visitors, config.tls.oldest)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}
