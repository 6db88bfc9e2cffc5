//! What is in the log, in memory: where each entry is, and the newest entries themselves.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use drover_runtime::{Disk, DiskFile};
use openraft::CommittedLeaderId;

use super::{
    format::{Place, Start, decode_entry, segment_start},
    writer::{Position, Roll},
};
use crate::consensus::types::{Entry, LogId, Vote};

/// How much goes where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A segment that has so many bytes is followed by a new one.
    pub(super) segment_bytes: u64,
    /// Of the newest entries that are kept in memory, since they are applied and replicated soon after they are written.
    pub(super) cache_bytes: usize,
    /// A segment is filled with zeros so far ahead of what is written.
    pub(super) ahead_bytes: usize,
}

impl Limits {
    pub(super) fn on(disk: &dyn Disk) -> Self {
        // In memory nothing is gained by zeros: there are some only so that simulations come across them.
        let ahead_bytes = if disk.is_instant() { 4 << 10 } else { 256 << 10 };
        Self { segment_bytes: 32 << 20, cache_bytes: 32 << 20, ahead_bytes }
    }
}

/// What the log holds.
pub(super) struct Index {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    limits: Limits,
    /// The server that the log belongs to, once that is known.
    owner: Option<u64>,
    vote: Option<Vote>,
    committed: Option<LogId>,
    /// No record says it yet.
    committed_is_news: bool,
    purged: Option<LogId>,
    /// The index of the first of `entries`, or of the next entry when there are none.
    first: u64,
    entries: VecDeque<Located>,
    /// The newest of `entries`.
    cache: VecDeque<Cached>,
    cached_bytes: usize,
    segments: BTreeMap<u64, Segment>,
    /// Where the next group goes.
    end: Position,
}

struct Located {
    log_id: LogId,
    segment: u64,
    offset: u64,
    len: usize,
}

struct Cached {
    entry: Entry,
    bytes: usize,
    /// Until the file has this position, the entry is nowhere else.
    end: Position,
}

struct Segment {
    path: PathBuf,
    /// The newest entry that was ever written to it.
    last: Option<u64>,
    reader: Arc<Reader>,
}

/// A segment's file, opened when somebody reads from it.
pub(super) struct Reader {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: OnceLock<Box<dyn DiskFile>>,
}

impl Reader {
    fn file(&self) -> io::Result<&dyn DiskFile> {
        if let Some(file) = self.file.get() {
            return Ok(&**file);
        }
        let file = self.disk.open(&self.path)?;
        Ok(&**self.file.get_or_init(|| file))
    }

    fn entry(&self, offset: u64, len: usize) -> io::Result<Entry> {
        let fail =
            |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{} at byte {offset}: an entry: {what}", self.path.display()));
        let (mut content, mut done) = (vec![0; len], 0);
        while done < len {
            match self.file()?.read_at(offset + done as u64, &mut content[done..])? {
                0 => return Err(fail("it is cut off")),
                count => done += count,
            }
        }
        decode_entry(&content).map_err(|what| fail(&what))
    }
}

/// An entry, or where it is.
pub(super) enum Slot {
    InMemory(Box<Entry>),
    OnDisk(Extent),
}

pub(super) struct Extent {
    reader: Arc<Reader>,
    offset: u64,
    len: usize,
}

impl Slot {
    pub(super) fn load(self) -> io::Result<Entry> {
        match self {
            Self::InMemory(entry) => Ok(*entry),
            Self::OnDisk(Extent { reader, offset, len }) => reader.entry(offset, len),
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("first", &self.first).field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}.log"))
}

impl Index {
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path, limits: Limits) -> Self {
        Self {
            disk,
            folder: folder.to_owned(),
            limits,
            owner: None,
            vote: None,
            committed: None,
            committed_is_news: false,
            purged: None,
            first: 0,
            entries: VecDeque::new(),
            cache: VecDeque::new(),
            cached_bytes: 0,
            segments: BTreeMap::new(),
            end: Position::default(),
        }
    }

