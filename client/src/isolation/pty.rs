//! Terminals for commands that people run in tasks.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    libc,
};
use tokio::process::Command;

/// A terminal's two ends: the one that a person is at, and the one for the command.
pub(crate) fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    #[expect(unsafe_code, reason = "no safe wrapper without another feature of nix")]
    // SAFETY: the call writes two descriptors, which nobody else owns; it takes no name, settings or size.
    let (master, slave) = unsafe {
        if libc::openpty(&raw mut master, &raw mut slave, ptr::null_mut(), ptr::null(), ptr::null()) < 0 {
            return Err(io::Error::last_os_error());
        }
        (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    };
    for fd in [&master, &slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(io::Error::from)?;
    }
    fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(io::Error::from)?;
    Ok((master, slave))
}

pub(crate) fn resize(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    #[expect(unsafe_code, reason = "no safe wrapper of this control call")]
    // SAFETY: the descriptor is open and the size lives through the call. Failure leaves the old size.
    unsafe {
        libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size);
    }
}

/// Makes the terminal at the command's standard input the one that controls it, so that its keys send signals.
pub(crate) fn control(command: &mut Command) {
    let attach = || {
        #[expect(unsafe_code, reason = "no safe wrapper of this control call")]
        // SAFETY: both calls take numbers only and may be made between fork and exec.
        let failed = unsafe { libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 };
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    #[expect(unsafe_code, reason = "what runs between fork and exec must be chosen with care")]
    // SAFETY: `attach` allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(attach);
    }
}
