//! A file's bytes, and what a crash leaves of them.

/// What a disk writes as a whole or not at all.
const SECTOR: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Content {
    /// What a running process sees.
    pub(super) bytes: Vec<u8>,
    /// What was changed since the last sync, in its order.
    changes: Vec<Change>,
}

/// What has to be known of a change to take it back, or to make a part of it.
#[derive(Debug)]
struct Change {
    offset: usize,
    /// What the file had from there on: all of that where it was cut off, else as much as was written over.
    before: Vec<u8>,
    len_before: usize,
    /// None: the file was cut off.
    written: Option<Vec<u8>>,
}

/// Writes over what is there and beyond.
fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    if new.is_empty() {
        return;
    }
    let end = offset + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(new);
}

impl Content {
    /// Bytes that are on the disk.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, changes: Vec::new() }
    }

    pub(super) fn write(&mut self, offset: usize, new: &[u8]) {
        let len_before = self.bytes.len();
        let over = offset.min(len_before)..(offset + new.len()).min(len_before);
        let before = self.bytes[over].to_vec();
        put(&mut self.bytes, offset, new);
        self.changes.push(Change { offset, before, len_before, written: Some(new.to_vec()) });
    }

    pub(super) fn truncate(&mut self, len: usize) {
        let len_before = self.bytes.len();
        let before = self.bytes[len.min(len_before)..].to_vec();
        self.bytes.resize(len, 0);
        self.changes.push(Change { offset: len, before, len_before, written: None });
    }

    pub(super) fn sync(&mut self) {
        self.changes.clear();
    }

    /// How many bytes were written since the last sync.
    pub(super) fn unsynced(&self) -> usize {
        self.changes.iter().filter_map(|change| change.written.as_ref()).map(Vec::len).sum()
    }

    /// As it was at the last sync.
    fn synced(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for Change { offset, before, len_before, .. } in self.changes.iter().rev() {
            bytes.resize(*len_before, 0);
            put(&mut bytes, *offset, before);
        }
        bytes
    }

    /// What a crash leaves when so many of the bytes that were not synced got through, in their order. Where something was cut off, the crash undoes it all.
    pub(super) fn torn(&self, mut through: usize) -> Self {
        let mut bytes = self.synced();
        for (offset, written) in self.writes().into_iter().flatten() {
            let part = through.min(written.len());
            put(&mut bytes, offset, &written[..part]);
            through -= part;
        }
        Self::new(bytes)
    }

    /// The same, when `through` says of each sector whether it got there.
    pub(super) fn scattered(&self, mut through: impl FnMut() -> bool) -> Self {
        let mut bytes = self.synced();
        for (mut offset, mut rest) in self.writes().into_iter().flatten() {
            while !rest.is_empty() {
                let (sector, after) = rest.split_at((SECTOR - offset % SECTOR).min(rest.len()));
                if through() {
                    put(&mut bytes, offset, sector);
                }
                offset += sector.len();
                rest = after;
            }
        }
        Self::new(bytes)
    }

    /// What was written and where; none where something was cut off.
    fn writes(&self) -> Option<Vec<(usize, &[u8])>> {
        self.changes.iter().map(|change| Some((change.offset, change.written.as_deref()?))).collect()
    }
}
