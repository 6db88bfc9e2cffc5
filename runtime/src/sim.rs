//! The simulated world: a clock that follows virtual time, randomness from a seed, turmoil's network, a disk in memory that can crash.

use std::sync::Arc;

use drover_model::time::UnixNanos;

pub use self::{clock::SimClock, network::TurmoilNetwork, random::SeededRandom};
use crate::Runtime;
pub use crate::disk::MemoryDisk;

mod clock;
mod network;
mod random;

/// When simulations begin: 2026-01-01T00:00:00Z.
pub const EPOCH: UnixNanos = UnixNanos(1_767_225_600_000_000_000);

/// The world of one simulated host. Same seed, same world; the disk is given so that it outlives the host's crashes.
pub fn runtime(seed: u64, disk: &MemoryDisk) -> Runtime {
    Runtime {
        clock: Arc::new(SimClock::new(EPOCH)),
        random: Arc::new(SeededRandom::new(seed)),
        network: Arc::new(TurmoilNetwork),
        disk: Arc::new(disk.clone()),
    }
}
