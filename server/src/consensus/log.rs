//! The log on disk: segments that are only appended to.
//!
//! A folder of segments (see `format`). Everything that must survive is a record in them: entries, votes, how far entries are committed, what was cut off
//! at the end (another leader's entries take their place) and what was purged at the start (a snapshot has it). An append writes one group of records and
//! syncs once, on a thread of its own; where the disk is full, it waits for room. Behind the last group there are zeros, so that a sync has neither a size
//! nor new blocks to write down. Opening replays all records; `recover` says what is tolerated then.
//!
//! A follower's append is done when it is on disk. A leader's is done at once, so that its followers write it at the same time, and [`Flushed`] holds up
//! everything that would show that it is committed; `docs/decisions/0024-leader-disk.md` says why that is safe.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_runtime::{Disk, apart};
use openraft::{
    AnyError, EntryPayload, LogState, OptionalSend, RaftLogId, RaftLogReader, StorageIOError,
    storage::{LogFlushed, RaftLogStorage},
};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

pub(super) use self::flushed::Flushed;
use self::{
    format::{GroupBuilder, Record},
    index::{Index, Limits, Slot},
    writer::{Done, Job, Writer},
};
use super::{
    headroom::Headroom,
    types::{Entry, LogId, StorageError, TypeConfig, Vote},
};

mod files;
mod flushed;
mod format;
mod index;
mod recover;
#[cfg(test)]
mod tests;
mod writer;

/// Entries in one answer to a reader that sends them on, in bytes; one entry alone may have more.
const READ_BYTES: usize = 8 << 20;
/// How long the news of what is committed waits for an append that takes it along.
const SETTLE: Duration = Duration::from_millis(100);

/// Why the log cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { path: PathBuf, action: &'static str, source: Arc<io::Error> },
    #[error(
        "{} is damaged at byte {offset}: {what}. What it held was answered for, so this server does not start with less. To go on: stop it, move the folder with \
         its `log`, `snapshot` and `id` away, and let it join the other servers again, which have all of it; a server alone needs that folder from a backup",
        path.display()
    )]
    Damaged { path: PathBuf, offset: u64, what: String },
    #[error(
        "{} is missing: {what}. To go on: put it back from a backup, or move the folder with this server's `log`, `snapshot` and `id` away and let it join the \
         other servers again",
        path.display()
    )]
    Missing { path: PathBuf, what: String },
    #[error("{} is used by another process: stop that one, or give this server another data_dir", folder.display())]
    InUse { folder: PathBuf },
    #[error("{} has version {found}, this binary reads up to {known}: use the binary that wrote it or a newer one", path.display())]
    Newer { path: PathBuf, found: u16, known: u16 },
}

/// A server's log. Clones are the same log.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    instant: bool,
    index: Mutex<Index>,
    writer: Writer,
    flushed: Flushed,
    /// There is something new to say of how far entries are committed.
    committed: Notify,
}

impl fmt::Debug for LogStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStore").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl LogStore {
    /// Opens the log in `folder`, and makes one when there is none. `expected`: there must be one.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, expected: bool) -> Result<Self, Error> {
        let headroom = Arc::new(Headroom::new(Arc::clone(&disk), folder));
        Self::open_beside(disk, folder, expected, headroom)
    }

    /// The same, where `headroom` is told when the log waits for room.
    pub(super) fn open_beside(disk: Arc<dyn Disk>, folder: &Path, expected: bool, headroom: Arc<Headroom>) -> Result<Self, Error> {
        let limits = Limits::on(&*disk);
        Self::open_with(disk, folder, expected, limits, headroom)
    }

    /// The same, where a few entries fill a segment and none are kept in memory.
    #[cfg(test)]
    pub(super) fn open_small(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, Error> {
        let headroom = Arc::new(Headroom::new(Arc::clone(&disk), folder));
        Self::open_with(disk, folder, false, Limits { segment_bytes: 600, cache_bytes: 0, ahead_bytes: 200 }, headroom)
    }

    fn open_with(disk: Arc<dyn Disk>, folder: &Path, expected: bool, limits: Limits, headroom: Arc<Headroom>) -> Result<Self, Error> {
        let recovered = recover::open(&disk, folder, expected, limits)?;
        let instant = disk.is_instant();
        let flushed = Flushed::new(recovered.index.last());
        let writer = Writer::start(disk, recovered.current, limits.ahead_bytes, headroom, flushed.clone())?;
        Ok(Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                instant,
                index: Mutex::new(recovered.index),
                writer,
                flushed,
                committed: Notify::new(),
            }),
        })
    }

    /// Says whose log it is, before anybody reads the vote: who led when it was stopped leads no more, see [`Index::set_owner`].
    pub(super) fn set_owner(&self, id: u64) {
        self.index().set_owner(id);
    }

    /// How far it is on disk.
    pub(super) fn flushed(&self) -> Flushed {
        self.shared.flushed.clone()
    }

    /// Whether nothing has ever been written to it.
    pub(super) fn is_pristine(&self) -> bool {
        self.index().is_pristine()
    }

    /// What the log no longer has must be in the snapshot.
    pub(super) fn check_snapshot(&self, snapshot: Option<LogId>) -> Result<(), Error> {
        let purged = self.index().purged();
        if purged > snapshot {
            let path = self.shared.folder.with_file_name("snapshot");
            let show = |id: Option<LogId>| id.map_or_else(|| "nothing".to_owned(), |id| format!("entries up to {}", id.index));
            return Err(Error::Missing { path, what: format!("the log relies on {} in it, there are {}", show(purged), show(snapshot)) });
        }
        Ok(())
    }

    /// Returns once everything that was written is on disk and the files are closed.
    pub(super) async fn close(&self) {
        self.settle().await;
        self.shared.writer.close().await;
    }

    /// Writes how far entries are committed, soon after it has changed, where no append has taken it along. Until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let settling = async {
            loop {
                self.shared.committed.notified().await;
                tokio::time::sleep(SETTLE).await;
                self.settle().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = settling => {}
        }
    }

    async fn settle(&self) {
        if self.index().has_committed_news()
            && let Err(error) = self.write(false, Done::Nobody, |_, _| Ok(())).await
        {
            tracing::debug!(%error, "how far entries are committed is not written down");
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.shared.index()
    }

    /// Whether these are commands that this server proposes as the leader. Who takes part is never taken as agreed on before it is on this disk: openraft goes by
    /// it at once.
    fn leads_with(&self, entries: &[Entry]) -> bool {
        let Some(leader) = self.index().leads() else { return false };
        let proposed = |entry: &Entry| matches!(entry.payload, EntryPayload::Normal(_)) && entry.log_id.leader_id == leader;
        entries.iter().all(proposed)
    }

    /// Queues records that `change` makes, in the order of the changes to the index.
    async fn write(
        &self,
        sync: bool,
        done: Done,
        change: impl FnOnce(&mut Index, &mut GroupBuilder) -> Result<(), String>,
    ) -> io::Result<()> {
        let ticket = self.shared.writer.ticket().await?;
        let index = &mut *self.index();
        index.forget_written(self.shared.writer.written());
        let roll = index.roll_if_full();
        let mut group = GroupBuilder::default();
        if let Some(committed) = index.take_committed_news() {
            group.push(&Record::Committed(committed)).map_err(io::Error::other)?;
        }
        change(index, &mut group).map_err(io::Error::other)?;
        let remove = index.take_purged_segments();
        let group = group.finish().map_err(io::Error::other)?;
        index.advance(group.len());
        // Under the index's lock, so that groups are written in the order of the positions that the index gave them.
        ticket.submit(Job { roll, group, sync, remove, done });
        Ok(())
    }

    async fn write_and_wait(&self, change: impl FnOnce(&mut Index, &mut GroupBuilder) -> Result<(), String>) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.write(true, Done::Answer(sender), change).await?;
        receiver.await.unwrap_or_else(|_| Err(writer::closed()))
    }
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, first: u64, end: u64, most_bytes: usize) -> io::Result<Vec<Entry>> {
        let slots = self.index().slots(first, end, most_bytes)?;
        let needs_disk = slots.iter().any(|slot| matches!(slot, Slot::OnDisk(_)));
        let load = move || slots.into_iter().map(Slot::load).collect::<io::Result<Vec<_>>>();
        if self.instant || !needs_disk { load() } else { apart(load).await? }
    }
}

