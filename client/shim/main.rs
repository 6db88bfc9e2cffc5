//! The supervisor that stands between a task and the agent: a static program of a few kilobytes.
//!
//! What it is: it starts one task in a session of its own, carries the task's output into rotated log files, reaps whatever the task leaves behind and, when
//! the task has ended, writes its exit status to a file. It lives on when the agent does not, which is why it exists: logs go on and no exit status is lost.
//! It is its own program and not a fork of the agent, because a fork would hold on to the agent's memory for as long as the task runs.
//!
//! What it must not know: anything but its arguments. No allocation, no libc, no configuration, no network.
//!
//! Descriptors at start: 0 the folder of the logs, 1 the pipe to tell the agent how the start went, 2 the folder of the exit status.
//! Arguments: see `Arguments`. The environment is handed to the task as it is.
#![no_std]
#![no_main]

mod logs;
mod sys;
mod text;

use logs::Log;
use text::{Bytes, Decimal};

/// Bytes moved at once from a pipe to a log.
const CHUNK: usize = 16 * 1024;
/// How often the processes that a task left behind are looked for before the supervisor gives up on them.
const SWEEPS: u32 = 200;

/// In this order, each one argument; the rest is the task's own argument list.
struct Arguments {
    /// Name of the file for the exit status.
    status: Bytes,
    /// Names of the logs without their numbers; empty: that stream goes nowhere.
    stdout: Bytes,
    stderr: Bytes,
    max_files: u64,
    max_bytes: u64,
    /// Numbers of the log files to go on with.
    stdout_index: u64,
    stderr_index: u64,
    /// Numeric user and group, or empty.
    uid: Bytes,
    gid: Bytes,
    /// Numeric, separated by commas.
    groups: Bytes,
    folder: Bytes,
    oom_score: Bytes,
    /// The file to execute.
    program: Bytes,
}

/// What the start failed at; the agent knows the same letters.
mod stage {
    pub(crate) const PREPARE: u8 = b'p';
    pub(crate) const FOLDER: u8 = b'd';
    pub(crate) const USER: u8 = b'u';
    pub(crate) const EXECUTE: u8 = b'x';
}

const ARGUMENTS: usize = 14;

/// Where the kernel lets the program begin.
unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the kernel put the argument count, the arguments and the environment there, each list ended by a null.
    let (count, arguments) = unsafe { (*stack, stack.add(1).cast::<*const u8>()) };
    if count <= ARGUMENTS {
        sys::exit(125);
    }
    // SAFETY: there are more than ARGUMENTS arguments, and the environment follows their null.
    unsafe {
        let at = |index: usize| Bytes::from_pointer(*arguments.add(index));
        let parsed = Arguments {
            status: at(1),
            stdout: at(2),
            stderr: at(3),
            max_files: at(4).number(),
            max_bytes: at(5).number(),
            stdout_index: at(6).number(),
            stderr_index: at(7).number(),
            uid: at(8),
            gid: at(9),
            groups: at(10),
            folder: at(11),
            oom_score: at(12),
            program: at(13),
        };
        run(&parsed, arguments.add(ARGUMENTS), arguments.add(count + 1))
    }
}

struct Descriptors {
    logs: i32,
    report: i32,
    status: i32,
    null: i32,
}

fn run(arguments: &Arguments, argv: *const *const u8, envp: *const *const u8) -> ! {
    sys::setsid();
    sys::block_all_signals();
    sys::default_all_signals();
    sys::become_subreaper();
    let Some(fds) = descriptors() else { sys::exit(125) };
    let mut out = Log::new(fds.logs, arguments.stdout, arguments.stdout_index, arguments.max_files, arguments.max_bytes);
    let mut err = Log::new(fds.logs, arguments.stderr, arguments.stderr_index, arguments.max_files, arguments.max_bytes);
    let (out_read, out_write) = pipe_for(&out, &fds);
    let (err_read, err_write) = pipe_for(&err, &fds);
    let signals = sys::child_signals();
    if signals < 0 || out_write < 0 || err_write < 0 {
        fail(fds.report, stage::PREPARE, -signals.min(out_write).min(err_write));
    }

    let child = sys::fork_and_wait_for_exec();
    if child == 0 {
        become_task(arguments, &fds, out_write, err_write, argv, envp);
    }
    if child < 0 {
        fail(fds.report, stage::PREPARE, -child);
    }
    report_start(fds.report, child);
    for fd in [fds.report, out_write, err_write] {
        if fd != fds.null {
            sys::close(fd);
        }
    }

    let status = watch(child, signals, [(out_read, &mut out), (err_read, &mut err)]);
    write_status(&fds, arguments.status, status);
    sys::exit(0)
}

/// Moves the three inherited descriptors away from where the task's own will be, and points those to nowhere.
fn descriptors() -> Option<Descriptors> {
    let (logs, report, status) = (sys::duplicate_high(0), sys::duplicate_high(1), sys::duplicate_high(2));
    let null = sys::open(-100, b"/dev/null\0", sys::O_RDWR | sys::O_CLOEXEC, 0);
    if logs < 0 || report < 0 || status < 0 || null < 0 {
        return None;
    }
    let null_high = sys::duplicate_high(null);
    for fd in 0..3 {
        sys::dup2(null_high, fd);
    }
    Some(Descriptors { logs, report, status, null: null_high })
}

fn pipe_for(log: &Log, fds: &Descriptors) -> (i32, i32) {
    if log.is_off() { (-1, fds.null) } else { sys::pipe() }
}

fn report_start(report: i32, child: i32) {
    let pid = child.to_le_bytes();
    sys::write(report, &[b'S', 0, pid[0], pid[1], pid[2], pid[3]]);
}

