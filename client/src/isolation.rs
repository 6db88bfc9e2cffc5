//! The kernel's process calls. The only place of the client where `unsafe` may stand.

pub(crate) use pidfd::{PidFd, register};

pub(crate) mod beneath;
mod pidfd;
pub(crate) mod process;
pub(crate) mod pty;
