//! Files that must survive: the servers' log and snapshots, the client's state.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use memory::{Halt, MemoryDisk};
pub use real::RealDisk;

mod memory;
mod real;

/// How much a disk can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What this process may still write.
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// Whether something could not be written only because there is no room for it: nothing is wrong with the disk, and it works again once somebody has made some.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A folder tree on some disk. Calls block; whoever is async moves them to a blocking thread (the simulated disk returns at once).
pub trait Disk: Send + Sync + fmt::Debug {
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// A whole file, at most `limit` bytes of it; a larger one is an error.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Replaces a file as a whole: a crash leaves the old one or the new one, and once this returns the new one stays. After an error the old one is there, and
    /// nothing takes up room that did not before.
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Opens a file to write to and read from; creates it when it is not there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the folder's entries (creations, renames, removals) survive a crash.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// How much room there is where `path` is, which must exist.
    fn room(&self, path: &Path) -> io::Result<Room>;

    /// Makes `path` this process's alone, until the lock is dropped or the process ends. Somebody else's lock is [`io::ErrorKind::WouldBlock`].
    fn lock(&self, path: &Path) -> io::Result<DiskLock>;

    /// Whether calls return without waiting for hardware, so that nobody needs a blocking thread for them.
    fn is_instant(&self) -> bool {
        false
    }

    /// For how long the next write is to wait, in simulations of slow disks.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }
}

/// Keeps others away while it is held.
pub struct DiskLock {
    _guard: Box<dyn Send + Sync>,
}

impl DiskLock {
    fn new(guard: impl Send + Sync + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

impl fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskLock")
    }
}

/// An open file.
pub trait DiskFile: Send + Sync + fmt::Debug {
    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Appends at the end. Not durable until [`DiskFile::sync`] returns. After an error any part of it may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_at(self.len()?, bytes)
    }

    /// Writes from `offset` on, over what is there and beyond. Not durable until [`DiskFile::sync`] returns. After an error, or a crash before that, any part of it
    /// may be there, also without what is before it.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Returns once everything written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}
