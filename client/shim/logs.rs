//! One stream of a task, in numbered files: `NAME.0`, `NAME.1`, ... of which the newest few are kept.

use crate::{
    sys,
    text::{Bytes, Decimal, Text},
};

pub(crate) struct Log {
    folder: i32,
    name: Bytes,
    index: u64,
    max_files: u64,
    max_bytes: u64,
    /// The open file, or negative.
    file: i32,
    size: u64,
}

impl Log {
    pub(crate) fn new(folder: i32, name: Bytes, index: u64, max_files: u64, max_bytes: u64) -> Self {
        let mut log = Self { folder, name, index, max_files: max_files.max(1), max_bytes: max_bytes.max(1), file: -1, size: 0 };
        if !log.is_off() {
            log.open();
        }
        log
    }

    pub(crate) fn is_off(&self) -> bool {
        self.name.is_empty()
    }

    /// A log that cannot be written (a full disk, a file that the task put in its place) loses its lines: a task must never wait for its log.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.size >= self.max_bytes {
                self.rotate();
            }
            if self.file < 0 {
                self.open();
            }
            let room = usize::try_from(self.max_bytes.saturating_sub(self.size)).unwrap_or(usize::MAX).max(1);
            let part = &bytes[..bytes.len().min(room)];
            let written = sys::write(self.file, part);
            // What was not written counts too: it is dropped, and the loop ends.
            let step = if written > 0 { written as usize } else { part.len() };
            self.size += if written > 0 { written as u64 } else { 0 };
            bytes = &bytes[step.min(bytes.len())..];
        }
    }

    fn rotate(&mut self) {
        sys::close(self.file);
        self.index += 1;
        self.open();
        if let Some(oldest) = self.index.checked_sub(self.max_files) {
            sys::unlink(self.folder, self.file_name(oldest).finish());
        }
    }

    /// The folder is held open and links are not followed: a task that swaps its log for a link gains nothing.
    fn open(&mut self) {
        let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_APPEND | sys::O_NOFOLLOW | sys::O_NONBLOCK | sys::O_CLOEXEC;
        let name = self.file_name(self.index);
        self.file = sys::open(self.folder, name.finish(), flags, 0o644);
        self.size = sys::file_len(self.file);
    }

    fn file_name(&self, index: u64) -> Text {
        let mut name = Text::new();
        name.push(self.name.as_slice());
        name.push(b".");
        name.push(Decimal::new(index).as_slice());
        name
    }
}