    /// Says whose log it is. A server that led does not go on in that term: followers may have entries of it that never came to its own disk, and it would give
    /// others their places. Its vote stays, for itself, so that nobody else leads in that term either.
    pub(super) fn set_owner(&mut self, id: u64) {
        self.owner = Some(id);
        if let Some(vote) = self.vote.as_mut().filter(|vote| vote.leader_id.node_id == id) {
            vote.committed = false;
        }
    }

    /// As which leader the owner writes, while it is one.
    pub(super) fn leads(&self) -> Option<CommittedLeaderId<u64>> {
        let vote = self.vote.filter(|vote| vote.committed && Some(vote.leader_id.node_id) == self.owner)?;
        Some(CommittedLeaderId::new(vote.leader_id.term, vote.leader_id.node_id))
    }

    pub(super) fn vote(&self) -> Option<Vote> {
        self.vote
    }

    pub(super) fn set_vote(&mut self, vote: Vote) {
        self.vote = Some(vote);
    }

    pub(super) fn committed(&self) -> Option<LogId> {
        self.committed
    }

    /// As a record says.
    pub(super) fn set_committed(&mut self, committed: Option<LogId>) {
        self.committed = committed;
    }

    /// As the next record is to say.
    pub(super) fn note_committed(&mut self, committed: Option<LogId>) {
        self.committed_is_news |= self.committed != committed;
        self.committed = committed;
    }

    pub(super) fn has_committed_news(&self) -> bool {
        self.committed_is_news
    }

    /// What is to be said of how far entries are committed, if anything; it is said once.
    pub(super) fn take_committed_news(&mut self) -> Option<Option<LogId>> {
        std::mem::take(&mut self.committed_is_news).then_some(self.committed)
    }

    pub(super) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    pub(super) fn last(&self) -> Option<LogId> {
        self.entries.back().map(|located| located.log_id).or(self.purged)
    }

    /// Whether nothing was ever written.
    pub(super) fn is_pristine(&self) -> bool {
        self.vote.is_none() && self.last().is_none()
    }

    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Says where entries go on when the first segments are gone.
    pub(super) fn begin_at(&mut self, start: Start) {
        self.vote = start.vote;
        self.committed = start.committed;
        self.purged = start.purged;
        self.first = start.last.map_or(0, |last| last.index + 1);
    }

    /// Takes up an entry that is (or will be) at `place` of the group that is next.
    pub(super) fn push(&mut self, log_id: LogId, place: Place, entry: Option<Entry>) -> Result<(), String> {
        if self.purged.is_none() && self.entries.is_empty() {
            self.first = log_id.index;
        }
        if log_id.index != self.next() {
            return Err(format!("entry {} comes where {} was expected", log_id.index, self.next()));
        }
        let offset = self.end.offset + place.offset as u64;
        self.entries.push_back(Located { log_id, segment: self.end.segment, offset, len: place.len });
        if let Some(segment) = self.segments.get_mut(&self.end.segment) {
            segment.last = segment.last.max(Some(log_id.index));
        }
        if let Some(entry) = entry {
            self.cached_bytes += place.len;
            let end = Position { segment: self.end.segment, offset: offset + place.len as u64 };
            self.cache.push_back(Cached { entry, bytes: place.len, end });
        }
        Ok(())
    }

    /// Takes the oldest entries out of memory, as long as there are too many and the disk has them.
    pub(super) fn forget_written(&mut self, written: Position) {
        while self.cached_bytes > self.limits.cache_bytes && self.cache.front().is_some_and(|oldest| oldest.end <= written) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.cache.pop_front() {
            self.cached_bytes -= oldest.bytes;
        }
    }

    /// Entries from `from` on are void.
    pub(super) fn truncate(&mut self, from: u64) {
        while self.next() > from && self.entries.pop_back().is_some() {
            if let Some(newest) = self.cache.pop_back() {
                self.cached_bytes -= newest.bytes;
            }
        }
        // Only when replaying: the segments with what is before it are gone.
        if self.entries.is_empty() {
            self.first = self.first.min(from);
        }
    }

