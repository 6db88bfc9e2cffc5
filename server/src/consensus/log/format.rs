//! Bytes of a segment.
//!
//! A segment: magic (8 bytes), format version (u16), 2 bytes of zeros, its number (u64), CRC-32 of these (u32). Then groups: magic (u32), length of the
//! records (u32), CRC-32 of all that follows in the group (u32), how far the segment was known to be on disk when the group was written (u64), the records.
//! A record: kind (u8), length (u32), content. An entry's content begins with its index, term and leader (u64 each), the version of its commands (u16) and the
//! CRC-32 of the rest; the others' is MessagePack. All numbers are little endian.
//!
//! How far the segment was on disk is what tells a write that a crash tore (tolerated) from damage to what was answered for (refused).

use bytes::{Buf, BufMut};
use openraft::{CommittedLeaderId, EntryPayload, RaftLogId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    consensus::types::{Entry, LogId, TypeConfig, Vote},
    fsm::command::COMMAND_VERSION,
};

pub(super) const FORMAT_VERSION: u16 = 1;
pub(super) const SEGMENT_HEADER_BYTES: usize = 24;
pub(super) const GROUP_HEADER_BYTES: usize = 20;
const SEGMENT_MAGIC: &[u8; 8] = b"DROVERLG";
const GROUP_MAGIC: [u8; 4] = *b"GRP\x01";
const RECORD_HEADER_BYTES: usize = 5;
const ENTRY_HEADER_BYTES: usize = 30;

const KIND_START: u8 = 1;
const KIND_ENTRY: u8 = 2;
const KIND_VOTE: u8 = 3;
const KIND_COMMITTED: u8 = 4;
const KIND_TRUNCATE: u8 = 5;
const KIND_PURGE: u8 = 6;

/// What a segment begins with: all that earlier ones said, which may be gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
}

/// A record that is not an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Record {
    Start(Start),
    Vote(Vote),
    Committed(Option<LogId>),
    /// Entries from this index on are void.
    Truncate(u64),
    /// Entries up to this one are no longer needed.
    Purge(LogId),
}

/// Where an entry's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted from where its group begins.
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// Builds one group; empty when nothing is put into it.
#[derive(Default)]
pub(super) struct GroupBuilder {
    bytes: Vec<u8>,
}

impl GroupBuilder {
    pub(super) fn push(&mut self, record: &Record) -> Result<(), String> {
        let (kind, content) = match record {
            Record::Start(start) => (KIND_START, pack(start)?),
            Record::Vote(vote) => (KIND_VOTE, pack(vote)?),
            Record::Committed(committed) => (KIND_COMMITTED, pack(committed)?),
            Record::Truncate(from) => (KIND_TRUNCATE, pack(from)?),
            Record::Purge(to) => (KIND_PURGE, pack(to)?),
        };
        self.put(kind, &[], &content).map(drop)
    }

    pub(super) fn push_entry(&mut self, entry: &Entry) -> Result<Place, String> {
        let body = pack(&entry.payload)?;
        let log_id = entry.get_log_id();
        let version = match &entry.payload {
            EntryPayload::Normal(batch) => batch.version(),
            EntryPayload::Blank | EntryPayload::Membership(_) => COMMAND_VERSION,
        };
        let mut header = Vec::with_capacity(ENTRY_HEADER_BYTES);
        header.put_u64_le(log_id.index);
        header.put_u64_le(log_id.leader_id.term);
        header.put_u64_le(log_id.leader_id.node_id);
        header.put_u16_le(version);
        header.put_u32_le(crc32fast::hash(&body));
        self.put(KIND_ENTRY, &header, &body)
    }

    fn put(&mut self, kind: u8, header: &[u8], content: &[u8]) -> Result<Place, String> {
        let len = header.len() + content.len();
        let length = u32::try_from(len).map_err(|_| format!("a record of {len} bytes"))?;
        if self.bytes.is_empty() {
            self.bytes.resize(GROUP_HEADER_BYTES, 0);
        }
        self.bytes.put_u8(kind);
        self.bytes.put_u32_le(length);
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(content);
        Ok(Place { offset, len })
    }

    /// The group, whose header is completed by [`complete`] when it is written.
    pub(super) fn finish(self) -> Result<Vec<u8>, String> {
        match u32::try_from(self.bytes.len()) {
            Ok(_) => Ok(self.bytes),
            Err(_) => Err(format!("a group of {} bytes", self.bytes.len())),
        }
    }
}

/// Fills in a group's header. `durable` is how much of the segment is known to be on disk.
pub(super) fn complete(group: &mut [u8], durable: u64) {
    let Some(records) = group.len().checked_sub(GROUP_HEADER_BYTES) else { return };
    group[12..GROUP_HEADER_BYTES].copy_from_slice(&durable.to_le_bytes());
    let crc = crc32fast::hash(&group[12..]);
    let mut header = &mut group[..12];
    header.put_slice(&GROUP_MAGIC);
    // The builder has checked that it fits.
    header.put_u32_le(u32::try_from(records).unwrap_or(u32::MAX));
    header.put_u32_le(crc);
}

/// The first bytes of a segment: its header and a group that says what came before.
pub(super) fn segment_start(number: u64, start: Start) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    bytes.put_slice(SEGMENT_MAGIC);
    bytes.put_u16_le(FORMAT_VERSION);
    bytes.put_u16_le(0);
    bytes.put_u64_le(number);
    bytes.put_u32_le(crc32fast::hash(&bytes));
    let mut group = GroupBuilder::default();
    group.push(&Record::Start(start))?;
    let mut group = group.finish()?;
    complete(&mut group, 0);
    bytes.extend_from_slice(&group);
    Ok(bytes)
}

