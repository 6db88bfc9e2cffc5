//! A disk in memory: for servers that leave nothing behind, and for simulations, where it forgets what was not synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{Disk, DiskFile, DiskLock};
use crate::random::Random;

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
    /// With the epoch that they were taken in: a crash ends their holders.
    locks: Mutex<BTreeMap<PathBuf, u64>>,
}

#[derive(Debug, Default)]
struct Tree {
    folders: BTreeSet<PathBuf>,
    /// What a running process sees.
    files: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    /// What a crash leaves.
    durable: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// So many of the first bytes survive a crash.
    synced: usize,
    /// What follows them after a crash: bytes that were cut off, but not yet on the disk.
    cut: Vec<u8>,
}

impl Content {
    fn truncate(&mut self, len: usize) {
        if len < self.synced {
            let mut cut = self.bytes[len..self.synced].to_vec();
            cut.append(&mut self.cut);
            self.cut = cut;
            self.synced = len;
        }
        self.bytes.resize(len, 0);
    }

    fn sync(&mut self) {
        self.synced = self.bytes.len();
        self.cut.clear();
    }

    /// What is left after a crash, when `torn` of the bytes that were not synced got through.
    fn survivor(&self, torn: usize) -> Self {
        let mut bytes = self.bytes[..self.synced].to_vec();
        if self.cut.is_empty() {
            bytes.extend_from_slice(&self.bytes[self.synced..][..torn]);
        } else {
            bytes.extend_from_slice(&self.cut);
        }
        Self { synced: bytes.len(), bytes, cut: Vec::new() }
    }
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

    /// The same, but of each file's unsynced bytes a random number got through.
    pub fn crash_torn(&self, random: &dyn Random) {
        self.crash_keeping(|_, unsynced| usize::try_from(random.below(unsynced as u64 + 1)).unwrap_or(0));
    }

    /// The same; `keep` says how many of a file's unsynced bytes got through.
    pub fn crash_keeping(&self, keep: impl Fn(&Path, usize) -> usize) {
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        let tree = &mut *lock(&self.shared.tree);
        for (path, content) in &mut tree.durable {
            let survivor = {
                let content = lock(content);
                let unsynced = content.bytes.len() - content.synced;
                content.survivor(keep(path, unsynced).min(unsynced))
            };
            *content = Arc::new(Mutex::new(survivor));
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

    fn check_writable(&self) -> io::Result<()> {
        self.shared.check_writable()
    }
}

impl Shared {
    fn check_writable(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) { Err(io::Error::other("the simulated disk is broken")) } else { Ok(()) }
    }
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
        self.check_writable()?;
        let tree = &mut *lock(&self.shared.tree);
        if !path.parent().is_some_and(|parent| tree.folders.contains(parent)) {
            return Err(not_found(path.parent().unwrap_or(path)));
        }
        let content = Arc::new(Mutex::new(Content { bytes: bytes.to_vec(), synced: bytes.len(), cut: Vec::new() }));
        tree.files.insert(path.to_path_buf(), Arc::clone(&content));
        tree.durable.insert(path.to_path_buf(), content);
        Ok(())
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
        self.check_writable()?;
        lock(&self.shared.tree).files.remove(path).map(drop).ok_or_else(|| not_found(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_writable()?;
        let tree = &mut *lock(&self.shared.tree);
        let content = tree.files.remove(from).ok_or_else(|| not_found(from))?;
        tree.files.insert(to.to_path_buf(), content);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check_writable()?;
        let tree = &mut *lock(&self.shared.tree);
        tree.durable.retain(|name, _| name.parent() != Some(path));
        let here = tree.files.iter().filter(|(name, _)| name.parent() == Some(path));
        tree.durable.extend(here.map(|(name, content)| (name.clone(), Arc::clone(content))));
        Ok(())
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

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.shared.check_writable()?;
        self.content()?.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.content()?;
        let rest = usize::try_from(offset).ok().and_then(|offset| content.bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.shared.check_writable()?;
        let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.content()?.truncate(len);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.shared.check_writable()?;
        self.content()?.sync();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with_file() -> (MemoryDisk, PathBuf, Box<dyn DiskFile>) {
        let (disk, path) = (MemoryDisk::new(), PathBuf::from("/data/log"));
        disk.create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = disk.open(&path).unwrap();
        file.append(b"kept").unwrap();
        file.sync().unwrap();
        disk.sync_dir(path.parent().unwrap()).unwrap();
        (disk, path, file)
    }

    #[test]
    fn a_crash_loses_what_was_not_synced() {
        let (disk, path, mut file) = disk_with_file();
        file.append(b"lost").unwrap();
        disk.crash();
        assert_eq!(disk.read(&path, 100).unwrap(), b"kept");
        assert!(file.append(b"x").is_err(), "whoever had it open is gone");
    }

    #[test]
    fn a_torn_write_keeps_a_part() {
        let (disk, path, mut file) = disk_with_file();
        file.append(b"lost").unwrap();
        disk.crash_keeping(|_, _| 2);
        assert_eq!(disk.read(&path, 100).unwrap(), b"keptlo");
    }

    #[test]
    fn a_truncation_that_was_not_synced_is_undone() {
        let (disk, path, mut file) = disk_with_file();
        file.truncate(1).unwrap();
        file.append(b"new").unwrap();
        disk.crash();
        assert_eq!(disk.read(&path, 100).unwrap(), b"kept");
    }

    #[test]
    fn locks_end_with_their_holder_or_a_crash() {
        let (disk, path) = (MemoryDisk::new(), Path::new("/lock"));
        let held = disk.lock(path).unwrap();
        assert_eq!(disk.lock(path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        let lost = disk.lock(path).unwrap();
        disk.crash();
        let _after = disk.lock(path).unwrap();
        drop(lost);
        assert!(disk.lock(path).is_err(), "whoever was there before the crash does not unlock it");
    }

    #[test]
    fn names_need_their_folder_synced() {
        let (disk, path, _file) = disk_with_file();
        let other = path.with_file_name("other");
        disk.open(&other).unwrap();
        disk.remove(&path).unwrap();
        disk.crash();
        assert_eq!(disk.list(path.parent().unwrap()).unwrap(), [path]);
    }
}
