//! Snapshots that the leader writes by itself, into a folder where the newest ones stay.

use std::{path::PathBuf, sync::Arc};

use drover_model::rpc::Error;
use drover_runtime::Disk;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{Server, config::ScheduledSnapshots};

const BEGINNING: &str = "drover-";
const END: &str = ".snap";

/// Writes one whenever the interval has passed, as long as this server leads.
pub(crate) async fn run(server: Arc<Server>, stop: CancellationToken) {
    let Some(config) = server.config().snapshots.clone() else { return };
    let mut ticks = tokio::time::interval_at(Instant::now() + config.interval, config.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if !server.is_leader() {
            continue;
        }
        match server.write_snapshot(&config).await {
            Ok(path) => info!(path = %path.display(), "wrote a scheduled snapshot"),
            Err(error) => error!(folder = %config.folder.display(), %error, "cannot write a scheduled snapshot"),
        }
    }
}

impl Server {
    async fn write_snapshot(&self, config: &ScheduledSnapshots) -> Result<PathBuf, Error> {
        self.ensure_leading().await?;
        let file = self.backup().await?;
        // Sorted by name is sorted by time.
        let name = format!("{BEGINNING}{:020}{END}", self.now().0);
        let (path, folder, retain) = (config.folder.join(name), config.folder.clone(), config.retain);
        let disk = Arc::clone(&self.runtime().disk);
        let written = path.clone();
        let work = move || {
            disk.create_dir_all(&folder)?;
            disk.write_atomic(&written, &file)?;
            forget_old(&*disk, &folder, retain)
        };
        self.off_thread(work).await?.map_err(|error| Error::internal(error.to_string()))?;
        Ok(path)
    }
}

fn forget_old(disk: &dyn Disk, folder: &std::path::Path, retain: usize) -> std::io::Result<()> {
    let is_ours = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(BEGINNING) && name.ends_with(END))
    };
    let snapshots: Vec<PathBuf> = disk.list(folder)?.into_iter().filter(is_ours).collect();
    let old = snapshots.len().saturating_sub(retain);
    snapshots[..old].iter().try_for_each(|path| disk.remove(path))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use drover_runtime::MemoryDisk;

    use super::*;

    #[test]
    fn the_newest_stay_and_other_files_are_let_alone() {
        let (disk, folder) = (MemoryDisk::new(), Path::new("/snapshots"));
        disk.create_dir_all(folder).unwrap();
        for name in ["drover-00000000000000000001.snap", "drover-00000000000000000009.snap", "drover-00000000000000000005.snap", "a.txt"] {
            disk.write_atomic(&folder.join(name), b"x").unwrap();
        }
        forget_old(&disk, folder, 2).unwrap();
        let names: Vec<_> =
            disk.list(folder).unwrap().into_iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.txt", "drover-00000000000000000005.snap", "drover-00000000000000000009.snap"]);
    }
}
