//! The kernel's calls, by number: there is no libc here.

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;

use crate::text::Bytes;
use arch::{call, number};

pub(crate) const O_RDONLY: i32 = 0;
pub(crate) const O_WRONLY: i32 = 1;
pub(crate) const O_RDWR: i32 = 2;
pub(crate) const O_CREAT: i32 = 0o100;
pub(crate) const O_TRUNC: i32 = 0o1000;
pub(crate) const O_APPEND: i32 = 0o2000;
pub(crate) const O_NONBLOCK: i32 = 0o4000;
pub(crate) const O_NOFOLLOW: i32 = arch::O_NOFOLLOW;
pub(crate) const O_CLOEXEC: i32 = 0o2_000_000;

const SIGCHLD: u32 = 17;
const CLONE_VFORK: usize = 0x4000;
/// Where descriptors are moved that must not stand in the way of 0, 1 and 2.
const HIGH: usize = 10;

/// A call whose arguments are all numbers.
fn plain(number: usize, a: usize, b: usize, c: usize) -> i32 {
    // SAFETY: none of the calls made through here takes a pointer.
    (unsafe { call(number, [a, b, c, 0, 0, 0]) }) as i32
}

pub(crate) fn exit(code: i32) -> ! {
    loop {
        plain(number::EXIT_GROUP, code as usize, 0, 0);
    }
}

pub(crate) fn setsid() {
    plain(number::SETSID, 0, 0, 0);
}

pub(crate) fn pid() -> i32 {
    plain(number::GETPID, 0, 0, 0)
}

pub(crate) fn kill(pid: i32, signal: i32) {
    plain(number::KILL, pid as isize as usize, signal as usize, 0);
}

pub(crate) fn close(fd: i32) {
    if fd >= 0 {
        plain(number::CLOSE, fd as usize, 0, 0);
    }
}

/// Orphans below this process become its children, so that none escapes.
pub(crate) fn become_subreaper() {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    plain(number::PRCTL, PR_SET_CHILD_SUBREAPER, 1, 0);
}

fn set_signal_mask(mask: u64) {
    const SIG_SETMASK: usize = 2;
    // SAFETY: the mask lives through the call, and its size is the kernel's.
    unsafe { call(number::RT_SIGPROCMASK, [SIG_SETMASK, &raw const mask as usize, 0, 8, 0, 0]) };
}

pub(crate) fn block_all_signals() {
    set_signal_mask(u64::MAX);
}

pub(crate) fn unblock_all_signals() {
    set_signal_mask(0);
}

/// Every signal does what it does by default: an agent under `nohup` ignores some, which whoever it starts would ignore too and could not even trap.
pub(crate) fn default_all_signals() {
    // Handler, flags, restorer and mask: all zero is the default.
    let action = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: the action lives through the call, and the size of its mask is the kernel's. The two signals that cannot be changed are refused.
        unsafe { call(number::RT_SIGACTION, [signal, &raw const action as usize, 0, 8, 0, 0]) };
    }
}

/// A descriptor that is readable when a child has ended.
pub(crate) fn child_signals() -> i32 {
    let mask: u64 = 1 << (SIGCHLD - 1);
    const NONBLOCK_CLOEXEC: usize = (O_NONBLOCK | O_CLOEXEC) as usize;
    // SAFETY: the mask lives through the call, and its size is the kernel's.
    (unsafe { call(number::SIGNALFD4, [usize::MAX, &raw const mask as usize, 8, NONBLOCK_CLOEXEC, 0, 0]) }) as i32
}

pub(crate) fn duplicate_high(fd: i32) -> i32 {
    const F_DUPFD_CLOEXEC: usize = 1030;
    plain(number::FCNTL, fd as usize, F_DUPFD_CLOEXEC, HIGH)
}

pub(crate) fn dup2(from: i32, to: i32) {
    plain(number::DUP3, from as usize, to as usize, 0);
}

pub(crate) fn set_nonblocking(fd: i32) {
    const F_SETFL: usize = 4;
    plain(number::FCNTL, fd as isize as usize, F_SETFL, O_NONBLOCK as usize);
}

pub(crate) fn close_on_exec_from(first: i32) {
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    plain(number::CLOSE_RANGE, first as usize, u32::MAX as usize, CLOSE_RANGE_CLOEXEC);
}

/// `path` ends with a null.
pub(crate) fn open(folder: i32, path: &[u8], flags: i32, mode: u32) -> i32 {
    // SAFETY: the path lives through the call and ends with a null.
    (unsafe { call(number::OPENAT, [folder as isize as usize, path.as_ptr() as usize, flags as usize, mode as usize, 0, 0]) }) as i32
}

