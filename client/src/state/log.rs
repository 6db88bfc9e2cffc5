//! A file of keyed records, appended one after another; the newest of a key counts.
//!
//! One record: length of the payload, its CRC-32 (both four bytes, little endian), then the payload: length of the key (two bytes), the key, a byte that
//! says whether there is a value, the value.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use drover_runtime::{Disk, DiskFile};

use crate::limits::{STATE_FILE_BYTES, STATE_RECORD_BYTES, STATE_SLACK_BYTES};

const MAGIC: &[u8] = b"drover client state 1\n";
const HEADER: usize = 8;
/// How far beyond its size a file may grow before whoever appends has to write it anew.
const INLINE_FACTOR: u64 = 4;

#[derive(Debug)]
pub(super) struct Log {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// Where the value of each key stands, and how long it is.
    index: BTreeMap<String, (u64, usize)>,
    len: u64,
    /// Bytes of records that count.
    live: u64,
}

impl Log {
    pub(super) fn open(disk: Arc<dyn Disk>, path: PathBuf) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            disk.create_dir_all(folder)?;
        }
        let file = disk.open(&path)?;
        let mut log = Self { disk, path, file, index: BTreeMap::new(), len: 0, live: 0 };
        log.load()?;
        Ok(log)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    pub(super) fn read(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        let Some((offset, len)) = self.index.get(key) else { return Ok(None) };
        let mut bytes = vec![0; *len];
        read_exact(&*self.file, *offset, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Sets a key, or with none takes it away.
    pub(super) fn append(&mut self, key: &str, value: Option<&[u8]>) -> io::Result<()> {
        let record = encode(key, value)?;
        let before = self.len;
        if let Err(error) = self.file.append(&record) {
            // Half a record in the middle would hide all that follow.
            self.file.truncate(before)?;
            return Err(error);
        }
        self.len += record.len() as u64;
        self.note(key, value.map(|value| (self.len - value.len() as u64, value.len())));
        // Somebody does it beside the tasks' work. Where nobody does, it is done here before the file grows out of hand.
        if self.len > INLINE_FACTOR * self.roomy() { self.compact() } else { Ok(()) }
    }

    /// The size beyond which too little of the file counts.
    fn roomy(&self) -> u64 {
        STATE_SLACK_BYTES + 2 * self.live
    }

    pub(super) fn is_bloated(&self) -> bool {
        self.len > self.roomy()
    }

    /// What counts now, to be written anew while others go on appending.
    pub(super) fn anew(&self) -> Anew {
        Anew { disk: Arc::clone(&self.disk), path: self.path.clone(), index: self.index.clone(), upto: self.len }
    }

    /// Puts what was [written anew](Anew::write) in the file's place, with what has been appended since. For one at a time.
    pub(super) fn replace(&mut self, anew: &Anew) -> io::Result<()> {
        let mut since = vec![0; usize::try_from(self.len.saturating_sub(anew.upto)).map_err(io::Error::other)?];
        read_exact(&*self.file, anew.upto, &mut since)?;
        let mut file = self.disk.open(&anew.beside())?;
        file.append(&since)?;
        self.disk.rename(&anew.beside(), &self.path)?;
        self.file = file;
        self.load()
    }

    fn note(&mut self, key: &str, place: Option<(u64, usize)>) {
        let size = |len: usize| (HEADER + 3 + key.len() + len) as u64;
        let old = match place {
            Some(place) => {
                self.live += size(place.1);
                self.index.insert(key.to_owned(), place)
            }
            None => self.index.remove(key),
        };
        self.live = self.live.saturating_sub(old.map_or(0, |(_, len)| size(len)));
    }

    /// Writes a file with only what counts in the place of the old one.
    fn compact(&mut self) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for key in self.index.keys() {
            bytes.extend(encode(key, self.read(key)?.as_deref())?);
        }
        self.disk.write_atomic(&self.path, &bytes)?;
        self.file = self.disk.open(&self.path)?;
        self.load()
    }

    fn load(&mut self) -> io::Result<()> {
        (self.len, self.live) = (0, 0);
        self.index.clear();
        let size = self.file.len()?;
        if size > STATE_FILE_BYTES {
            return Err(io::Error::other(format!("the file has {size} bytes, the limit is {STATE_FILE_BYTES}")));
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
        read_exact(&*self.file, 0, &mut bytes)?;
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            self.file.truncate(0)?;
            self.file.append(MAGIC)?;
            self.len = MAGIC.len() as u64;
            return Ok(());
        }
        if !bytes.starts_with(MAGIC) {
            return Err(io::Error::other("the file is no client state of this version"));
        }
        let mut at = MAGIC.len();
        while let Some((key, value, next)) = decode(&bytes, at) {
            self.note(key, value.map(|value| (value.0 as u64, value.1)));
            at = next;
        }
        if at < bytes.len() {
            tracing::warn!(path = %self.path.display(), offset = at, lost = bytes.len() - at, "the end of the client's state is damaged and was cut off");
            self.file.truncate(at as u64)?;
        }
        self.len = at as u64;
        Ok(())
    }
}

