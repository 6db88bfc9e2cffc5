//! Files beneath a folder that somebody untrusted may write to.
//!
//! A task can put symbolic links into its own folder. Each part of a path is therefore opened relative to the folder before it and never
//! through a link, so that a destination cannot lead to a file of the host. Works on every kernel (`openat2` needs 5.6).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

/// Folders that are created on the way.
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o755);
/// Until it has its owner and permissions, a new file is readable by the agent alone.
const PRIVATE_MODE: Mode = Mode::from_bits_truncate(0o600);
/// The bits a `perms` may have.
const PERMISSION_BITS: u32 = 0o7777;
/// How often a name for the temporary file may be taken already.
const NAME_ATTEMPTS: u32 = 64;
/// The longest part of a path that Linux takes.
const NAME_BYTES: usize = 255;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The path is empty, absolute or has `..` in it.
    #[error("destination {0:?} escapes its root: it must be relative, without '..'")]
    Escapes(PathBuf),
    /// A part of the path is a symbolic link.
    #[error("destination {path:?} escapes its root: {part:?} is a symbolic link")]
    Link { path: PathBuf, part: PathBuf },
    /// The file has more bytes than the caller takes.
    #[error("{path:?} has more than {limit} bytes")]
    TooLarge { path: PathBuf, limit: usize },
    /// The system said no.
    #[error("{action} {path:?}: {errno}")]
    System { action: &'static str, path: PathBuf, errno: Errno },
}

/// Who a written file belongs to; `None` keeps the agent's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ownership {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The file is new or has new content.
    Changed,
    /// It had this content already; only permissions and owner were set.
    Unchanged,
}

