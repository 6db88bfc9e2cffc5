//! Opening a log that some earlier process left.
//!
//! A crash may tear the last write: what it tore was never answered for, so it is cut off, with a warning; zeros are what the file was filled with ahead, and
//! stay. Everything else that does not read back as it was written is damage, and is refused: in a segment that others follow, and before the point that a
//! later group says was on disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use drover_runtime::{Disk, DiskFile};

use super::{
    Error,
    format::{self, FORMAT_VERSION, Found, HeaderFault, Record, Start},
    index::{Index, Limits, segment_path},
};
use crate::fsm::command::COMMAND_VERSION;

/// Beyond its limit, a segment can have one group, the length of which is an unsigned 32-bit number.
const LAST_GROUP_BYTES: u64 = 4 << 30;
const FIRST_SEGMENT: u64 = 1;

pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) current: Current,
}

/// The segment that is appended to, all of which is on disk.
pub(super) struct Current {
    pub(super) folder: PathBuf,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) len: u64,
    /// Behind that, it has zeros up to here.
    pub(super) filled: u64,
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, action, source: Arc::new(source) }
}

/// Opens the log. `expected`: this server has had one.
pub(super) fn open(disk: &Arc<dyn Disk>, folder: &Path, expected: bool, limits: Limits) -> Result<Recovered, Error> {
    disk.create_dir_all(folder).map_err(failed(folder, "create"))?;
    let mut numbers = segments(&**disk, folder)?;
    if numbers.is_empty() {
        if expected {
            return Err(Error::Missing {
                path: folder.join("*.log"),
                what: "this server has taken part before, but its log is gone".into(),
            });
        }
        let bytes = format::segment_start(FIRST_SEGMENT, Start::default())
            .map_err(|what| failed(folder, "begin a log in")(io::Error::other(what)))?;
        let path = segment_path(folder, FIRST_SEGMENT);
        disk.write_atomic(&path, &bytes).map_err(failed(&path, "write"))?;
        if let Some(parent) = folder.parent() {
            disk.sync_dir(parent).map_err(failed(parent, "sync"))?;
        }
        numbers.push(FIRST_SEGMENT);
    }
    if let Some(pair) = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
        let path = segment_path(folder, pair[0] + 1);
        return Err(Error::Missing { path, what: "there are segments before and after it".into() });
    }
    replay(disk, folder, &numbers, limits)
}

/// The numbers of the segments that there are, in order.
fn segments(disk: &dyn Disk, folder: &Path) -> Result<Vec<u64>, Error> {
    let paths = disk.list(folder).map_err(failed(folder, "list"))?;
    let mut numbers = Vec::new();
    for path in paths {
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| u64::from_str_radix(stem, 16).ok());
        match number {
            Some(number) if path.extension().is_some_and(|extension| extension == "log") => numbers.push(number),
            _ => tracing::debug!(path = %path.display(), "not a part of the log"),
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn replay(disk: &Arc<dyn Disk>, folder: &Path, numbers: &[u64], limits: Limits) -> Result<Recovered, Error> {
    let mut index = Index::new(Arc::clone(disk), folder, limits);
    let mut current = None;
    for (position, number) in numbers.iter().enumerate() {
        let last = position + 1 == numbers.len();
        let segment = Segment { path: segment_path(folder, *number), number: *number, first: position == 0, last };
        let bytes = disk.read(&segment.path, limits.segment_bytes + LAST_GROUP_BYTES).map_err(failed(&segment.path, "read"))?;
        let end = segment.replay(&bytes, &mut index)?;
        if last {
            let mut file = disk.open(&segment.path).map_err(failed(&segment.path, "open"))?;
            let torn = !is_zeros(&bytes[end..]);
            if torn {
                tracing::warn!(
                    path = %segment.path.display(), offset = end, bytes = bytes.len() - end,
                    "cut off the end of the log, which a crash has left half written; nothing that was answered for was in it"
                );
                file.truncate(end as u64).map_err(failed(&segment.path, "cut off the torn end of"))?;
            }
            // The process before may have ended between writing and syncing.
            file.sync().map_err(failed(&segment.path, "sync"))?;
            let filled = if torn { end } else { bytes.len() } as u64;
            current = Some(Current { folder: folder.to_owned(), path: segment.path, number: *number, file, len: end as u64, filled });
        }
    }
    if let Some(hole) = index.hole() {
        let before = numbers.first().map_or(0, |number| number.saturating_sub(1));
        let what = format!("entries from {} to {} were in it or before it", hole.start, hole.end - 1);
        return Err(Error::Missing { path: segment_path(folder, before), what });
    }
    // Segments that the process before had no time to remove.
    for path in index.take_purged_segments() {
        disk.remove(&path).map_err(failed(&path, "remove"))?;
    }
    let current = current.ok_or_else(|| Error::Missing { path: folder.to_owned(), what: "it has no segments".into() })?;
    Ok(Recovered { index, current })
}

fn is_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

struct Segment {
    path: PathBuf,
    number: u64,
    first: bool,
    last: bool,
}

impl Segment {
    fn damaged(&self, offset: usize, what: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), offset: offset as u64, what: what.into() }
    }

    /// Takes up the segment's records; gives the offset that they end at.
    fn replay(&self, bytes: &[u8], index: &mut Index) -> Result<usize, Error> {
        format::check_header(bytes, self.number).map_err(|fault| match fault {
            HeaderFault::Newer(found) => Error::Newer { path: self.path.clone(), found, known: FORMAT_VERSION },
            HeaderFault::Damaged(what) => self.damaged(0, what),
        })?;
        let mut offset = format::SEGMENT_HEADER_BYTES;
        index.add_segment(self.number, offset as u64);
        let mut started = false;
        while offset < bytes.len() {
            let Some(group) = format::group_at(bytes, offset) else {
                // Filled ahead, and nothing came. That nothing is missing, the segment that follows can tell.
                if started && is_zeros(&bytes[offset..]) {
                    break;
                }
                // The first group was written together with the header, as a whole.
                if self.last && started && !format::was_durable(bytes, offset) {
                    break;
                }
                return Err(self.damaged(offset, "what is there does not have the checksum that it was written with"));
            };
            let begins = self.first && !started;
            for found in group.records() {
                self.take(found.map_err(|what| self.damaged(offset, what))?, begins, offset, index)?;
            }
            started = true;
            offset += group.len();
            index.advance(group.len());
        }
        if started { Ok(offset) } else { Err(self.damaged(offset, "it ends after its header")) }
    }

    fn take(&self, found: Found, begins: bool, offset: usize, index: &mut Index) -> Result<(), Error> {
        match found {
            Found::Record(Record::Start(start)) if begins => index.begin_at(start),
            Found::Record(Record::Start(start)) => {
                if start.last.map_or(0, |last| last.index + 1) != index.next() {
                    return Err(self.damaged(offset, "it does not go on where the segment before it ends"));
                }
            }
            Found::Record(Record::Vote(vote)) => index.set_vote(vote),
            Found::Record(Record::Committed(committed)) => index.set_committed(committed),
            Found::Record(Record::Truncate(from)) => index.truncate(from),
            Found::Record(Record::Purge(to)) => index.purge(to),
            Found::Entry { version, .. } if version > COMMAND_VERSION => {
                return Err(Error::Newer { path: self.path.clone(), found: version, known: COMMAND_VERSION });
            }
            Found::Entry { log_id, place, .. } => index.push(log_id, place, None).map_err(|what| self.damaged(offset, what))?,
        }
        Ok(())
    }
}
