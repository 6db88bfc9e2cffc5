//! A process held by a descriptor: unlike its number it never comes to mean another process.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use nix::libc;
use tokio::io::{Interest, unix::AsyncFd};

#[derive(Debug)]
pub(crate) struct PidFd {
    fd: AsyncFd<OwnedFd>,
}

impl PidFd {
    /// Holds the process that has this number now. The caller checks that it is the one that is meant, after this.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
        #[expect(unsafe_code, reason = "no safe wrapper of pidfd_open")]
        // SAFETY: the call takes two numbers and gives a new descriptor, which nobody else owns.
        let fd = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid, libc::PIDFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(i32::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?)
        };
        Ok(Self { fd: register(fd, Interest::READABLE)? })
    }

    /// Resolves when the process has ended, whether or not anybody has taken note of it.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        self.fd.readable().await.map(drop)
    }

    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        #[expect(unsafe_code, reason = "no safe wrapper of pidfd_send_signal")]
        // SAFETY: the descriptor is open, and a null stands for the usual information.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal, no_info, 0) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// A descriptor whose readiness can be waited for.
pub(crate) fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "the registration trusts the descriptor to stay open")]
    // SAFETY: an owned descriptor stays open, and the same, for as long as it is registered.
    unsafe {
        AsyncFd::register_with_interest(fd, interest).map_err(io::Error::from)
    }
}