/// Puts `bytes` at `relative` beneath `root`, whole or not at all: a temporary file in the same folder, then renamed. Missing folders are
/// created. A file that already has the content is left in place.
///
/// Nothing is synced to the disk: what survives a loss of power is rendered again before its task starts, and a thousand tasks that watch
/// one key must not wait for a thousand syncs.
pub fn write_beneath(root: &Path, relative: &Path, bytes: &[u8], perms: u32, owner: Ownership) -> Result<Written, WriteError> {
    let at = Place { path: relative };
    let (folder, name) = at.open_folder(root, true)?;
    if let Some(file) = at.same_content(&folder, name, bytes)? {
        at.set_attributes(&file, perms, owner)?;
        return Ok(Written::Unchanged);
    }
    let (temporary, mut file) = at.create_temporary(&folder, name)?;
    let written = at
        .system("write", file.write_all(bytes).map_err(|error| errno(&error)))
        .and_then(|()| at.set_attributes(&file, perms, owner))
        .and_then(|()| at.system("rename", renameat(&folder, temporary.as_str(), &folder, name)));
    if let Err(error) = written {
        // Nothing can be done about a temporary file that does not go away; the first failure is the one to tell.
        let _ = unlinkat(&folder, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        return Err(error);
    }
    Ok(Written::Changed)
}

/// The content of a file beneath `root`, `None` if there is none. Links are refused as in [`write_beneath`].
pub fn read_beneath(root: &Path, relative: &Path, limit: usize) -> Result<Option<Vec<u8>>, WriteError> {
    let at = Place { path: relative };
    let (folder, name) = match at.open_folder(root, false) {
        Ok(found) => found,
        Err(WriteError::System { errno: Errno::ENOENT, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(file) = at.open_file(&folder, name)? else { return Ok(None) };
    let mut bytes = Vec::new();
    at.system("read", file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| errno(&error)))?;
    if bytes.len() > limit {
        return Err(WriteError::TooLarge { path: relative.to_owned(), limit });
    }
    Ok(Some(bytes))
}

/// One destination, which every error names.
struct Place<'a> {
    path: &'a Path,
}

impl Place<'_> {
    fn system<T>(&self, action: &'static str, result: Result<T, Errno>) -> Result<T, WriteError> {
        result.map_err(|errno| WriteError::System { action, path: self.path.to_owned(), errno })
    }

    /// The names of the path, which must be plain.
    fn parts(&self) -> Result<Vec<&std::ffi::OsStr>, WriteError> {
        let mut parts = Vec::new();
        for component in self.path.components() {
            match component {
                Component::Normal(name) => parts.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(WriteError::Escapes(self.path.to_owned()));
                }
            }
        }
        if parts.is_empty() || self.path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(WriteError::Escapes(self.path.to_owned()));
        }
        Ok(parts)
    }

    /// The folder of the file, opened part by part.
    fn open_folder(&self, root: &Path, create: bool) -> Result<(OwnedFd, &std::ffi::OsStr), WriteError> {
        let mut parts = self.parts()?;
        let name = parts.pop().ok_or_else(|| WriteError::Escapes(self.path.to_owned()))?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        // The root itself is the caller's own and may be reached through links.
        let mut folder = self.system("open the root of", open(root, flags, Mode::empty()))?;
        for part in parts {
            if create {
                match mkdirat(&folder, part, FOLDER_MODE) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return self.system("create a folder of", Err(errno)),
                }
            }
            folder = match openat(&folder, part, flags | OFlag::O_NOFOLLOW, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::ELOOP) => return Err(self.link(part)),
                // A link that was asked for as a folder is reported like any other non-folder.
                Err(Errno::ENOTDIR) if is_link(&folder, part) => return Err(self.link(part)),
                Err(errno) => return self.system("open a folder of", Err(errno)),
            };
        }
        Ok((folder, name))
    }

    fn link(&self, part: &std::ffi::OsStr) -> WriteError {
        WriteError::Link { path: self.path.to_owned(), part: part.into() }
    }

    fn open_file(&self, folder: &OwnedFd, name: &std::ffi::OsStr) -> Result<Option<File>, WriteError> {
        // O_NONBLOCK: a FIFO that a task put there must not hold the agent.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        match openat(folder, name, flags, Mode::empty()) {
            Ok(file) => {
                let mode = self.system("look at", fstat(&file))?.st_mode;
                let regular = mode & nix::libc::S_IFMT == nix::libc::S_IFREG;
                if regular { Ok(Some(File::from(file))) } else { self.system("open", Err(Errno::EINVAL)) }
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(Errno::ELOOP) => Err(self.link(name)),
            Err(errno) => self.system("open", Err(errno)),
        }
    }

    /// The present file, if it already has the content. One that cannot be read is replaced.
    fn same_content(&self, folder: &OwnedFd, name: &std::ffi::OsStr, bytes: &[u8]) -> Result<Option<File>, WriteError> {
        let mut file = match self.open_file(folder, name) {
            Ok(Some(file)) => file,
            Ok(None) | Err(WriteError::System { errno: Errno::EACCES, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = self.system("look at", fstat(&file))?;
        // A file that has another name too may be somebody else's: it is replaced, and what it may do is not touched.
        if usize::try_from(found.st_size) != Ok(bytes.len()) || found.st_nlink > 1 {
            return Ok(None);
        }
        let mut present = Vec::with_capacity(bytes.len());
        let read = (&mut file).take(bytes.len() as u64).read_to_end(&mut present);
        Ok((read.is_ok() && present == bytes).then_some(file))
    }

    fn create_temporary(&self, folder: &OwnedFd, name: &std::ffi::OsStr) -> Result<(String, File), WriteError> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut stem = name.to_string_lossy().into_owned();
        while stem.len() > NAME_BYTES - 24 {
            stem.pop();
        }
        for attempt in 0..NAME_ATTEMPTS {
            let temporary = format!(".{stem}.{}.{attempt}.tmp", std::process::id());
            match openat(folder, temporary.as_str(), flags, PRIVATE_MODE) {
                Ok(file) => return Ok((temporary, File::from(file))),
                Err(Errno::EEXIST) => {}
                Err(errno) => return self.system("create", Err(errno)),
            }
        }
        self.system("create", Err(Errno::EEXIST))
    }

    /// The owner first: changing it clears the set-id bits.
    fn set_attributes(&self, file: &File, perms: u32, owner: Ownership) -> Result<(), WriteError> {
        if owner != Ownership::default() {
            let (uid, gid) = (owner.uid.map(Uid::from_raw), owner.gid.map(Gid::from_raw));
            self.system("set the owner of", fchown(file.as_fd(), uid, gid))?;
        }
        self.system("set the permissions of", fchmod(file.as_fd(), Mode::from_bits_truncate(perms & PERMISSION_BITS)))
    }
}

fn is_link(folder: &OwnedFd, name: &std::ffi::OsStr) -> bool {
    nix::fcntl::readlinkat(folder, name).is_ok()
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn put(root: &Path, relative: &str, bytes: &[u8]) -> Result<Written, WriteError> {
        write_beneath(root, Path::new(relative), bytes, 0o640, Ownership::default())
    }

    #[test]
    fn writes_whole_files_and_leaves_equal_ones_alone() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("local/conf/app.json");
        assert_eq!(put(root.path(), "local/conf/app.json", b"one").unwrap(), Written::Changed);
        let first = fs::metadata(&file).unwrap();
        assert_eq!((first.permissions().mode() & 0o7777, first.len()), (0o640, 3));

        let same = write_beneath(root.path(), Path::new("local/conf/app.json"), b"one", 0o600, Ownership::default());
        assert_eq!(same.unwrap(), Written::Unchanged);
        let second = fs::metadata(&file).unwrap();
        assert_eq!((second.ino(), second.permissions().mode() & 0o7777), (first.ino(), 0o600));

        assert_eq!(put(root.path(), "./local/conf/app.json", b"two").unwrap(), Written::Changed);
        assert_eq!(read_beneath(root.path(), Path::new("local/conf/app.json"), 10).unwrap().unwrap(), b"two");
        let names: Vec<_> = fs::read_dir(root.path().join("local/conf")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["app.json"], "no temporary file is left");
    }

    #[test]
    fn refuses_every_way_out() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink(outside.path().join("target"), root.path().join("file")).unwrap();
        fs::create_dir(root.path().join("in")).unwrap();
        symlink("in", root.path().join("inner")).unwrap();
        for path in ["../x", "a/../../x", "/etc/x", "", ".", "a/", "out/x", "file", "inner/x"] {
            assert!(
                matches!(put(root.path(), path, b"x"), Err(WriteError::Escapes(_) | WriteError::Link { .. })),
                "{path:?} must be refused"
            );
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(matches!(read_beneath(root.path(), Path::new("out/x"), 1), Err(WriteError::Link { .. })));
    }

    #[test]
    fn a_file_with_two_names_is_replaced_and_left_as_it_was() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        let theirs = outside.path().join("theirs");
        fs::write(&theirs, b"same").unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&theirs, root.path().join("ours")).unwrap();
        assert_eq!(put(root.path(), "ours", b"same").unwrap(), Written::Changed);
        assert_eq!(fs::metadata(&theirs).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    /// A task that swaps a folder for a link, again and again, while its template is written and read.
    #[test]
    fn a_folder_that_turns_into_a_link_meanwhile_leads_nowhere() {
        use std::sync::atomic::{AtomicBool, Ordering};
        const ROUNDS: usize = 500;
        /// On a busy machine all rounds may find the same of the two: then there are more, until each was met.
        const MOST_ROUNDS: usize = 100 * ROUNDS;
        /// Without a pause the exchange holds the folder's lock nearly all the time, and a round takes seconds.
        const PAUSE: std::time::Duration = std::time::Duration::from_micros(50);

        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), b"theirs").unwrap();
        let (folder, link) = (root.path().join("conf"), root.path().join("link"));
        fs::create_dir(&folder).unwrap();
        symlink(outside.path(), &link).unwrap();
        let over = AtomicBool::new(false);
        let (mut written, mut refused, mut wrong) = (0, 0, None);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // One call puts each in the place of the other.
                    let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
                    nix::fcntl::renameat2(nix::fcntl::AT_FDCWD, &folder, nix::fcntl::AT_FDCWD, &link, flags).unwrap();
                    std::thread::sleep(PAUSE);
                }
            });
            for round in 0..MOST_ROUNDS {
                if round >= ROUNDS {
                    if written > 0 && refused > 0 {
                        break;
                    }
                    std::thread::sleep(PAUSE);
                }
                match put(root.path(), "conf/app", round.to_string().as_bytes()) {
                    Ok(_) => written += 1,
                    Err(WriteError::Link { .. } | WriteError::System { errno: Errno::ENOTDIR, .. }) => refused += 1,
                    Err(error) => wrong = Some(error.to_string()),
                }
                match read_beneath(root.path(), Path::new("conf/secret"), 100) {
                    // The link may be a folder again by the time somebody asks what was in the way.
                    Ok(None) | Err(WriteError::Link { .. } | WriteError::System { errno: Errno::ENOTDIR, .. }) => {}
                    other => wrong = Some(format!("a file outside was read: {other:?}")),
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(wrong, None);
        let names: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"], "something was written outside");
        assert!(written > 0 && refused > 0, "the race did not happen: {written} written, {refused} refused");
    }

    #[test]
    fn reads_are_bounded_and_absence_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "a", b"12345").unwrap();
        assert_eq!(read_beneath(root.path(), Path::new("b/c"), 1).unwrap(), None);
        assert!(matches!(read_beneath(root.path(), Path::new("a"), 4), Err(WriteError::TooLarge { limit: 4, .. })));
    }

    #[test]
    fn a_fifo_in_the_way_is_an_error_and_no_hang() {
        let root = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&root.path().join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(matches!(put(root.path(), "pipe", b"x"), Err(WriteError::System { errno: Errno::EINVAL, .. })));
    }
}
