//! Removing what is left on disk of allocations that have ended.

use std::{io, path::Path};

use nix::sys::statvfs::statvfs;

use super::{AllocId, Handle, Instant};

impl Handle {
    /// Removes an ended allocation's folder and forgets it.
    pub(super) async fn remove(&self, id: AllocId) {
        let Ok(_permit) = self.inner.destroys.acquire().await else { return };
        let root = self.inner.shared.alloc_root(id);
        let removed = {
            let root = root.clone();
            tokio::task::spawn_blocking(move || remove_tree(&root)).await
        };
        if let Ok(Err(error)) = removed {
            tracing::error!(path = %root.display(), %error, "what is left of an allocation could not be removed");
        }
        self.inner.shared.state.remove(id);
        self.inner.lock().remove(&id);
        tracing::debug!(alloc = %id, "an allocation is forgotten");
    }

    /// Ended allocations, those that ended first in front.
    fn ended(&self) -> Vec<AllocId> {
        let held = self.inner.lock();
        let mut ended: Vec<(Instant, AllocId)> =
            held.iter().filter(|(_, held)| !held.going).filter_map(|(id, held)| Some((held.ended_at?, *id))).collect();
        ended.sort();
        ended.into_iter().map(|(_, id)| id).collect()
    }

    /// Removes one allocation that has ended; false when it has not, or is not here.
    pub(crate) fn collect_one(&self, id: AllocId) -> bool {
        let may = self.inner.lock().get(&id).is_some_and(|held| held.has_ended());
        if may {
            self.destroy(id);
        }
        may
    }

    pub(crate) fn collect_all(&self) {
        for id in self.ended() {
            self.destroy(id);
        }
    }

    /// More than so many ended allocations are not kept.
    pub(super) fn collect_excess(&self) {
        let ended = self.ended();
        let excess = ended.len().saturating_sub(self.inner.shared.config.gc_max_allocs);
        for id in ended.into_iter().take(excess) {
            self.destroy(id);
        }
    }

    pub(super) async fn collect_regularly(self) {
        let config = &self.inner.shared.config;
        let pause = config.gc_interval.max(std::time::Duration::from_secs(1));
        loop {
            tokio::time::sleep(pause).await;
            if is_full(&config.alloc_dir, config.gc_disk_usage_threshold, config.gc_inode_usage_threshold) {
                // One at a time: the next look tells whether that was enough.
                if let Some(oldest) = self.ended().first() {
                    self.destroy(*oldest);
                }
            }
        }
    }
}

/// Whether the disk is fuller than its operator likes, in percent.
fn is_full(path: &Path, most_bytes: f64, most_inodes: f64) -> bool {
    let Ok(disk) = statvfs(path) else { return false };
    let used = |all: u64, free: u64| if all == 0 { 0.0 } else { 100.0 * (all.saturating_sub(free)) as f64 / all as f64 };
    used(disk.blocks(), disk.blocks_available()) > most_bytes || used(disk.files(), disk.files_available()) > most_inodes
}

fn remove_tree(root: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(root) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
