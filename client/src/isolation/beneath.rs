//! Opens files beneath a folder, whatever links and `..` are on the way.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Component, Path},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::Mode,
};

/// The path leads out of the folder.
pub(crate) fn escapes(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EXDEV | Errno::ELOOP)) || error.kind() == io::ErrorKind::InvalidInput
}

/// Opens `relative` beneath `root`. The kernel itself refuses to leave `root`, so nothing can be swapped between a look and the opening.
pub(crate) fn open(root: &Path, relative: &Path, flags: OFlag) -> io::Result<File> {
    let relative = plain(relative)?;
    let root = File::open(root)?;
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK)
        .mode(Mode::empty())
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let fd: OwnedFd = openat2(root, &relative, how).map_err(io::Error::from)?;
    Ok(File::from(fd))
}

/// Without leading slashes and single dots; `..` is refused outright, so that the answer is the same on every kernel.
pub(crate) fn plain(path: &Path) -> io::Result<std::path::PathBuf> {
    let mut plain = std::path::PathBuf::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            Component::ParentDir | Component::Prefix(_) => {
                if !plain.pop() {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
            }
        }
    }
    if plain.as_os_str().is_empty() {
        plain.push(".");
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn nothing_outside_can_be_opened() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        fs::create_dir(root.path().join("in")).unwrap();
        fs::write(root.path().join("in/file"), "inside").unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("in/file", root.path().join("inner")).unwrap();
        symlink("/proc/self/root", root.path().join("magic")).unwrap();
        for path in ["../secret", "in/../../x", "out/secret", "magic/etc/passwd"] {
            let error = open(root.path(), Path::new(path), OFlag::O_RDONLY).unwrap_err();
            assert!(escapes(&error), "{path}: {error}");
        }
        for path in ["in/file", "/in/file", "./in/../in/file", "inner"] {
            let mut text = String::new();
            open(root.path(), Path::new(path), OFlag::O_RDONLY).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "inside", "{path}");
        }
    }
}