fn fail(report: i32, stage: u8, errno: i32) -> ! {
    let errno = errno.to_le_bytes();
    sys::write(report, &[b'E', stage, errno[0], errno[1], errno[2], errno[3]]);
    sys::exit(127)
}

/// The child's way to being the task. It shares no memory with the supervisor.
fn become_task(arguments: &Arguments, fds: &Descriptors, out: i32, err: i32, argv: *const *const u8, envp: *const *const u8) -> ! {
    sys::setsid();
    sys::unblock_all_signals();
    sys::dup2(fds.null, 0);
    sys::dup2(out, 1);
    sys::dup2(err, 2);
    sys::close_on_exec_from(3);
    if !arguments.oom_score.is_empty() {
        let fd = sys::open(-100, b"/proc/self/oom_score_adj\0", sys::O_WRONLY | sys::O_CLOEXEC, 0);
        sys::write(fd, arguments.oom_score.as_slice());
        sys::close(fd);
    }
    let changed = set_user(arguments);
    if changed < 0 {
        fail(fds.report, stage::USER, -changed);
    }
    let moved = sys::change_folder(arguments.folder);
    if moved < 0 {
        fail(fds.report, stage::FOLDER, -moved);
    }
    let errno = sys::execute(arguments.program, argv, envp);
    fail(fds.report, stage::EXECUTE, -errno)
}

fn set_user(arguments: &Arguments) -> i32 {
    if arguments.uid.is_empty() {
        return 0;
    }
    let mut groups = [0_u32; 64];
    let mut count = 0;
    for id in arguments.groups.numbers().take(groups.len()) {
        groups[count] = id as u32;
        count += 1;
    }
    let steps = [sys::set_groups(&groups[..count]), sys::set_gid(arguments.gid.number() as u32), sys::set_uid(arguments.uid.number() as u32)];
    steps.into_iter().find(|result| *result < 0).unwrap_or(0)
}

/// Carries output until the task has ended and nothing is left of it. Returns its wait status.
fn watch(child: i32, signals: i32, streams: [(i32, &mut Log); 2]) -> i32 {
    let [(out_fd, out), (err_fd, err)] = streams;
    let mut polls = [sys::Poll::read(out_fd), sys::Poll::read(err_fd), sys::Poll::read(signals)];
    let mut buffer = [0_u8; CHUNK];
    let status = loop {
        sys::poll(&mut polls, -1);
        for (index, log) in [&mut *out, &mut *err].into_iter().enumerate() {
            if polls[index].ready() && !carry(polls[index].fd, log, &mut buffer) {
                sys::close(polls[index].fd);
                polls[index].fd = -1;
            }
        }
        if polls[2].ready() {
            sys::drain(signals, &mut buffer);
            if let Some(status) = reap_until(child) {
                break status;
            }
        }
    };
    sweep(child);
    for (poll, log) in polls.iter().zip([out, err]) {
        sys::set_nonblocking(poll.fd);
        while carry(poll.fd, log, &mut buffer) {}
    }
    status
}

/// One read from a pipe into its log; false at its end.
fn carry(fd: i32, log: &mut Log, buffer: &mut [u8]) -> bool {
    let read = sys::read(fd, buffer);
    if read > 0 {
        log.append(&buffer[..read as usize]);
    }
    read > 0
}

/// Takes in everything that has ended; the task's status when it was among them.
fn reap_until(child: i32) -> Option<i32> {
    let mut found = None;
    loop {
        let (pid, status) = sys::wait_any(false);
        if pid <= 0 {
            return found;
        }
        if pid == child {
            found = Some(status);
        }
    }
}

/// Ends every process that the task left behind, also those that left its session: they have become children of this process.
fn sweep(child: i32) {
    let mut path = text::Text::new();
    path.push(b"/proc/self/task/");
    path.push(Decimal::new(sys::pid() as u64).as_slice());
    path.push(b"/children");
    let path = path.finish();
    let mut buffer = [0_u8; 4096];
    for _ in 0..SWEEPS {
        sys::kill(-child, 9);
        let fd = sys::open(-100, path, sys::O_RDONLY | sys::O_CLOEXEC, 0);
        let read = sys::read(fd, &mut buffer).max(0) as usize;
        sys::close(fd);
        for pid in text::numbers(&buffer[..read], b' ') {
            sys::kill(pid as i32, 9);
        }
        // Blocks until one of them is gone; an error means that there is none left.
        let (pid, _) = sys::wait_any(read > 0);
        if pid < 0 || (pid == 0 && read == 0) {
            return;
        }
    }
}

/// Written under another name first: the agent never reads half of it.
fn write_status(fds: &Descriptors, name: Bytes, status: i32) {
    let (code, signal) = if status & 0x7f == 0 { ((status >> 8) & 0xff, 0) } else { (128 + (status & 0x7f), status & 0x7f) };
    let mut content = text::Text::new();
    content.push(Decimal::new(code as u64).as_slice());
    content.push(b" ");
    content.push(Decimal::new(signal as u64).as_slice());
    content.push(b"\n");
    let mut temporary = text::Text::new();
    temporary.push(name.as_slice());
    temporary.push(b".tmp");
    let temporary = temporary.finish();
    let fd = sys::open(fds.status, temporary, sys::O_WRONLY | sys::O_CREAT | sys::O_TRUNC | sys::O_NOFOLLOW | sys::O_CLOEXEC, 0o600);
    sys::write(fd, content.as_slice());
    sys::close(fd);
    sys::rename(fds.status, temporary, name);
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(125)
}
