//! What the client must still know after a crash: its allocations, how far each task is, and how its driver finds it again.
//!
//! Records are appended to one file before the client acts on them. They are handed to the kernel and not forced to the disk: they have to outlive the
//! agent, not the machine, because no task outlives the machine either. A damaged or half written record ends the file; what stood before it counts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, TaskState},
    ids::{AllocId, DeploymentId},
    lean,
    secret::SecretText,
};
use drover_runtime::Disk;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::Notify;

use crate::{Error, drivers::TaskHandle, labels::Dynamic};
use log::Log;

mod log;

/// What is remembered of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedTask {
    pub(crate) state: TaskState,
    /// None while it does not run.
    pub(crate) handle: Option<TaskHandle>,
    /// Whether what comes before a first start has been done.
    pub(crate) prepared: bool,
    pub(crate) roll: SavedRoll,
}

/// How far a task's changed templates are that wait for their allocation's turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedRoll {
    /// What turns waiting texts into the name that stands for them. Drawn once, and told to nobody.
    pub(crate) key: SecretText,
    /// What stands for the texts that wait; empty when none do.
    pub(crate) waiting: String,
    /// The turn in which texts were written and the task not restarted yet.
    pub(crate) begun: Option<DeploymentId>,
    /// The last turn that was taken.
    pub(crate) done: Option<DeploymentId>,
}

/// One allocation as it was left.
#[derive(Clone, Debug)]
pub(crate) struct SavedAllocation {
    pub(crate) allocation: Allocation,
    pub(crate) tasks: BTreeMap<String, SavedTask>,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
}

/// The file, or nothing when the node is a throw-away one.
#[derive(Debug)]
pub(crate) struct State {
    log: Option<Mutex<Log>>,
    path: PathBuf,
    bloated: Notify,
}

/// The record of the node's labels.
const LABELS: &str = "labels";
/// The kinds of records of an allocation; the key is `KIND/ALLOCATION[/TASK]`.
const ALLOCATION: &str = "allocation";
const HEALTH: &str = "health";
const TASK: &str = "task";

impl State {
    /// Opens the state in `folder` and reads all of it. Without a folder nothing is kept.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: Option<&Path>) -> Result<(Self, Vec<SavedAllocation>), Error> {
        let Some(folder) = folder else { return Ok((Self { log: None, path: PathBuf::new(), bloated: Notify::new() }, Vec::new())) };
        let path = folder.join("state.log");
        let log = Log::open(disk, path.clone()).map_err(|error| Error::State { path: path.clone(), reason: error.to_string() })?;
        let saved = restore(&log);
        Ok((Self { log: Some(Mutex::new(log)), path, bloated: Notify::new() }, saved))
    }

    pub(crate) fn put_allocation(&self, allocation: &Allocation) {
        self.put(format!("{ALLOCATION}/{}", allocation.id), allocation);
    }

    pub(crate) fn put_labels(&self, labels: &Dynamic) {
        self.put(LABELS.to_owned(), labels);
    }

    /// The labels that were set while an earlier agent ran.
    pub(crate) fn labels(&self) -> Dynamic {
        let Some(log) = &self.log else { return Dynamic::new() };
        value(&log.lock().unwrap_or_else(PoisonError::into_inner), LABELS).unwrap_or_default()
    }

    pub(crate) fn put_health(&self, alloc: AllocId, status: &AllocDeploymentStatus) {
        self.put(format!("{HEALTH}/{alloc}"), status);
    }

    /// The allocation is part of another deployment now, which judges it anew.
    pub(crate) fn forget_health(&self, alloc: AllocId) {
        self.with(|log| log.append(&format!("{HEALTH}/{alloc}"), None));
    }

    pub(crate) fn put_task(&self, alloc: AllocId, task: &str, saved: &SavedTask) {
        self.put(format!("{TASK}/{alloc}/{task}"), saved);
    }

    /// Forgets all of an allocation.
    pub(crate) fn remove(&self, alloc: AllocId) {
        self.with(|log| {
            let id = alloc.to_string();
            for key in log.keys().filter(|key| key.split('/').nth(1) == Some(&id)).map(str::to_owned).collect::<Vec<_>>() {
                log.append(&key, None)?;
            }
            Ok(())
        });
    }

    fn put<T: Serialize + DeserializeOwned>(&self, key: String, value: &T) {
        self.with(|log| {
            let bytes = lean::to_vec(value).map_err(std::io::Error::other)?;
            log.append(&key, Some(&bytes))
        });
    }

    /// Resolves when the file has become large for what counts in it.
    pub(crate) async fn bloated(&self) {
        self.bloated.notified().await;
    }

    /// Writes the file anew. What waits for the disk does not hold up those who append meanwhile; for one at a time, on a thread that may be held up.
    pub(crate) fn compact(&self) {
        let Some(log) = &self.log else { return };
        let lock = || log.lock().unwrap_or_else(PoisonError::into_inner);
        let anew = {
            let log = lock();
            if !log.is_bloated() {
                return;
            }
            log.anew()
        };
        if let Err(error) = anew.write().and_then(|()| lock().replace(&anew)) {
            tracing::error!(path = %self.path.display(), %error, "the client's state cannot be written anew; it goes on growing");
        }
    }

    /// A disk that takes no more must not stop tasks: the client goes on and says so.
    fn with(&self, action: impl FnOnce(&mut Log) -> std::io::Result<()>) {
        let Some(log) = &self.log else { return };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = action(&mut log) {
            tracing::error!(path = %self.path.display(), %error, "the client's state cannot be written; after a crash of the agent it would be out of date");
        }
        if log.is_bloated() {
            self.bloated.notify_one();
        }
    }
}

