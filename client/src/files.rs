//! Files of a task that the agent reads and writes: where a slow disk holds no thread up that has other things to do, and never after the task's end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use drover_runtime::apart;
use drover_template::{Ownership, WriteError, Written, read_beneath, write_beneath};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many files of a node are worked on at the same time.
const LANES: usize = 8;

/// What all folders of a node share: a thousand templates that are rendered together must not take a thread each.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<Semaphore>);

impl Default for Lanes {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LANES)))
    }
}

/// Why a file of a task could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// Nothing is written any more: what the task leaves is being cleared away.
    #[error("the task has ended")]
    Ended,
    #[error("the work on a file was cut off: {0}")]
    CutOff(io::Error),
}

/// A folder that a task may write to, too: nothing here follows its links.
///
/// What has begun when the task ends is waited for by whoever closes the tracker; nothing begins later.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    lanes: Lanes,
    pending: TaskTracker,
    ended: CancellationToken,
}

impl Folder {
    /// `ended` has to be cancelled before `pending` is waited for.
    pub fn new(root: PathBuf, lanes: Lanes, pending: TaskTracker, ended: CancellationToken) -> Self {
        Self { root, lanes, pending, ended }
    }

    /// As [`write_beneath`].
    pub async fn write(
        &self,
        relative: &Path,
        bytes: impl AsRef<[u8]> + Send + 'static,
        perms: u32,
        owner: Ownership,
    ) -> Result<Written, FileError> {
        let relative = relative.to_owned();
        self.run(move |root| write_beneath(root, &relative, bytes.as_ref(), perms, owner)).await?.map_err(FileError::from)
    }

    /// As [`read_beneath`].
    pub async fn read(&self, relative: &Path, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
        let relative = relative.to_owned();
        self.run(move |root| read_beneath(root, &relative, limit)).await?.map_err(FileError::from)
    }

    /// Does other work on the folder, which `work` is told.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Path) -> T + Send + 'static) -> Result<T, FileError> {
        let lane = Arc::clone(&self.lanes.0).acquire_owned().await.map_err(|closed| FileError::CutOff(io::Error::other(closed)))?;
        let (root, token, ended) = (self.root.clone(), self.pending.token(), self.ended.clone());
        // Whoever waits for this may be gone before it is done: it still takes its lane then, and holds up the end.
        let done = apart(move || {
            let _held = (lane, token);
            if ended.is_cancelled() { None } else { Some(work(&root)) }
        });
        done.await.map_err(FileError::CutOff)?.ok_or(FileError::Ended)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn folder(root: &Path) -> Folder {
        Folder::new(root.to_owned(), Lanes::default(), TaskTracker::new(), CancellationToken::new())
    }

    #[tokio::test]
    async fn files_are_read_and_written_beneath_the_folder_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        assert_eq!(folder.write(Path::new("a/b"), b"one", 0o600, Ownership::default()).await.unwrap(), Written::Changed);
        assert_eq!(folder.write(Path::new("a/b"), b"one", 0o600, Ownership::default()).await.unwrap(), Written::Unchanged);
        assert_eq!(folder.read(Path::new("a/b"), 10).await.unwrap().unwrap(), b"one");
        assert_eq!(folder.read(Path::new("a/c"), 10).await.unwrap(), None);
        let outside = folder.write(Path::new("../b"), b"one", 0o600, Ownership::default()).await.unwrap_err();
        assert!(outside.to_string().contains("escapes its root"), "{outside}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_has_begun_holds_up_the_end_and_nothing_begins_after_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let slow = folder.clone();
        let writer = tokio::spawn(async move {
            let work = move |root: &Path| {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                std::fs::write(root.join("late"), "")
            };
            slow.run(work).await
        });
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
        // Whoever wanted it is gone in the middle of it.
        writer.abort();
        folder.ended.cancel();
        folder.pending.close();
        assert!(!folder.pending.is_empty(), "the end would not wait");
        go_on.send(()).unwrap();
        folder.pending.wait().await;
        assert!(root.path().join("late").exists(), "it was waited for");
        let later = folder.write(Path::new("later"), b"", 0o600, Ownership::default()).await.unwrap_err();
        assert!(matches!(later, FileError::Ended) && !root.path().join("later").exists());
    }
}
