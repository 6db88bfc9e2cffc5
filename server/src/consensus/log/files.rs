//! The log's files, as they are written: each group as a whole or not at all, whatever room there is.

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use drover_runtime::{Disk, DiskFile, disk::is_full};

use super::{
    Flushed,
    format::complete,
    recover::Current,
    writer::{Done, Job, Position, Roll},
};

/// The files, as whoever writes has them.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment: u64,
    file: Box<dyn DiskFile>,
    len: u64,
    /// From `len` up to here the file has zeros.
    filled: u64,
    ahead_bytes: usize,
    /// So much of the segment is known to be on disk.
    durable: u64,
    /// What goes behind that, in its order.
    pending: VecDeque<Pending>,
    /// So many of `pending` have been appended, but may not be on disk yet.
    appended: usize,
    /// Something was appended in part: the file is to be cut back before anything else is.
    torn: bool,
    owed: Owed,
    written: Arc<Mutex<Position>>,
    /// After an error other than a full disk, which it keeps, it is not known what is on disk: nothing more is written.
    flushed: Flushed,
}

/// A group that is to be written.
struct Pending {
    roll: Option<Roll>,
    group: Vec<u8>,
}

/// What is to be done once all that is pending is written.
#[derive(Default)]
struct Owed {
    sync: bool,
    remove: Vec<PathBuf>,
    done: Vec<Done>,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, current: Current, ahead_bytes: usize, written: Arc<Mutex<Position>>, flushed: Flushed) -> Self {
        let Current { folder, path: _, number, file, len, filled } = current;
        Self {
            disk,
            folder,
            segment: number,
            file,
            len,
            filled,
            ahead_bytes,
            durable: len,
            pending: VecDeque::new(),
            appended: 0,
            torn: false,
            owed: Owed::default(),
            written,
            flushed,
        }
    }

    /// Takes up a group, which [`Files::work`] writes.
    pub(super) fn take(&mut self, Job { roll, group, sync, remove, done }: Job) {
        self.pending.push_back(Pending { roll, group });
        self.owed.sync |= sync;
        self.owed.remove.extend(remove);
        self.owed.done.push(done);
    }

    /// Writes all that was taken, and tells those who wait. False: the disk is full; nothing is told yet, and it is to be called again.
    pub(super) fn work(&mut self) -> bool {
        match self.flushed.check().and_then(|()| self.settle()) {
            Ok(()) => self.owed.done.drain(..).for_each(|done| done.tell(&Ok(()), &self.flushed)),
            Err(error) if is_full(&error) => return false,
            Err(error) => {
                if self.flushed.check().is_ok() {
                    tracing::error!(folder = %self.folder.display(), %error, "cannot write the log; this server stops taking part");
                }
                self.fail(&error);
            }
        }
        true
    }

    /// Writes nothing more; whoever waits is told why.
    pub(super) fn fail(&mut self, error: &io::Error) {
        self.flushed.fail(error);
        self.pending.clear();
        let Owed { done, .. } = std::mem::take(&mut self.owed);
        done.into_iter().for_each(|done| done.tell(&Err(io::Error::new(error.kind(), error.to_string())), &self.flushed));
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.torn {
            self.rewind()?;
        }
        while self.appended < self.pending.len() {
            self.append_next()?;
        }
        if self.owed.sync {
            self.sync()?;
            self.owed.sync = false;
        }
        if !self.owed.remove.is_empty() {
            self.remove()?;
        }
        Ok(())
    }

    fn append_next(&mut self) -> io::Result<()> {
        if self.pending.get(self.appended).is_some_and(|next| next.roll.is_some()) {
            self.trim()?;
            self.sync()?;
            self.roll()?;
        }
        let Some(Pending { group, .. }) = self.pending.get_mut(self.appended) else { return Ok(()) };
        if !group.is_empty() {
            complete(group, self.durable);
            if let Err(error) = self.file.write_at(self.len, group) {
                self.torn = true;
                return Err(error);
            }
            self.len += group.len() as u64;
        }
        self.appended += 1;
        if self.len > self.filled { self.fill() } else { Ok(()) }
    }

    /// Writes zeros behind the last group. The sync of this group is the dear one, for the file gets longer; those of the next have only their bytes to write.
    fn fill(&mut self) -> io::Result<()> {
        self.filled = self.len;
        match self.file.write_at(self.len, &vec![0; self.ahead_bytes]) {
            Ok(()) => self.filled += self.ahead_bytes as u64,
            // It goes without them: what room there is, the next groups get.
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes the zeros off again: nothing more comes into this segment.
    fn trim(&mut self) -> io::Result<()> {
        self.file.truncate(self.len)?;
        self.filled = self.len;
        Ok(())
    }

    /// Begins the segment that the next group asks for.
    fn roll(&mut self) -> io::Result<()> {
        let Some(Pending { roll, .. }) = self.pending.get_mut(self.appended) else { return Ok(()) };
        let Some(Roll { path, bytes, segment }) = roll else { return Ok(()) };
        self.disk.write_atomic(path, bytes)?;
        self.file = self.disk.open(path)?;
        self.len = bytes.len() as u64;
        (self.segment, self.durable, self.filled) = (*segment, self.len, self.len);
        *roll = None;
        Ok(())
    }

    /// Cuts off what is not known to be on disk; it is appended again.
    fn rewind(&mut self) -> io::Result<()> {
        self.file.truncate(self.durable)?;
        (self.len, self.filled, self.appended, self.torn) = (self.durable, self.durable, 0, false);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.sync() {
            // Some systems find out only now that there is no room, and nobody knows for what of it.
            self.torn = true;
            return Err(error);
        }
        self.durable = self.len;
        self.pending.drain(..self.appended);
        self.appended = 0;
        // Not before: what was only appended may have to be cut off again, so readers need their own copy of it.
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Position { segment: self.segment, offset: self.durable };
        Ok(())
    }

    fn remove(&mut self) -> io::Result<()> {
        for path in &self.owed.remove {
            match self.disk.remove(path) {
                // It was removed in an earlier try.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        self.disk.sync_dir(&self.folder)?;
        self.owed.remove.clear();
        Ok(())
    }
}
