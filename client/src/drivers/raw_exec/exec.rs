//! Commands that run beside a task, with its folder and environment.

use std::{
    os::fd::OwnedFd,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    process::Command,
};

use super::launch::find_program;
use crate::{
    drivers::{DriverError, ExecOutput, ExecSession, TaskConfig},
    isolation::pty,
    limits,
};

pub(super) async fn run(task: &TaskConfig, command: &[String], limit: Duration) -> Result<ExecOutput, DriverError> {
    let (name, arguments) = command.split_first().ok_or_else(|| DriverError::permanent("no command was given"))?;
    let program = find_program(name, task, task.env.get("PATH").map(String::as_str))?;
    let failed = |error: std::io::Error| DriverError::recoverable(format!("{name}: {error}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let mut builder = Command::new(program);
    builder.args(arguments).env_clear().envs(&task.env).current_dir(&task.dirs.task).process_group(0).kill_on_drop(true);
    builder.stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = builder.spawn().map_err(failed)?;
    drop(builder);
    let mut reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into()).map_err(failed)?;
    let mut output = Vec::new();
    let work = async {
        // What does not fit is read and dropped, so that the command does not wait for it.
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut buffer).await {
            let room = limits::SCRIPT_OUTPUT_BYTES.saturating_sub(output.len());
            output.extend_from_slice(&buffer[..read.min(room)]);
        }
        child.wait().await
    };
    let status = tokio::time::timeout(limit, work).await;
    let status = status
        .map_err(|_| DriverError::recoverable(format!("{name} took longer than {}", crate::tasks::duration_text(limit))))?
        .map_err(failed)?;
    let code = std::os::unix::process::ExitStatusExt::signal(&status).map_or_else(|| status.code().unwrap_or(1), |signal| 128 + signal);
    Ok(ExecOutput { code, output })
}

/// A command with somebody at its ends.
pub(super) fn open(task: &TaskConfig, command: &[String], tty: bool) -> Result<ExecSession, DriverError> {
    let (name, arguments) = command.split_first().ok_or_else(|| DriverError::permanent("no command was given"))?;
    let program = find_program(name, task, task.env.get("PATH").map(String::as_str))?;
    let failed = |error: std::io::Error| DriverError::recoverable(format!("{name}: {error}"));
    let mut builder = Command::new(program);
    builder.args(arguments).env_clear().envs(&task.env).current_dir(&task.dirs.task).kill_on_drop(true);
    if tty { at_terminal(builder).map_err(failed) } else { at_pipes(builder).map_err(failed) }
}

fn at_pipes(mut builder: Command) -> std::io::Result<ExecSession> {
    builder.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = builder.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let stdout = stdout.ok_or(std::io::ErrorKind::BrokenPipe)?;
    Ok(ExecSession {
        stdin: stdin.map(|stdin| Box::new(stdin) as Box<_>),
        stdout: Box::new(stdout),
        stderr: stderr.map(|stderr| Box::new(stderr) as Box<_>),
        exit: code_of(child).boxed(),
        resize: None,
    })
}

fn at_terminal(mut builder: Command) -> std::io::Result<ExecSession> {
    let (master, slave) = pty::open()?;
    if builder.as_std().get_envs().all(|(name, _)| name != "TERM") {
        builder.env("TERM", "xterm");
    }
    builder.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
    pty::control(&mut builder);
    let child = builder.spawn()?;
    drop(builder);
    let (input, output, size) = (master.try_clone()?, master.try_clone()?, master);
    Ok(ExecSession {
        stdin: Some(Box::new(Terminal::new(input)?)),
        stdout: Box::new(Terminal::new(output)?),
        stderr: None,
        exit: code_of(child).boxed(),
        resize: Some(Box::new(move |rows, columns| pty::resize(&size, rows, columns))),
    })
}

async fn code_of(mut child: tokio::process::Child) -> i32 {
    match child.wait().await {
        Ok(status) => {
            std::os::unix::process::ExitStatusExt::signal(&status).map_or_else(|| status.code().unwrap_or(1), |signal| 128 + signal)
        }
        Err(_) => 1,
    }
}

/// A person's end of a terminal.
struct Terminal(AsyncFd<OwnedFd>);

impl Terminal {
    fn new(fd: OwnedFd) -> std::io::Result<Self> {
        crate::isolation::register(fd, Interest::READABLE | Interest::WRITABLE).map(Self)
    }
}

impl AsyncRead for Terminal {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let read = guard.try_io(|fd| {
                let mut chunk = [0; 4096];
                let room = chunk.len().min(buffer.remaining());
                let read = nix::unistd::read(fd.get_ref(), &mut chunk[..room]).map_err(std::io::Error::from)?;
                buffer.put_slice(&chunk[..read]);
                Ok(())
            });
            match read {
                Ok(Ok(())) => return Poll::Ready(Ok(())),
                // This is how a terminal says that nobody is at its other end any more.
                Ok(Err(error)) if error.raw_os_error() == Some(nix::libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_) => {}
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            if let Ok(result) = guard.try_io(|fd| nix::unistd::write(fd.get_ref(), bytes).map_err(std::io::Error::from)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