/// What is wrong with a segment's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    Newer(u16),
    Damaged(&'static str),
}

pub(super) fn check_header(bytes: &[u8], number: u64) -> Result<(), HeaderFault> {
    let header = bytes.get(..SEGMENT_HEADER_BYTES).ok_or(HeaderFault::Damaged("it is shorter than a segment's header"))?;
    let mut rest = header.strip_prefix(SEGMENT_MAGIC).ok_or(HeaderFault::Damaged("it does not begin as a segment does"))?;
    let version = rest.get_u16_le();
    if version > FORMAT_VERSION {
        return Err(HeaderFault::Newer(version));
    }
    let (_, found) = (rest.get_u16_le(), rest.get_u64_le());
    if rest.get_u32_le() != crc32fast::hash(&header[..SEGMENT_HEADER_BYTES - 4]) {
        return Err(HeaderFault::Damaged("its header does not have the checksum that it was written with"));
    }
    if found != number { Err(HeaderFault::Damaged("its header has another number than its name")) } else { Ok(()) }
}

/// A group as it is in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub(super) durable: u64,
    /// From the group's first byte on.
    bytes: &'a [u8],
}

/// The group that begins at `offset`, when its bytes are all there and as they were written.
pub(super) fn group_at(segment: &[u8], offset: usize) -> Option<Group<'_>> {
    let bytes = segment.get(offset..)?;
    let mut header = bytes.get(..GROUP_HEADER_BYTES)?.strip_prefix(&GROUP_MAGIC)?;
    let (length, crc, durable) = (header.get_u32_le() as usize, header.get_u32_le(), header.get_u64_le());
    let bytes = bytes.get(..GROUP_HEADER_BYTES.checked_add(length)?)?;
    (crc32fast::hash(&bytes[12..]) == crc).then_some(Group { durable, bytes })
}

/// Whether some group after `offset` says that `offset` was on disk.
pub(super) fn was_durable(segment: &[u8], offset: usize) -> bool {
    let candidates = segment.get(offset..).unwrap_or_default().windows(GROUP_MAGIC.len()).enumerate();
    candidates
        .filter(|(_, window)| *window == GROUP_MAGIC)
        .filter_map(|(distance, _)| group_at(segment, offset + distance))
        .any(|group| group.durable > offset as u64)
}

/// A record of a group that is as it was written.
pub(super) enum Found {
    Record(Record),
    Entry { log_id: LogId, version: u16, place: Place },
}

impl<'a> Group<'a> {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its records. An error is a bug or a newer format, as the checksum fits.
    pub(super) fn records(self) -> impl Iterator<Item = Result<Found, String>> + use<'a> {
        let mut offset = GROUP_HEADER_BYTES;
        std::iter::from_fn(move || {
            if offset >= self.bytes.len() {
                return None;
            }
            let found = self.record_at(offset);
            offset = match &found {
                Ok((_, next)) => *next,
                Err(_) => self.bytes.len(),
            };
            Some(found.map(|(found, _)| found))
        })
    }

    fn record_at(&self, offset: usize) -> Result<(Found, usize), String> {
        let cut = || "a record is cut off".to_owned();
        let mut header = self.bytes.get(offset..offset + RECORD_HEADER_BYTES).ok_or_else(cut)?;
        let (kind, len) = (header.get_u8(), header.get_u32_le() as usize);
        let start = offset + RECORD_HEADER_BYTES;
        let content = self.bytes.get(start..start + len).ok_or_else(cut)?;
        let found = match kind {
            KIND_START => Found::Record(Record::Start(unpack(content)?)),
            KIND_VOTE => Found::Record(Record::Vote(unpack(content)?)),
            KIND_COMMITTED => Found::Record(Record::Committed(unpack(content)?)),
            KIND_TRUNCATE => Found::Record(Record::Truncate(unpack(content)?)),
            KIND_PURGE => Found::Record(Record::Purge(unpack(content)?)),
            KIND_ENTRY => {
                let mut header = content.get(..ENTRY_HEADER_BYTES).ok_or_else(cut)?;
                let log_id = log_id(&mut header);
                Found::Entry { log_id, version: header.get_u16_le(), place: Place { offset: start, len } }
            }
            kind => return Err(format!("a record of unknown kind {kind}")),
        };
        Ok((found, start + len))
    }
}

fn log_id(header: &mut &[u8]) -> LogId {
    let (index, term, node) = (header.get_u64_le(), header.get_u64_le(), header.get_u64_le());
    LogId::new(CommittedLeaderId::new(term, node), index)
}

/// An entry from its content.
pub(super) fn decode_entry(content: &[u8]) -> Result<Entry, String> {
    let (mut header, body) = content.split_at_checked(ENTRY_HEADER_BYTES).ok_or("it is cut off")?;
    let log_id = log_id(&mut header);
    let (_version, crc) = (header.get_u16_le(), header.get_u32_le());
    if crc32fast::hash(body) != crc {
        return Err("it does not have the checksum that it was written with".into());
    }
    let payload: EntryPayload<TypeConfig> = unpack(body)?;
    Ok(Entry { log_id, payload })
}

fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}
