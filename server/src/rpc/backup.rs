//! Snapshots of the whole state, for operators.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use drover_model::rpc::{
    Error,
    job::Written,
    snapshot::{SnapshotPiece, SnapshotRestore, SnapshotSave},
};
use drover_runtime::{
    apart,
    rpc::{Caller, Handle, ItemSink},
};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    Server,
    backup::{self, Meta},
    fsm::command::Command,
};

/// Bytes in one piece of a file on its way.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes in one part of a state in the log.
const PART_BYTES: usize = 8 << 20;
/// The largest file that is taken in.
const FILE_BYTES: usize = 4 << 30;
/// A file that is not complete is forgotten when nothing came for so long.
const IDLE: Duration = Duration::from_secs(60);

/// A file that is on its way to this server; one at a time.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    file: Mutex<Option<File>>,
}

#[derive(Debug)]
struct File {
    id: u64,
    bytes: Vec<u8>,
    touched: Instant,
}

impl Incoming {
    /// Takes a piece; the whole file with the last one.
    fn take(&self, message: SnapshotRestore) -> Result<Option<Vec<u8>>, Error> {
        let SnapshotRestore { id, offset, data, is_last } = message;
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(|file| file.id != id && file.touched.elapsed() < IDLE) {
            return Err(Error::new(409, "another snapshot is being restored; try again when that has ended"));
        }
        let mut file = slot.take().filter(|file| file.id == id).unwrap_or_else(|| File { id, bytes: Vec::new(), touched: Instant::now() });
        if offset != file.bytes.len() as u64 {
            return Err(Error::bad_request("a piece of the snapshot is missing; send it again from its beginning"));
        }
        if file.bytes.len() + data.len() > FILE_BYTES {
            return Err(Error::new(413, format!("the snapshot has more than {FILE_BYTES} bytes")));
        }
        file.bytes.extend_from_slice(&data);
        file.touched = Instant::now();
        if is_last {
            return Ok(Some(file.bytes));
        }
        *slot = Some(file);
        Ok(None)
    }
}

impl Server {
    /// Sends the state as a file, in pieces. Not from the leader when it may be stale.
    pub async fn stream_snapshot(&self, caller: Caller, message: SnapshotSave, sink: ItemSink<SnapshotPiece>) -> Result<(), Error> {
        if !message.stale {
            if let Some(leader) = self.leader_elsewhere(&caller).await? {
                let mut pieces = leader.subscribe(&caller.header(), &message).await?;
                while let Some(piece) = pieces.next().await {
                    sink.send(&piece?).await?;
                }
                return Ok(());
            }
            self.ensure_leading().await?;
        }
        let file = self.backup().await?;
        let digest = backup::digest_of(&file);
        for piece in file.chunks(PIECE_BYTES) {
            sink.send(&SnapshotPiece { data: piece.to_vec(), digest: digest.clone() }).await?;
        }
        Ok(())
    }

    /// The state as a file.
    pub(crate) async fn backup(&self) -> Result<Vec<u8>, Error> {
        let state = self.store().snapshot();
        let meta = Meta {
            index: state.index(),
            term: self.consensus().status().term,
            taken_at: self.now().into(),
            region: self.config().region.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let work = move || backup::write(&meta, &state);
        self.off_thread(work).await?.map_err(|error| Error::internal(error.to_string()))
    }

    /// Runs what takes long elsewhere.
    pub(crate) async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        apart(work).await.map_err(|error| Error::internal(error.to_string()))
    }

    async fn restore(&self, file: Vec<u8>) -> Result<u64, Error> {
        let refused = |error: backup::Error| Error::bad_request(error.to_string());
        // All of it is read once before the first part is proposed: what cannot be restored changes nothing.
        let check = move || {
            let (meta, checked) = backup::read(&file)?;
            checked.state()?;
            Ok((meta, checked.packed().chunks(PART_BYTES).map(<[u8]>::to_vec).collect::<Vec<_>>()))
        };
        let (meta, parts) = self.off_thread(check).await?.map_err(refused)?;
        warn!(index = meta.index, taken_at = %meta.taken_at.0, "the state is replaced by that of a snapshot");
        let (id, of) = (self.random().number(), u32::try_from(parts.len()).unwrap_or(u32::MAX));
        let mut index = 0;
        for (part, data) in (0..).zip(parts) {
            index = self.propose(Command::StateRestore { id, part, of, data }).await?;
        }
        info!(index, "the state has been replaced");
        Ok(index)
    }
}

impl Handle<SnapshotRestore> for Server {
    async fn handle(&self, caller: Caller, message: SnapshotRestore) -> Result<Option<Written>, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        match self.incoming().take(message)? {
            None => Ok(None),
            Some(file) => Ok(Some(Written { index: self.restore(file).await? })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: u64, offset: u64, data: &[u8], is_last: bool) -> SnapshotRestore {
        SnapshotRestore { id, offset, data: data.to_vec(), is_last }
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_make_a_file_and_only_one_at_a_time() {
        let incoming = Incoming::default();
        assert_eq!(incoming.take(piece(1, 0, b"ab", false)).unwrap(), None);
        assert_eq!(incoming.take(piece(2, 0, b"x", true)).unwrap_err().status, 409);
        assert_eq!(incoming.take(piece(1, 2, b"c", true)).unwrap().unwrap(), b"abc");
        assert_eq!(incoming.take(piece(2, 0, b"x", true)).unwrap().unwrap(), b"x");
        assert_eq!(incoming.take(piece(3, 5, b"x", true)).unwrap_err().status, 400, "a piece is missing");
        incoming.take(piece(4, 0, b"a", false)).unwrap();
        tokio::time::advance(IDLE).await;
        assert_eq!(incoming.take(piece(5, 0, b"b", true)).unwrap().unwrap(), b"b", "the one before is forgotten");
    }
}