pub(crate) fn unlink(folder: i32, path: &[u8]) {
    // SAFETY: as in `open`.
    unsafe { call(number::UNLINKAT, [folder as usize, path.as_ptr() as usize, 0, 0, 0, 0]) };
}

pub(crate) fn rename(folder: i32, from: &[u8], to: Bytes) {
    // SAFETY: both paths end with a null and live through the call.
    unsafe { call(number::RENAMEAT2, [folder as usize, from.as_ptr() as usize, folder as usize, to.pointer() as usize, 0, 0]) };
}

/// How long an open file is.
pub(crate) fn file_len(fd: i32) -> u64 {
    const SEEK_END: usize = 2;
    u64::try_from(plain_long(number::LSEEK, fd as isize as usize, 0, SEEK_END)).unwrap_or(0)
}

fn plain_long(number: usize, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: none of the calls made through here takes a pointer.
    unsafe { call(number, [a, b, c, 0, 0, 0]) }
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> isize {
    // SAFETY: the bytes live through the call.
    unsafe { call(number::WRITE, [fd as isize as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> isize {
    // SAFETY: the buffer is as long as is said and lives through the call.
    unsafe { call(number::READ, [fd as isize as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

pub(crate) fn drain(fd: i32, buffer: &mut [u8]) {
    while read(fd, buffer) > 0 {}
}

/// The reading and the writing end; the second is negative when there is no pipe.
pub(crate) fn pipe() -> (i32, i32) {
    let mut ends = [-1_i32; 2];
    // SAFETY: the kernel writes two numbers there.
    let result = unsafe { call(number::PIPE2, [ends.as_mut_ptr() as usize, O_CLOEXEC as usize, 0, 0, 0, 0]) };
    if result < 0 { (-1, result as i32) } else { (ends[0], ends[1]) }
}

#[repr(C)]
pub(crate) struct Poll {
    pub(crate) fd: i32,
    events: i16,
    happened: i16,
}

impl Poll {
    pub(crate) fn read(fd: i32) -> Self {
        Self { fd, events: 1, happened: 0 }
    }

    pub(crate) fn ready(&self) -> bool {
        self.fd >= 0 && self.happened != 0
    }
}

/// Waits until one of them is ready; a negative time is for ever.
pub(crate) fn poll(polls: &mut [Poll], _forever: i32) {
    // SAFETY: the list is as long as is said; no time and no mask are given.
    unsafe { call(number::PPOLL, [polls.as_mut_ptr() as usize, polls.len(), 0, 0, 0, 0]) };
}

/// A process that has ended and its status; 0 or negative when there is none.
pub(crate) fn wait_any(block: bool) -> (i32, i32) {
    const WNOHANG: usize = 1;
    let mut status = 0_i32;
    let options = if block { 0 } else { WNOHANG };
    // SAFETY: the kernel writes one number there.
    let pid = unsafe { call(number::WAIT4, [usize::MAX, &raw mut status as usize, options, 0, 0, 0]) };
    (pid as i32, status)
}

/// Forks; the parent goes on once the child has executed something or ended. Memory is not shared.
pub(crate) fn fork_and_wait_for_exec() -> i32 {
    // SAFETY: without CLONE_VM the child has a copy of everything, as after a fork; no pointer is given.
    (unsafe { call(number::CLONE, [CLONE_VFORK | SIGCHLD as usize, 0, 0, 0, 0, 0]) }) as i32
}

pub(crate) fn set_groups(groups: &[u32]) -> i32 {
    // SAFETY: the list is as long as is said.
    (unsafe { call(number::SETGROUPS, [groups.len(), groups.as_ptr() as usize, 0, 0, 0, 0]) }) as i32
}

pub(crate) fn set_gid(id: u32) -> i32 {
    plain(number::SETRESGID, id as usize, id as usize, id as usize)
}

pub(crate) fn set_uid(id: u32) -> i32 {
    plain(number::SETRESUID, id as usize, id as usize, id as usize)
}

pub(crate) fn change_folder(path: Bytes) -> i32 {
    // SAFETY: the path ends with a null.
    (unsafe { call(number::CHDIR, [path.pointer() as usize, 0, 0, 0, 0, 0]) }) as i32
}

/// Returns only to say why not.
pub(crate) fn execute(program: Bytes, argv: *const *const u8, envp: *const *const u8) -> i32 {
    // SAFETY: both lists come from the kernel and end with a null.
    (unsafe { call(number::EXECVE, [program.pointer() as usize, argv as usize, envp as usize, 0, 0, 0]) }) as i32
}
