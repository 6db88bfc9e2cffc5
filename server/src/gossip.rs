//! Gossip: which servers there are, and which of them are there right now. They tell each other, over UDP.
//!
//! Who takes part in consensus is not decided here, but in its log: gossip says whom a server can ask ([`crate::membership`]), and who has gone silent for everybody
//! and not only for the one who asks. Datagrams are sealed when there is a key ([`key`], [`keyring`]); what cannot be opened is refused.
//!
//! Where to start: [`start`], then [`pool`].

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use drover_runtime::{Disk, Runtime, apart};

pub use self::key::{GossipKey, KeyError};
pub(crate) use self::{
    member::Server as GossipServer,
    pool::{Driver, Pool, Verdict},
};

mod key;
mod keyring;
mod member;
mod pool;

/// How often this server has been started: so that others know its newest word from an older one.
const STARTS_FILE: &str = "gossip-starts";
const STARTS_BYTES: u64 = 64;
/// What a server grows by while it runs fits below.
const START_BITS: u32 = 32;

/// How a server takes part in gossip.
#[derive(Clone, Debug)]
pub struct GossipConfig {
    /// Where datagrams are taken, `HOST:PORT`; port 0 lets the system choose.
    pub address: String,
    /// Where others send them; none, or port 0: to the address that it really listens on.
    pub advertise: Option<String>,
    /// What the keyring begins with; none: gossip is not sealed.
    pub key: Option<GossipKey>,
}

/// Why a server cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot take gossip at {address} (UDP): {source}")]
    Listen { address: String, source: io::Error },
    #[error(transparent)]
    Keyring(#[from] keyring::Error),
    #[error("cannot {action} {}: {source}", path.display())]
    Starts { path: PathBuf, action: &'static str, source: io::Error },
}

/// Takes datagrams from now on; the driver is to be run. `own` lacks its generation and where it takes datagrams.
pub(crate) async fn start(config: &GossipConfig, own: GossipServer, folder: &Path, runtime: &Runtime) -> Result<(Pool, Driver), Error> {
    let failed = |source| Error::Listen { address: config.address.clone(), source };
    let socket = runtime.network.datagrams(&config.address).await.map_err(failed)?;
    let port = socket.local_address().map_err(failed)?.port();
    let shown = config.advertise.as_ref().unwrap_or(&config.address);
    let gossip = match shown.strip_suffix(":0") {
        Some(host) => format!("{host}:{port}"),
        None => shown.clone(),
    };
    let (disk, random, folder, key) = (Arc::clone(&runtime.disk), Arc::clone(&runtime.random), folder.to_owned(), config.key.clone());
    let opened = apart(move || {
        let generation = count_start(&*disk, &folder)?;
        Ok::<_, Error>((generation, keyring::Keyring::open(disk, random, &folder, key)?))
    });
    let (generation, keyring) = opened.await.map_err(failed)??;
    let own = GossipServer { generation, gossip, ..own };
    Ok(Pool::new(own, keyring, socket, Arc::clone(&runtime.random)))
}

fn count_start(disk: &dyn Disk, folder: &Path) -> Result<u64, Error> {
    let path = folder.join(STARTS_FILE);
    let starts = match disk.read(&path, STARTS_BYTES) {
        // A file that holds no number is as good as none. Others take this server for an older one until they have forgotten that, and go by its answers.
        Ok(bytes) => std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(source) => return Err(Error::Starts { path, action: "read", source }),
    };
    let starts = starts + 1;
    match disk.write_atomic(&path, format!("{starts}\n").as_bytes()) {
        Ok(()) => {}
        // It is no reason not to start.
        Err(error) if drover_runtime::disk::is_full(&error) => {
            tracing::warn!(path = %path.display(), "the disk is full: this start is not counted")
        }
        Err(source) => return Err(Error::Starts { path, action: "write", source }),
    }
    Ok(starts << START_BITS)
}
