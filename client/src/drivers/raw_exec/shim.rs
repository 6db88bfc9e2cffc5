//! The supervisor's program, as the kernel is given it.

use std::{
    ffi::CString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
};

use nix::sys::memfd::{MFdFlags, memfd_create};

const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/drover-shim"));

/// `MFD_EXEC`, which nix does not name.
const MFD_EXEC: nix::libc::c_uint = 0x10;

/// Where the program can be executed from. Kept in memory when the kernel lets programs be executed from there, so that no file can be tampered with.
#[derive(Debug)]
pub(super) struct Shim {
    path: PathBuf,
    _memory: Option<OwnedFd>,
}

impl Shim {
    pub(super) fn prepare(folder: &Path) -> io::Result<Self> {
        match in_memory() {
            Ok(memory) => Ok(Self { path: format!("/proc/self/fd/{}", memory.as_raw_fd()).into(), _memory: Some(memory) }),
            Err(_) => on_disk(folder).map(|path| Self { path, _memory: None }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn in_memory() -> io::Result<OwnedFd> {
    let name = CString::new("drover-shim")?;
    let executable = MFdFlags::MFD_CLOEXEC | MFdFlags::from_bits_retain(MFD_EXEC);
    // Kernels before 6.3 do not know that flag and let every such file be executed.
    let fd = memfd_create(name.as_c_str(), executable)
        .or_else(|_| memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC))
        .map_err(io::Error::from)?;
    let mut file = File::from(fd);
    file.write_all(PROGRAM)?;
    // A file that is open for writing cannot be executed; the path is opened anew and stays after this descriptor is closed.
    let readable = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(readable.into())
}

fn on_disk(folder: &Path) -> io::Result<PathBuf> {
    let (path, temporary) = (folder.join("drover-shim"), folder.join(".drover-shim.tmp"));
    let _ = fs::remove_file(&temporary);
    OpenOptions::new().write(true).create_new(true).mode(0o700).open(&temporary)?.write_all(PROGRAM)?;
    fs::rename(&temporary, &path)?;
    Ok(path)
}