/// A file's content without what no longer counts.
#[derive(Debug)]
pub(super) struct Anew {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    index: BTreeMap<String, (u64, usize)>,
    upto: u64,
}

impl Anew {
    fn beside(&self) -> PathBuf {
        self.path.with_extension("new")
    }

    /// Writes it beside the file. Takes as long as the disk takes.
    pub(super) fn write(&self) -> io::Result<()> {
        let file = self.disk.open(&self.path)?;
        let mut bytes = MAGIC.to_vec();
        for (key, (offset, len)) in &self.index {
            let mut value = vec![0; *len];
            read_exact(&*file, *offset, &mut value)?;
            bytes.extend(encode(key, Some(&value))?);
        }
        self.disk.write_atomic(&self.beside(), &bytes)
    }
}

fn encode(key: &str, value: Option<&[u8]>) -> io::Result<Vec<u8>> {
    let key_len = u16::try_from(key.len()).map_err(io::Error::other)?;
    let mut payload = Vec::with_capacity(3 + key.len() + value.map_or(0, <[u8]>::len));
    payload.extend(key_len.to_le_bytes());
    payload.extend(key.as_bytes());
    payload.push(u8::from(value.is_some()));
    payload.extend(value.unwrap_or_default());
    if payload.len() as u64 > STATE_RECORD_BYTES {
        return Err(io::Error::other(format!("a record of {} bytes is larger than {STATE_RECORD_BYTES}", payload.len())));
    }
    let len = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut record = Vec::with_capacity(HEADER + payload.len());
    record.extend(len.to_le_bytes());
    record.extend(crc32fast::hash(&payload).to_le_bytes());
    record.extend(payload);
    Ok(record)
}

/// The record at an offset: key, where its value stands and how long it is, and where the next one begins. None: the file ends there.
#[expect(clippy::type_complexity, reason = "read in one place, four lines above its use")]
fn decode(bytes: &[u8], at: usize) -> Option<(&str, Option<(usize, usize)>, usize)> {
    let number = |at: usize| bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (len, crc) = (number(at)? as usize, number(at + 4)?);
    let start = at + HEADER;
    let payload = bytes.get(start..start.checked_add(len)?)?;
    if crc32fast::hash(payload) != crc {
        return None;
    }
    let key_len = usize::from(u16::from_le_bytes(payload.get(..2)?.try_into().ok()?));
    let key = std::str::from_utf8(payload.get(2..2 + key_len)?).ok()?;
    let present = *payload.get(2 + key_len)? == 1;
    let value = 3 + key_len;
    Some((key, present.then_some((start + value, len - value)), start + len))
}

fn read_exact(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(offset + done as u64, &mut buffer[done..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(())
}
