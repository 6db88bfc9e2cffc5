//! What the outside world gives, as traits: time, randomness, network, disk.
//!
//! What it is: the traits, their real forms, their simulated forms ([`sim`]), and the RPC connection that is built on the network trait ([`rpc`]). Servers and
//! clients take a [`Runtime`] when they start and reach the world only through it, so that a whole cluster runs in one thread from one seed.
//!
//! What it must not know: jobs, allocations, HTTP.
//!
//! Where to start: [`Runtime`], then the four traits, then [`rpc::Connection`] and [`rpc::Router`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::sync::Arc;

pub use apart::{apart, in_place, in_place_if};
pub use clock::{Clock, RealClock};
pub use disk::{Disk, DiskFile, DiskLock, MemoryDisk, RealDisk, Room};
pub use network::{Datagrams, Listener, Network, Stream, TcpNetwork};
pub use random::{OsRandom, Random};

mod apart;
pub mod clock;
pub mod disk;
pub mod network;
pub mod random;
pub mod rpc;
pub mod sim;
pub mod tls;

/// The outside world, as one process (or one simulated host) sees it. Cheap to clone.
///
/// Monotonic time and sleeping are `tokio::time`'s, which is virtual under simulation.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub network: Arc<dyn Network>,
    pub disk: Arc<dyn Disk>,
}

impl Runtime {
    /// The machine's clock, randomness, network and disk.
    pub fn real() -> Self {
        Self { clock: Arc::new(RealClock), random: Arc::new(OsRandom), network: Arc::new(TcpNetwork), disk: Arc::new(RealDisk) }
    }

    /// The same with another disk, such as [`MemoryDisk`] for a server that shall leave nothing behind.
    pub fn with_disk(self, disk: impl Disk + 'static) -> Self {
        Self { disk: Arc::new(disk), ..self }
    }
}
