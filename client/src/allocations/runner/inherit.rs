//! The allocation before, on the same node: a new one waits for its end where both write a volume, or where it takes over its data (`ephemeral_disk { sticky = true }`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tokio::sync::watch;

use super::Runner;
use crate::drivers::TaskDirs;

/// The allocation before.
#[derive(Debug)]
pub(crate) struct Previous {
    pub(crate) ended: watch::Receiver<bool>,
    /// Where its data are; none: they are not taken over.
    pub(crate) root: Option<PathBuf>,
}

impl Runner {
    /// Waits until the allocation before has ended, and takes its data. False: this one is to end before that.
    pub(super) async fn inherit(&mut self, previous: Previous) -> bool {
        let Previous { mut ended, root } = previous;
        let mut allocation = self.allocation.clone();
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => {}
            _ = allocation.wait_for(|allocation| allocation.is_server_terminal()) => return false,
        }
        let Some(root) = root else { return true };
        let current = self.current();
        let names: Vec<String> =
            current.group().map(|group| group.tasks.iter().map(|task| task.name.clone()).collect()).unwrap_or_default();
        let own = self.shared.alloc_root(current.id);
        let (alloc, moved) = (current.id, tokio::task::spawn_blocking(move || take_over(&root, &own, &names)).await);
        if let Ok(Err(error)) = moved {
            tracing::error!(%alloc, %error, "the data of the allocation before could not be taken over; this one starts without");
        }
        true
    }
}

fn take_over(from: &Path, to: &Path, tasks: &[String]) -> io::Result<()> {
    fs::create_dir_all(to.join("alloc"))?;
    rename(&from.join("alloc/data"), &to.join("alloc/data"))?;
    for task in tasks {
        let (old, new) = (TaskDirs::new(from, task), TaskDirs::new(to, task));
        fs::create_dir_all(&new.task)?;
        rename(&old.local, &new.local)?;
    }
    Ok(())
}

/// Once: what is there already was taken over before. A link in the place of a folder is left behind.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(from).is_ok_and(|meta| meta.is_dir());
    if is_folder && fs::symlink_metadata(to).is_err() { fs::rename(from, to) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_moves_once() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        for file in ["alloc/data/shared", "app/local/own", "app/secrets/key"] {
            let path = from.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "1").unwrap();
        }
        let tasks = ["app".to_owned(), "new".to_owned()];
        take_over(&from, &to, &tasks).unwrap();
        assert!(to.join("alloc/data/shared").exists() && to.join("app/local/own").exists());
        assert!(!to.join("app/secrets").exists(), "secrets are each allocation's own");
        fs::write(to.join("app/local/own"), "2").unwrap();
        take_over(&from, &to, &tasks).unwrap();
        assert_eq!(fs::read_to_string(to.join("app/local/own")).unwrap(), "2");
    }
}