fn read_failed(error: io::Error) -> StorageError {
    StorageIOError::read_logs(AnyError::new(&error)).into()
}

fn write_failed(error: io::Error) -> StorageError {
    StorageIOError::write_logs(AnyError::new(&error)).into()
}

/// Reads entries for those who send them to other servers.
#[derive(Clone)]
pub struct LogReader {
    shared: Arc<Shared>,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogReader")
    }
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, StorageError>
    where
        R: std::ops::RangeBounds<u64> + Clone + fmt::Debug + OptionalSend,
    {
        let (first, end) = bounds(&range);
        self.shared.read(first, end, usize::MAX).await.map_err(read_failed)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        self.shared.read(start, end, READ_BYTES).await.map_err(read_failed)
    }
}

fn bounds(range: &impl std::ops::RangeBounds<u64>) -> (u64, u64) {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let first = match range.start_bound() {
        Included(first) => *first,
        Excluded(before) => before.saturating_add(1),
        Unbounded => 0,
    };
    let end = match range.end_bound() {
        Included(last) => last.saturating_add(1),
        Excluded(end) => *end,
        Unbounded => u64::MAX,
    };
    (first, end)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, StorageError>
    where
        R: std::ops::RangeBounds<u64> + Clone + fmt::Debug + OptionalSend,
    {
        let (first, end) = bounds(&range);
        self.shared.read(first, end, usize::MAX).await.map_err(read_failed)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let index = self.index();
        Ok(LogState { last_purged_log_id: index.purged(), last_log_id: index.last() })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader { shared: Arc::clone(&self.shared) }
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let vote = *vote;
        let saved = self.write_and_wait(move |index, group| {
            index.set_vote(vote);
            group.push(&Record::Vote(vote))
        });
        saved.await.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.index().vote())
    }

    /// Written with the next append, or a moment later: after a crash an older one only means that more is asked of the other servers. It also tells a later start
    /// that what is before it in the file was on disk.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        self.index().note_committed(committed);
        self.shared.committed.notify_one();
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.index().committed())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let last = entries.last().map(|entry| *entry.get_log_id());
        let (callback, early) = if self.leads_with(&entries) { (None, Some(callback)) } else { (Some(callback), None) };
        // Nobody else would hear of what failed after it was done.
        self.shared.flushed.check().map_err(write_failed)?;
        let appended = self.write(true, Done::Appended { last, callback }, move |index, group| {
            for entry in entries {
                let place = group.push_entry(&entry)?;
                index.push(*entry.get_log_id(), place, Some(entry))?;
            }
            Ok(())
        });
        appended.await.map_err(write_failed)?;
        self.shared.flushed.note_appended(last);
        if let Some(callback) = early {
            callback.log_io_completed(Ok(()));
        }
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let cut = self.write_and_wait(move |index, group| {
            index.truncate(log_id.index);
            group.push(&Record::Truncate(log_id.index))
        });
        cut.await.map_err(write_failed)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let purged = self.write_and_wait(move |index, group| {
            index.purge(log_id);
            group.push(&Record::Purge(log_id))
        });
        purged.await.map_err(write_failed)
    }
}