    /// Entries up to `to` are no longer needed.
    pub(super) fn purge(&mut self, to: LogId) {
        if self.purged >= Some(to) {
            return;
        }
        self.purged = Some(to);
        while self.first <= to.index && self.entries.pop_front().is_some() {
            self.first += 1;
        }
        self.first = self.first.max(to.index + 1);
        while self.cache.len() > self.entries.len() {
            self.forget_oldest();
        }
    }

    /// The entries from `first` to before `end`, of those that there are; after `most_bytes` no more, but at least one.
    pub(super) fn slots(&self, first: u64, end: u64, most_bytes: usize) -> io::Result<Vec<Slot>> {
        let (first, end) = (first.max(self.first), end.min(self.next()));
        let mut bytes = 0;
        let mut slots = Vec::new();
        for index in first..end {
            let position = usize::try_from(index - self.first).unwrap_or(usize::MAX);
            let Some(located) = self.entries.get(position) else { break };
            bytes += located.len;
            if bytes > most_bytes && !slots.is_empty() {
                break;
            }
            // The cache has the newest entries, so its end is the entries' end.
            let from_end = self.entries.len() - position;
            let cached = self.cache.len().checked_sub(from_end).and_then(|at| self.cache.get(at));
            slots.push(match cached {
                Some(cached) => Slot::InMemory(Box::new(cached.entry.clone())),
                None => Slot::OnDisk(self.extent(located)?),
            });
        }
        Ok(slots)
    }

    fn extent(&self, located: &Located) -> io::Result<Extent> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, format!("log segment {} is not known", located.segment));
        let segment = self.segments.get(&located.segment).ok_or_else(gone)?;
        Ok(Extent { reader: Arc::clone(&segment.reader), offset: located.offset, len: located.len })
    }

    /// A segment follows; what is pushed from now on is in it.
    pub(super) fn add_segment(&mut self, number: u64, offset: u64) {
        let path = segment_path(&self.folder, number);
        let reader = Reader { disk: Arc::clone(&self.disk), path: path.clone(), file: OnceLock::new() };
        self.segments.insert(number, Segment { path, last: None, reader: Arc::new(reader) });
        self.end = Position { segment: number, offset };
    }

    /// The next group is `len` bytes further on.
    pub(super) fn advance(&mut self, len: usize) {
        self.end.offset += len as u64;
    }

    /// Begins a new segment when the current one has enough.
    pub(super) fn roll_if_full(&mut self) -> Option<Roll> {
        if self.end.offset < self.limits.segment_bytes {
            return None;
        }
        let number = self.end.segment + 1;
        // A record of four ids always fits.
        let bytes = segment_start(number, self.start()).ok()?;
        self.add_segment(number, bytes.len() as u64);
        Some(Roll { path: segment_path(&self.folder, number), bytes, segment: number })
    }

    /// What a new segment begins with.
    pub(super) fn start(&self) -> Start {
        Start { vote: self.vote, committed: self.committed, purged: self.purged, last: self.last() }
    }

    /// Forgets the first segments that have nothing more that is needed; they can be removed once all records before are on disk.
    pub(super) fn take_purged_segments(&mut self) -> Vec<PathBuf> {
        let Some(purged) = self.purged else { return Vec::new() };
        let mut paths = Vec::new();
        while let Some(oldest) = self.segments.first_entry() {
            let needed = *oldest.key() == self.end.segment || oldest.get().last.is_some_and(|last| last > purged.index);
            if needed {
                break;
            }
            paths.push(oldest.remove().path);
        }
        paths
    }

    /// Entries that are neither here nor purged: their segments are gone.
    pub(super) fn hole(&self) -> Option<Range<u64>> {
        let wanted = self.purged.map_or(0, |purged| purged.index + 1);
        (wanted < self.first).then_some(wanted..self.first)
    }
}
