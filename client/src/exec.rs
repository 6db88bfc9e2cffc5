//! Commands that people run in tasks: output goes out as a stream, input comes in by the session's name.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use drover_model::{
    allocation::TaskPhase,
    rpc::{
        Error,
        client::{AllocExec, AllocExecInput, Done, ExecFrame},
    },
};
use drover_runtime::rpc::ItemSink;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

use crate::{Handle, drivers::ExecSession, limits};

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;
type Resize = Box<dyn Fn(u16, u16) + Send + Sync>;

/// Bytes of output in one frame.
const CHUNK: usize = 16 << 10;

/// The commands that run now, by session.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<String, mpsc::Sender<AllocExecInput>>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, mpsc::Sender<AllocExecInput>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, session: &str) -> Result<(Open<'_>, mpsc::Receiver<AllocExecInput>), Error> {
        let mut all = self.lock();
        if session.is_empty() || all.contains_key(session) {
            return Err(Error::bad_request("the session's name is missing or taken"));
        }
        if all.len() >= limits::EXEC_SESSIONS {
            return Err(Error::unavailable(format!("{} commands run on this node already; end one of them", limits::EXEC_SESSIONS)));
        }
        let (sender, input) = mpsc::channel(limits::EXEC_INPUT);
        all.insert(session.to_owned(), sender);
        Ok((Open { sessions: self, name: session.to_owned() }, input))
    }
}

/// A session is forgotten when its stream ends, however it ends.
struct Open<'a> {
    sessions: &'a Sessions,
    name: String,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.name);
    }
}

impl Handle {
    /// Runs a command in a running task. Whoever stops reading ends it.
    pub async fn exec(&self, message: AllocExec, sink: ItemSink<ExecFrame>) -> Result<(), Error> {
        if self.inner.shared.config.disable_remote_exec {
            return Err(Error::new(403, "this node does not let commands be run in its tasks"));
        }
        let scopes = self.scopes(message.alloc_id).await?;
        let scope = scopes.iter().find(|scope| scope.name == message.task);
        let scope = scope.ok_or_else(|| Error::bad_request(format!("unknown task name {:?}", message.task)))?;
        let is_running = scope.board.get(&scope.name).is_some_and(|state| state.state == TaskPhase::Running);
        let (Some((task, handle)), Some(driver), true) = (scope.running(), scope.driver.as_ref(), is_running) else {
            return Err(Error::internal("Task not running"));
        };
        let (_open, input) = self.inner.sessions.begin(&message.session)?;
        let session = driver.open_exec(&task, &handle, &message.command, message.tty).await;
        carry(session.map_err(|error| Error::internal(error.text))?, input, &sink).await
    }

    /// Passes input on to a command that runs.
    pub async fn exec_input(&self, message: AllocExecInput) -> Result<Done, Error> {
        let sender = self.inner.sessions.lock().get(&message.session).cloned();
        let sender = sender.ok_or_else(|| Error::not_found("the command has ended"))?;
        sender.send(message).await.map_err(|_| Error::not_found("the command has ended"))?;
        Ok(Done {})
    }
}

/// Output and input go their own ways: a command that does not read must not keep its output from whoever waits for that, nor the other way round.
async fn carry(session: ExecSession, input: mpsc::Receiver<AllocExecInput>, sink: &ItemSink<ExecFrame>) -> Result<(), Error> {
    let ExecSession { stdin, stdout, stderr, resize, exit } = session;
    tokio::select! {
        carried = carry_output(stdout, stderr, sink) => carried?,
        // Never ends before the output does.
        () = carry_input(stdin, resize, input) => {}
    }
    sink.send(&ExecFrame { exit_code: Some(exit.await), ..ExecFrame::default() }).await
}

async fn carry_output(stdout: Reader, stderr: Option<Reader>, sink: &ItemSink<ExecFrame>) -> Result<(), Error> {
    let (mut out, mut err) = (Some(stdout), stderr);
    let (mut out_buffer, mut err_buffer) = (vec![0; CHUNK], vec![0; CHUNK]);
    while out.is_some() || err.is_some() {
        tokio::select! {
            read = read(&mut out, &mut out_buffer) => {
                let (stdout, stdout_closed) = (out_buffer[..read].to_vec(), read == 0);
                if stdout_closed {
                    out = None;
                }
                sink.send(&ExecFrame { stdout, stdout_closed, ..ExecFrame::default() }).await?;
            }
            read = read(&mut err, &mut err_buffer) => {
                let (stderr, stderr_closed) = (err_buffer[..read].to_vec(), read == 0);
                if stderr_closed {
                    err = None;
                }
                sink.send(&ExecFrame { stderr, stderr_closed, ..ExecFrame::default() }).await?;
            }
        }
    }
    Ok(())
}

async fn carry_input(mut stdin: Option<Writer>, resize: Option<Resize>, mut input: mpsc::Receiver<AllocExecInput>) {
    while let Some(message) = input.recv().await {
        if let (Some((rows, columns)), Some(resize)) = (message.size, &resize) {
            resize(rows, columns);
        }
        if let Some(open) = &mut stdin
            && !message.data.is_empty()
            && (open.write_all(&message.data).await.is_err() || open.flush().await.is_err())
        {
            stdin = None;
        }
        if message.close {
            stdin = None;
        }
    }
    std::future::pending().await
}

/// Never, once it has ended.
async fn read(from: &mut Option<Reader>, buffer: &mut [u8]) -> usize {
    match from {
        Some(from) => from.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}
