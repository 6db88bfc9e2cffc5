//! Writes groups in their order, and syncs once for all that wait.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use drover_runtime::{Disk, DiskFile};
use openraft::storage::LogFlushed;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Error, format::complete, recover::Current};
use crate::consensus::types::TypeConfig;

/// Groups that wait for the thread.
const QUEUED_JOBS: usize = 256;
/// Groups that share a sync.
const JOBS_PER_SYNC: usize = 64;

/// A place in the log's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// A segment to begin.
pub(super) struct Roll {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) segment: u64,
}

/// Who wants to know when a group is on disk.
pub(super) enum Done {
    Nobody,
    Answer(oneshot::Sender<io::Result<()>>),
    Flushed(LogFlushed<TypeConfig>),
}

impl Done {
    fn tell(self, result: &io::Result<()>) {
        let result = match result {
            Ok(()) => Ok(()),
            // Each one gets its own: an error of the system cannot be cloned.
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match self {
            Self::Nobody => {}
            Self::Answer(sender) => drop(sender.send(result)),
            Self::Flushed(callback) => callback.log_io_completed(result),
        }
    }
}

/// One group to write.
pub(super) struct Job {
    pub(super) roll: Option<Roll>,
    pub(super) group: Vec<u8>,
    pub(super) sync: bool,
    /// Once it is on disk.
    pub(super) remove: Vec<PathBuf>,
    pub(super) done: Done,
}

pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the log is closed")
}

/// Writes the log's groups, here or on a thread of its own.
pub(super) struct Writer {
    mode: Mode,
    written: Arc<Mutex<Position>>,
}

enum Mode {
    /// For disks that do not wait: everything happens in the caller's thread.
    Inline(Mutex<Files>),
    Thread {
        queue: Mutex<Option<mpsc::Sender<Job>>>,
        ended: watch::Receiver<bool>,
    },
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// A place in the queue.
pub(super) enum Ticket<'a> {
    Inline(&'a Mutex<Files>),
    Thread(mpsc::OwnedPermit<Job>),
}

impl Ticket<'_> {
    pub(super) fn submit(self, job: Job) {
        match self {
            Self::Inline(files) => lock(files).run(vec![job]),
            Self::Thread(permit) => drop(permit.send(job)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(super) fn start(disk: Arc<dyn Disk>, current: Current) -> Result<Self, Error> {
        let position = Position { segment: current.number, offset: current.len };
        let written = Arc::new(Mutex::new(position));
        let Current { folder, path, number, file, len } = current;
        let files = Files { folder, segment: number, file, len, durable: len, failure: None, written: Arc::clone(&written), disk };
        if files.disk.is_instant() {
            return Ok(Self { mode: Mode::Inline(Mutex::new(files)), written });
        }
        let (queue, jobs) = mpsc::channel(QUEUED_JOBS);
        let (ending, ended) = watch::channel(false);
        let thread = move || {
            files.serve(jobs);
            let _ = ending.send(true);
        };
        // Owned by the queue: the thread ends when that is closed, and `close` waits for it.
        let spawned = std::thread::Builder::new().name("raft-log".into()).spawn(thread);
        spawned.map_err(|source| Error::Io { path, action: "start a thread that writes", source: Arc::new(source) })?;
        Ok(Self { mode: Mode::Thread { queue: Mutex::new(Some(queue)), ended }, written })
    }

    /// How far the files have been written.
    pub(super) fn written(&self) -> Position {
        *lock(&self.written)
    }

    /// Waits for a place in the queue.
    pub(super) async fn ticket(&self) -> io::Result<Ticket<'_>> {
        match &self.mode {
            Mode::Inline(files) => Ok(Ticket::Inline(files)),
            Mode::Thread { queue, .. } => {
                let queue = lock(queue).clone().ok_or_else(closed)?;
                queue.reserve_owned().await.map(Ticket::Thread).map_err(|_| closed())
            }
        }
    }

    /// Takes no more; returns once all that was queued is done.
    pub(super) async fn close(&self) {
        match &self.mode {
            Mode::Inline(files) => lock(files).close(),
            Mode::Thread { queue, ended } => {
                drop(lock(queue).take());
                let _ = ended.clone().wait_for(|ended| *ended).await;
            }
        }
    }
}

/// The files, as the writing thread has them.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment: u64,
    file: Box<dyn DiskFile>,
    len: u64,
    /// So much of the segment is known to be on disk.
    durable: u64,
    /// After an error it is not known what is on disk: nothing more is written.
    failure: Option<(io::ErrorKind, String)>,
    written: Arc<Mutex<Position>>,
}

impl Files {
    fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        while jobs.blocking_recv_many(&mut batch, JOBS_PER_SYNC) > 0 {
            self.run(std::mem::take(&mut batch));
        }
    }

    fn close(&mut self) {
        self.failure.get_or_insert_with(|| (io::ErrorKind::BrokenPipe, closed().to_string()));
    }

    fn run(&mut self, jobs: Vec<Job>) {
        let (mut done, mut remove, mut sync) = (Vec::new(), Vec::new(), false);
        let mut result = match &self.failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(()),
        };
        for job in jobs {
            sync |= job.sync;
            remove.extend(job.remove);
            done.push(job.done);
            result = result.and_then(|()| self.write(job.roll, job.group));
        }
        if sync {
            result = result.and_then(|()| self.sync());
        }
        if !remove.is_empty() {
            result = result.and_then(|()| self.remove(&remove));
        }
        if let Err(error) = &result
            && self.failure.is_none()
        {
            tracing::error!(folder = %self.folder.display(), %error, "cannot write the log; this server stops taking part");
            self.failure = Some((error.kind(), error.to_string()));
        }
        done.into_iter().for_each(|done| done.tell(&result));
    }

    fn write(&mut self, roll: Option<Roll>, mut group: Vec<u8>) -> io::Result<()> {
        if let Some(roll) = roll {
            self.sync()?;
            self.disk.write_atomic(&roll.path, &roll.bytes)?;
            self.file = self.disk.open(&roll.path)?;
            self.len = roll.bytes.len() as u64;
            (self.segment, self.durable) = (roll.segment, self.len);
        }
        if !group.is_empty() {
            complete(&mut group, self.durable);
            self.file.append(&group)?;
            self.len += group.len() as u64;
        }
        *lock(&self.written) = Position { segment: self.segment, offset: self.len };
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.durable = self.len;
        Ok(())
    }

    fn remove(&self, paths: &[PathBuf]) -> io::Result<()> {
        for path in paths {
            self.disk.remove(path)?;
        }
        self.disk.sync_dir(&self.folder)
    }
}
