//! Writes groups in their order, and syncs once for all that wait. Where the disk is full, they wait for room.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_runtime::Disk;
use openraft::storage::LogFlushed;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Error, Flushed, files::Files, recover::Current};
use crate::consensus::{
    headroom::{Headroom, RETRY},
    types::{LogId, TypeConfig},
};

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
    /// Entries up to `last`; whoever appended them may have gone on.
    Appended {
        last: Option<LogId>,
        callback: Option<LogFlushed<TypeConfig>>,
    },
}

impl Done {
    pub(super) fn tell(self, result: &io::Result<()>, flushed: &Flushed) {
        let result = match result {
            Ok(()) => Ok(()),
            // Each one gets its own: an error of the system cannot be cloned.
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match self {
            Self::Nobody => {}
            Self::Answer(sender) => drop(sender.send(result)),
            Self::Appended { last, callback } => {
                if let (Ok(()), Some(last)) = (&result, last) {
                    flushed.advance(last);
                }
                if let Some(callback) = callback {
                    callback.log_io_completed(result);
                }
            }
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
    pub(super) headroom: Arc<Headroom>,
}

enum Mode {
    /// For disks that do not wait: everything happens in the caller's thread.
    Inline(Inline),
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
    Inline(&'a Inline),
    Thread(mpsc::OwnedPermit<Job>),
}

impl Ticket<'_> {
    pub(super) fn submit(self, job: Job) {
        match self {
            Self::Inline(inline) => inline.submit(job),
            Self::Thread(permit) => drop(permit.send(job)),
        }
    }
}

/// Files that are written in the caller's thread.
pub(super) struct Inline {
    disk: Arc<dyn Disk>,
    held: Arc<Mutex<Held>>,
    headroom: Arc<Headroom>,
}

struct Held {
    files: Files,
    /// Somebody is about to write what is there.
    later: bool,
}

impl Inline {
    fn submit(&self, job: Job) {
        let delay = self.disk.delay();
        let held = &mut *lock(&self.held);
        held.files.take(job);
        if delay.is_zero() {
            let done = held.files.work();
            self.headroom.set_log_waits(!done);
            if done {
                return;
            }
        }
        if !std::mem::replace(&mut held.later, true) {
            let (held, headroom) = (Arc::clone(&self.held), Arc::clone(&self.headroom));
            // It ends with the files' work, or when they are closed.
            tokio::spawn(async move { work_later(&held, &headroom, delay).await });
        }
    }
}

/// Does the work after `delay`, and again while there is no room.
async fn work_later(held: &Mutex<Held>, headroom: &Headroom, delay: Duration) {
    tokio::time::sleep(delay).await;
    while !work_now(held, headroom) {
        if !headroom.pause().await {
            return lock(held).files.fail(&closed());
        }
    }
}

fn work_now(held: &Mutex<Held>, headroom: &Headroom) -> bool {
    let held = &mut *lock(held);
    let done = held.files.work();
    headroom.set_log_waits(!done);
    held.later = !done;
    done
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(super) fn start(
        disk: Arc<dyn Disk>,
        current: Current,
        ahead_bytes: usize,
        headroom: Arc<Headroom>,
        flushed: Flushed,
    ) -> Result<Self, Error> {
        let position = Position { segment: current.number, offset: current.len };
        let written = Arc::new(Mutex::new(position));
        let (instant, path) = (disk.is_instant(), current.path.clone());
        let files = Files::new(Arc::clone(&disk), current, ahead_bytes, Arc::clone(&written), flushed);
        if instant {
            let held = Arc::new(Mutex::new(Held { files, later: false }));
            let inline = Inline { disk, held, headroom: Arc::clone(&headroom) };
            return Ok(Self { mode: Mode::Inline(inline), written, headroom });
        }
        let (queue, jobs) = mpsc::channel(QUEUED_JOBS);
        let (ending, ended) = watch::channel(false);
        let waits = Arc::clone(&headroom);
        let thread = move || {
            serve(files, jobs, &waits);
            let _ = ending.send(true);
        };
        // Owned by the queue: the thread ends when that is closed, and `close` waits for it.
        let spawned = std::thread::Builder::new().name("raft-log".into()).spawn(thread);
        spawned.map_err(|source| Error::Io { path, action: "start a thread that writes", source: Arc::new(source) })?;
        Ok(Self { mode: Mode::Thread { queue: Mutex::new(Some(queue)), ended }, written, headroom })
    }

    /// How far the files have been written.
    pub(super) fn written(&self) -> Position {
        *lock(&self.written)
    }

    /// Waits for a place in the queue.
    pub(super) async fn ticket(&self) -> io::Result<Ticket<'_>> {
        match &self.mode {
            Mode::Inline(inline) => Ok(Ticket::Inline(inline)),
            Mode::Thread { queue, .. } => {
                let queue = lock(queue).clone().ok_or_else(closed)?;
                queue.reserve_owned().await.map(Ticket::Thread).map_err(|_| closed())
            }
        }
    }

    /// Takes no more; returns once all that was queued is done. What waits for room is given up.
    pub(super) async fn close(&self) {
        self.headroom.give_up();
        match &self.mode {
            Mode::Inline(inline) => lock(&inline.held).files.fail(&closed()),
            Mode::Thread { queue, ended } => {
                drop(lock(queue).take());
                let _ = ended.clone().wait_for(|ended| *ended).await;
            }
        }
    }
}

/// Writes what comes through the queue, until that is closed.
fn serve(mut files: Files, mut jobs: mpsc::Receiver<Job>, headroom: &Headroom) {
    let mut batch = Vec::new();
    while jobs.blocking_recv_many(&mut batch, JOBS_PER_SYNC) > 0 {
        batch.drain(..).for_each(|job| files.take(job));
        while !files.work() {
            headroom.set_log_waits(true);
            // Nobody else is held up by this thread.
            std::thread::sleep(RETRY);
            if headroom.is_given_up() {
                files.fail(&closed());
            }
        }
        headroom.set_log_waits(false);
    }
}
