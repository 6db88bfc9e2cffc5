//! Whether the disk has room for more of the log and for the next snapshot.
//!
//! A server takes no more commands while there is still some room, which it keeps for what must not fail: votes, the entries of a leader that has room, and a snapshot,
//! after which the log can be shortened. When even that is gone, whatever has to be written waits (in `log::writer` and `machine`) until there is some: openraft takes
//! an error of its storage for the end of the server, and a full disk is not worth that.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use drover_runtime::{Disk, apart};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Error;

/// Between two looks at the disk.
const LOOK: Duration = Duration::from_millis(500);
/// Before what found no room is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(250);
/// What is kept free beside the room for another snapshot: two segments of the log.
const KEPT_BYTES: u64 = 64 << 20;
/// On a small disk, no more than this part of it is kept free.
const KEPT_PART: u64 = 10;

/// How much room there is for the log and the snapshot, and who waits for some.
pub(super) struct Headroom {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// What commands may take until the disk is looked at again.
    left: AtomicU64,
    /// For people: what was free, and what of it is kept.
    found: Mutex<(u64, u64)>,
    short: AtomicBool,
    snapshot_bytes: AtomicU64,
    log_waits: watch::Sender<bool>,
    /// Why commands would not come to a majority's disks, though this server's has room.
    elsewhere: Mutex<Option<String>>,
    stop: CancellationToken,
}

impl fmt::Debug for Headroom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headroom").field("folder", &self.folder).field("left", &self.left).finish_non_exhaustive()
    }
}

impl Headroom {
    /// Of the disk that `folder` is on. Until it is looked at, there is taken to be room.
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Self {
            disk,
            folder: folder.to_owned(),
            left: AtomicU64::new(u64::MAX),
            found: Mutex::default(),
            short: AtomicBool::new(false),
            snapshot_bytes: AtomicU64::new(0),
            log_waits: watch::Sender::new(false),
            elsewhere: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Looks at the disk again and again, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let looking = Arc::clone(&self);
            if let Err(error) = apart(move || looking.look()).await {
                tracing::warn!(%error, "cannot look how much room the disk has");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Looks how much room there is. Blocks, as disks do.
    pub(super) fn look(&self) {
        let room = match self.disk.room(&self.folder) {
            Ok(room) => room,
            Err(error) => return tracing::warn!(folder = %self.folder.display(), %error, "cannot look how much room the disk has"),
        };
        let wanted = KEPT_BYTES.saturating_add(self.snapshot_bytes.load(Ordering::Relaxed));
        let kept = wanted.min(room.total_bytes / KEPT_PART);
        let left = room.free_bytes.saturating_sub(kept);
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = (room.free_bytes, kept);
        self.left.store(left, Ordering::Relaxed);
        let (short, before) = (left == 0, self.short.swap(left == 0, Ordering::Relaxed));
        if short && !before {
            tracing::warn!("{}", self.own());
        } else if before && !short {
            tracing::info!(folder = %self.folder.display(), free = show(room.free_bytes), "the disk has room again; writes are accepted");
        }
    }

    /// How large the newest snapshot is: the next one needs as much while both are there.
    pub(super) fn set_snapshot(&self, bytes: usize) {
        self.snapshot_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// Takes the room that commands of `bytes` need.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Error> {
        if self.log_waits() {
            return Err(Error::Full(self.own()));
        }
        let bytes = bytes as u64;
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes).filter(|rest| *rest > 0));
        taken.map_err(|_| Error::Full(self.own()))?;
        match &*self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(Error::Full(why.clone())),
            None => Ok(()),
        }
    }

    /// Says that commands would not come to a majority's disks, or that they do again.
    pub(super) fn set_elsewhere(&self, why: Option<String>) {
        *self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether this server should rather not lead.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed) || self.log_waits()
    }

    /// Whether the log itself waits for room, so that nothing at all can be agreed on with this server.
    pub(super) fn log_waits(&self) -> bool {
        *self.log_waits.borrow()
    }

    pub(super) fn set_log_waits(&self, waits: bool) {
        let changed = self.log_waits.send_if_modified(|before| std::mem::replace(before, waits) != waits);
        if changed && waits {
            tracing::error!(folder = %self.folder.display(), "the disk is full: the log waits for room, and this server takes no part until there is some");
        } else if changed {
            tracing::info!(folder = %self.folder.display(), "the disk has room again: the log is written, and this server takes part");
        }
    }

    /// Resolves when the log has come to wait for room.
    pub(super) async fn until_log_waits(&self) -> Error {
        let mut changes = self.log_waits.subscribe();
        // The sender lives as long as this.
        let _ = changes.wait_for(|waits| *waits).await;
        Error::Full(format!("{}; this write may still be done once there is room", self.own()))
    }

    fn own(&self) -> String {
        let (free, kept) = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        format!(
            "disk full: {} free in {}, where this server keeps {} for its log and snapshots. Writes are refused until there is more room, reads go on",
            show(free),
            self.folder.display(),
            show(kept)
        )
    }

    /// Nobody waits for room any more: this server stops.
    pub(super) fn give_up(&self) {
        self.stop.cancel();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits a moment for room; false when nobody shall wait any more.
    pub(super) async fn pause(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(RETRY) => true,
        }
    }
}

fn show(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use drover_runtime::MemoryDisk;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn headroom(capacity: u64, used: u64, snapshot: u64) -> Headroom {
        let (disk, folder) = (MemoryDisk::new(), Path::new("/raft"));
        disk.create_dir_all(folder).unwrap();
        disk.write_atomic(&folder.join("file"), &vec![0; used as usize]).unwrap();
        disk.set_capacity(Some(capacity));
        let headroom = Headroom::new(Arc::new(disk), folder);
        headroom.set_snapshot(snapshot as usize);
        headroom.look();
        headroom
    }

    #[test]
    fn some_room_is_kept() {
        for (name, capacity, used, snapshot, left) in [
            ("a tenth of a small disk", 10 * MIB, 2 * MIB, 0, 7 * MIB),
            ("of which nothing is left", 10 * MIB, 9 * MIB, 0, 0),
            ("two segments of a large one", 1000 * MIB, MIB, 0, 935 * MIB),
            ("and a snapshot", 1000 * MIB, MIB, 30 * MIB, 905 * MIB),
            ("at most a tenth", 1000 * MIB, MIB, 500 * MIB, 899 * MIB),
        ] {
            let headroom = headroom(capacity, used, snapshot);
            assert_eq!(headroom.left.load(Ordering::Relaxed), left, "{name}");
            assert_eq!(headroom.is_short(), left == 0, "{name}");
        }
    }

    #[test]
    fn what_is_taken_is_gone_until_the_next_look() {
        let headroom = headroom(10 * MIB, 2 * MIB, 0);
        for _ in 0..6 {
            headroom.take(MIB as usize).unwrap();
        }
        let Err(Error::Full(text)) = headroom.take(2 * MIB as usize) else { panic!("there is no room for it") };
        assert!(text.starts_with("disk full: 8 MiB free in /raft, where this server keeps 1 MiB"), "{text}");
        headroom.look();
        headroom.take(2 * MIB as usize).unwrap();
        headroom.set_elsewhere(Some("disk full: on b and c".into()));
        assert_eq!(headroom.take(1).unwrap_err().to_string(), "disk full: on b and c");
        headroom.set_elsewhere(None);
        headroom.set_log_waits(true);
        assert!(headroom.is_short() && headroom.take(1).is_err());
    }
}
