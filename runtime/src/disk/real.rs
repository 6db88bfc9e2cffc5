//! The machine's file system.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::sys::statvfs::statvfs;

use super::{Disk, DiskFile, DiskLock, Room};

/// What is written here can hold keys and tokens: nobody else may read it.
const FILE_MODE: u32 = 0o600;

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the {limit} bytes that it may have")));
        }
        Ok(bytes)
    }

    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let new = path.with_file_name(name);
        let written = write_synced(&new, bytes).and_then(|()| fs::rename(&new, path));
        if let Err(error) = written {
            // On a full disk, the half of it would take the little room that is left. The error that counts is the first one.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        self.sync_dir(path.parent().unwrap_or_else(|| Path::new(".")))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
        Ok(Box::new(RealFile { file }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(if path.as_os_str().is_empty() { Path::new(".") } else { path })?.sync_all()
    }

    fn room(&self, path: &Path) -> io::Result<Room> {
        let found = statvfs(path)?;
        // Types of these differ between systems.
        #[allow(clippy::useless_conversion)]
        let (block, free, total): (u64, u64, u64) = (found.fragment_size().into(), found.blocks_available().into(), found.blocks().into());
        Ok(Room { free_bytes: free.saturating_mul(block), total_bytes: total.saturating_mul(block) })
    }

    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(DiskLock::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[derive(Debug)]
struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_one_holders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = RealDisk.lock(&path).unwrap();
        assert_eq!(RealDisk.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        RealDisk.lock(&path).unwrap();
    }

    #[test]
    fn files_are_appended_to_replaced_and_limited() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, path) = (RealDisk, folder.path().join("a").join("log"));
        disk.create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = disk.open(&path).unwrap();
        file.append(b"one").unwrap();
        file.append(b"two").unwrap();
        file.sync().unwrap();
        file.truncate(4).unwrap();
        file.append(b"!").unwrap();
        assert_eq!(disk.read(&path, 5).unwrap(), b"onet!");
        file.write_at(1, b"f-").unwrap();
        file.write_at(4, b"en").unwrap();
        file.append(b"-day").unwrap();
        assert_eq!(disk.read(&path, 10).unwrap(), b"of-ten-day");
        assert_eq!(disk.read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        disk.write_atomic(&path, b"new").unwrap();
        assert_eq!(disk.read(&path, 10).unwrap(), b"new");
        assert_eq!(disk.list(path.parent().unwrap()).unwrap(), std::slice::from_ref(&path));
        let room = disk.room(&path).unwrap();
        assert!(room.free_bytes <= room.total_bytes && room.total_bytes > 0);
    }
}
