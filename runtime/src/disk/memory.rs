//! A disk in memory: for servers that leave nothing behind, and for simulations, where it forgets what was not synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

pub use self::halt::Halt;
use self::{
    content::Content,
    halt::{Halts, Part},
};
use super::{Disk, DiskFile, DiskLock, Room};
use crate::random::Random;

mod content;
mod halt;
#[cfg(test)]
mod tests;

/// A file system in memory. Clones are the same disk.
///
/// [`MemoryDisk::crash`] does what a power cut does: bytes that were not synced are gone, and so are names whose folder was not synced. Folders themselves
/// are kept at once.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tree: Mutex<Tree>,
    /// Counts crashes: whoever opened a file before one cannot use it any more.
    epoch: AtomicU64,
    broken: AtomicBool,
    /// What all files together may have; 0: as much as they like.
    capacity: AtomicU64,
    halts: Mutex<Halts>,
    slow: Mutex<Option<Slow>>,
    /// With the epoch that they were taken in: a crash ends their holders.
    locks: Mutex<BTreeMap<PathBuf, u64>>,
}

/// How long writes take.
#[derive(Debug)]
struct Slow {
    random: Arc<dyn Random>,
    most: Duration,
}

#[derive(Debug, Default)]
struct Tree {
    folders: BTreeSet<PathBuf>,
    /// What a running process sees.
    files: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    /// What a crash leaves.
    durable: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

impl MemoryDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: only what was synced is left, and files that are open now give errors from here on.
    pub fn crash(&self) {
        self.crash_keeping(|_, _| 0);
    }

    /// The same, but of each file's unsynced bytes a random number got through, or some of their sectors in any order.
    pub fn crash_torn(&self, random: &dyn Random) {
        if random.below(2) == 0 {
            self.crash_keeping(|_, unsynced| usize::try_from(random.below(unsynced as u64 + 1)).unwrap_or(0));
        } else {
            self.crash_leaving(|_, content| content.scattered(|| random.below(2) == 0));
        }
    }

    /// The same; `keep` says how many of a file's unsynced bytes got through.
    pub fn crash_keeping(&self, keep: impl Fn(&Path, usize) -> usize) {
        self.crash_leaving(|path, content| content.torn(keep(path, content.unsynced())));
    }

    fn crash_leaving(&self, survivor: impl Fn(&Path, &Content) -> Content) {
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        *lock(&self.shared.halts) = Halts::default();
        let tree = &mut *lock(&self.shared.tree);
        for (path, content) in &mut tree.durable {
            let left = survivor(path, &lock(content));
            *content = Arc::new(Mutex::new(left));
        }
        tree.files = tree.durable.clone();
    }

    /// Takes everything away, as when a disk is replaced.
    pub fn wipe(&self) {
        *lock(&self.shared.tree) = Tree::default();
    }

    /// Makes every write and sync fail from now on (or work again).
    pub fn set_broken(&self, broken: bool) {
        self.shared.broken.store(broken, Ordering::SeqCst);
    }

    /// Lets all files together have so many bytes from now on; none: as many as they like. Beyond them, what is written is cut off with an error, as on a disk
    /// that is full.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.capacity.store(bytes.unwrap_or(0), Ordering::SeqCst);
    }

    /// Lets those who write without waiting take a random time for it, less than `most` each. This disk stays as fast as it is: it only tells them.
    pub fn set_slow(&self, random: Arc<dyn Random>, most: Duration) {
        *lock(&self.shared.slow) = Some(Slow { random, most });
    }

    /// How many bytes all files together have.
    pub fn used(&self) -> u64 {
        lock(&self.shared.tree).used()
    }

    /// Ends the process that writes here when it is about to change something for the `operation`-th time from now (1 is the next one): every call fails from then
    /// on, until the crash that the caller lets follow.
    pub fn halt_at(&self, operation: u64, how: Halt) {
        *lock(&self.shared.halts) = Halts::at(operation, how);
    }

    /// Whether it has come to that.
    pub fn is_halted(&self) -> bool {
        lock(&self.shared.halts).halted
    }

    /// Changes a file's bytes behind everybody's back, as a bad disk does.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let file = self.file(path)?;
        let mut content = lock(&file);
        change(&mut content.bytes);
        content.sync();
        Ok(())
    }

    fn file(&self, path: &Path) -> io::Result<Arc<Mutex<Content>>> {
        lock(&self.shared.tree).files.get(path).cloned().ok_or_else(|| not_found(path))
    }
}

impl Tree {
    fn used(&self) -> u64 {
        self.files.values().map(|content| lock(content).bytes.len() as u64).sum()
    }
}

impl Shared {
    /// One change of the disk: `work` makes it, or the part of it that it is told to.
    fn change<T>(&self, work: impl FnOnce(Part) -> io::Result<T>) -> io::Result<T> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the simulated disk is broken"));
        }
        let halt = lock(&self.halts).count()?;
        halt::make(halt, work)
    }

    /// How many more bytes there is room for.
    fn free(&self) -> u64 {
        match self.capacity.load(Ordering::SeqCst) {
            0 => u64::MAX,
            capacity => capacity.saturating_sub(lock(&self.tree).used()),
        }
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the simulated disk is full")
}