fn restore(log: &Log) -> Vec<SavedAllocation> {
    let mut found: BTreeMap<String, SavedAllocation> = BTreeMap::new();
    // Keys are sorted, so an allocation comes before what belongs to it.
    for key in log.keys() {
        let mut parts = key.splitn(3, '/');
        let (Some(kind), Some(id)) = (parts.next(), parts.next()) else { continue };
        if kind == ALLOCATION {
            if let Some(allocation) = value::<Allocation>(log, key) {
                found.insert(id.to_owned(), SavedAllocation { allocation, tasks: BTreeMap::new(), deployment_status: None });
            }
            continue;
        }
        let Some(saved) = found.get_mut(id) else { continue };
        match (kind, parts.next()) {
            (HEALTH, _) => saved.deployment_status = value(log, key),
            (TASK, Some(task)) => saved.tasks.extend(value(log, key).map(|saved| (task.to_owned(), saved))),
            _ => {}
        }
    }
    found.into_values().collect()
}

fn value<T: DeserializeOwned>(log: &Log, key: &str) -> Option<T> {
    let bytes = log.read(key).inspect_err(|error| tracing::error!(key, %error, "a record of the client's state cannot be read")).ok()??;
    rmp_serde::from_slice(&bytes).inspect_err(|error| tracing::error!(key, %error, "a record of the client's state makes no sense")).ok()
}

#[cfg(test)]
mod tests {
    use drover_runtime::RealDisk;

    use super::*;
    use crate::limits;

    fn open(folder: &Path) -> (State, Vec<SavedAllocation>) {
        State::open(Arc::new(RealDisk), Some(folder)).unwrap()
    }

    fn allocation(byte: u8) -> Allocation {
        let job = drover_model::job::Job { id: "web".into(), ..drover_model::job::Job::default() };
        Allocation { id: AllocId::from_random([byte; 16]), job: Arc::new(job), ..Allocation::default() }
    }

    #[test]
    fn what_was_put_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let (state, found) = open(folder.path());
        assert!(found.is_empty());
        let (one, two) = (allocation(1), allocation(2));
        let handle = TaskHandle { driver: "raw_exec".to_owned(), bytes: vec![1, 2] };
        let task = SavedTask { handle: Some(handle), prepared: true, ..SavedTask::default() };
        let health = AllocDeploymentStatus { healthy: Some(true), ..AllocDeploymentStatus::default() };
        state.put_allocation(&one);
        state.put_allocation(&two);
        state.put_task(one.id, "a/b", &SavedTask::default());
        state.put_task(one.id, "a/b", &task);
        state.put_health(one.id, &health);
        state.put_task(two.id, "x", &task);
        state.remove(two.id);
        let labels = Dynamic::from([("zone".to_owned(), Some("z1".to_owned())), ("rack".to_owned(), None)]);
        state.put_labels(&labels);
        drop(state);

        let (state, found) = open(folder.path());
        assert_eq!(state.labels(), labels);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].allocation, one);
        assert_eq!(found[0].tasks, BTreeMap::from([("a/b".to_owned(), task)]));
        assert_eq!(found[0].deployment_status, Some(health));
    }

    #[test]
    fn a_torn_end_is_cut_and_the_rest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _) = open(folder.path());
        state.put_allocation(&allocation(1));
        state.put_allocation(&allocation(2));
        drop(state);
        let path = folder.path().join("state.log");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let (state, found) = open(folder.path());
        assert_eq!(found.len(), 1);
        state.put_allocation(&allocation(3));
        drop(state);
        assert_eq!(open(folder.path()).1.len(), 2);
    }

    #[test]
    fn what_comes_while_the_file_is_written_anew_is_in_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _) = open(folder.path());
        let bytes = |byte: u8, len: usize| SavedTask {
            handle: Some(TaskHandle { driver: String::new(), bytes: vec![byte; len] }),
            ..SavedTask::default()
        };
        let (one, two) = (allocation(1), allocation(2));
        state.put_allocation(&one);
        (0..30).for_each(|number| state.put_task(one.id, "t", &bytes(number, 200_000)));
        let log = state.log.as_ref().unwrap();
        assert!(log.lock().unwrap().is_bloated());
        let anew = log.lock().unwrap().anew();
        // Before it is written, while it is written, and before it takes the file's place.
        state.put_task(one.id, "t", &bytes(40, 10));
        anew.write().unwrap();
        state.put_allocation(&two);
        log.lock().unwrap().replace(&anew).unwrap();
        state.put_task(two.id, "t", &bytes(50, 20));
        let size = std::fs::metadata(folder.path().join("state.log")).unwrap().len();
        assert!(size < 500_000, "{size}");
        state.compact();
        drop(state);
        let found = open(folder.path()).1;
        assert_eq!(found.iter().map(|saved| &saved.allocation).collect::<Vec<_>>(), [&one, &two]);
        assert_eq!((&found[0].tasks["t"], &found[1].tasks["t"]), (&bytes(40, 10), &bytes(50, 20)));
    }

    #[test]
    fn the_file_stays_small_however_often_a_record_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _) = open(folder.path());
        let large = SavedTask { handle: Some(TaskHandle { driver: String::new(), bytes: vec![7; 200_000] }), ..SavedTask::default() };
        state.put_allocation(&allocation(1));
        for _ in 0..100 {
            state.put_task(allocation(1).id, "t", &large);
        }
        let size = || std::fs::metadata(folder.path().join("state.log")).unwrap().len();
        assert!(size() < 5 * limits::STATE_SLACK_BYTES, "it is bounded where nobody writes it anew: {}", size());
        state.compact();
        assert!(size() < limits::STATE_SLACK_BYTES + 1_000_000, "{}", size());
        drop(state);
        assert_eq!(open(folder.path()).1[0].tasks["t"], large);
    }
}