impl Disk for MemoryDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        lock(&self.shared.tree).folders.extend(path.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let tree = lock(&self.shared.tree);
        if !tree.folders.contains(path) {
            return Err(not_found(path));
        }
        let inside = |entry: &&PathBuf| entry.parent() == Some(path);
        let mut paths: Vec<_> = tree.files.keys().filter(inside).chain(tree.folders.iter().filter(inside)).cloned().collect();
        paths.sort();
        Ok(paths)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.file(path)?;
        let content = lock(&file);
        if content.bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the {limit} bytes that it may have")));
        }
        Ok(content.bytes.clone())
    }

    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > self.shared.free() {
            return Err(full());
        }
        let replace = || {
            let tree = &mut *lock(&self.shared.tree);
            if !path.parent().is_some_and(|parent| tree.folders.contains(parent)) {
                return Err(not_found(path.parent().unwrap_or(path)));
            }
            let content = Arc::new(Mutex::new(Content::new(bytes.to_vec())));
            tree.files.insert(path.to_path_buf(), Arc::clone(&content));
            tree.durable.insert(path.to_path_buf(), content);
            Ok(())
        };
        self.shared.change(|part| part.whole(replace))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let tree = &mut *lock(&self.shared.tree);
        if !path.parent().is_some_and(|parent| tree.folders.contains(parent)) {
            return Err(not_found(path.parent().unwrap_or(path)));
        }
        let content = Arc::clone(tree.files.entry(path.to_path_buf()).or_default());
        Ok(Box::new(MemoryFile { content, shared: Arc::clone(&self.shared), epoch: self.shared.epoch.load(Ordering::SeqCst) }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let remove = || lock(&self.shared.tree).files.remove(path).map(drop).ok_or_else(|| not_found(path));
        self.shared.change(|part| part.whole(remove))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let rename = || {
            let tree = &mut *lock(&self.shared.tree);
            let content = tree.files.remove(from).ok_or_else(|| not_found(from))?;
            tree.files.insert(to.to_path_buf(), content);
            Ok(())
        };
        self.shared.change(|part| part.whole(rename))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let sync = || {
            let tree = &mut *lock(&self.shared.tree);
            tree.durable.retain(|name, _| name.parent() != Some(path));
            let here = tree.files.iter().filter(|(name, _)| name.parent() == Some(path));
            tree.durable.extend(here.map(|(name, content)| (name.clone(), Arc::clone(content))));
            Ok(())
        };
        self.shared.change(|part| part.whole(sync))
    }

    fn room(&self, _path: &Path) -> io::Result<Room> {
        let total_bytes = match self.shared.capacity.load(Ordering::SeqCst) {
            0 => u64::MAX,
            capacity => capacity,
        };
        Ok(Room { free_bytes: self.shared.free(), total_bytes })
    }

    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        let epoch = self.shared.epoch.load(Ordering::SeqCst);
        match lock(&self.shared.locks).insert(path.to_path_buf(), epoch) {
            Some(held) if held == epoch => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(DiskLock::new(Held { shared: Arc::clone(&self.shared), path: path.to_path_buf(), epoch })),
        }
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn delay(&self) -> Duration {
        lock(&self.shared.slow).as_ref().map_or(Duration::ZERO, |slow| slow.random.jitter(slow.most))
    }
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

struct Held {
    shared: Arc<Shared>,
    path: PathBuf,
    epoch: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut locks = lock(&self.shared.locks);
        // After a crash it can be somebody else's.
        if locks.get(&self.path) == Some(&self.epoch) {
            locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    content: Arc<Mutex<Content>>,
    shared: Arc<Shared>,
    epoch: u64,
}

impl MemoryFile {
    fn content(&self) -> io::Result<MutexGuard<'_, Content>> {
        if self.epoch != self.shared.epoch.load(Ordering::SeqCst) {
            return Err(io::Error::other("this file was opened before the simulated crash"));
        }
        Ok(lock(&self.content))
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content()?.bytes.len() as u64)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = position(offset)?;
        let free = usize::try_from(self.shared.free()).unwrap_or(usize::MAX);
        self.shared.change(|part| {
            let mut content = self.content()?;
            let wanted = if part == Part::Half { bytes.len() / 2 } else { bytes.len() };
            let room = free.saturating_add(content.bytes.len()).saturating_sub(offset);
            content.write(offset, &bytes[..wanted.min(room)]);
            if wanted > room { Err(full()) } else { Ok(()) }
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.content()?;
        let rest = usize::try_from(offset).ok().and_then(|offset| content.bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let len = position(len)?;
        let truncate = || {
            self.content()?.truncate(len);
            Ok(())
        };
        self.shared.change(|part| part.whole(truncate))
    }

    fn sync(&mut self) -> io::Result<()> {
        let sync = || {
            self.content()?.sync();
            Ok(())
        };
        self.shared.change(|part| part.whole(sync))
    }
}
