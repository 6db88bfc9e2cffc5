//! Tasks: each has a runner that takes it through its hooks, starts it, watches it and starts it again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::{
    allocation::{TaskEvent, TaskState},
    spec::format_duration,
    time::nanos_of,
};
use tokio::sync::{oneshot, watch};

pub(crate) use runner::{Runner, Start};
pub(crate) use scope::Scope;

pub(crate) mod events;
mod hooks;
mod restart;
mod rolls;
mod runner;
mod scope;

/// As job files write it: `1h30m0s`, `250ms`.
pub(crate) fn duration_text(duration: Duration) -> String {
    format_duration(nanos_of(duration))
}

/// What others ask of a task's runner.
#[derive(Debug)]
pub(crate) enum Control {
    /// Stop and start again, which no policy counts.
    Restart {
        event: TaskEvent,
        reply: Option<oneshot::Sender<Result<(), String>>>,
    },
    /// Counted by the restart policy, as if it had failed by itself.
    Fail {
        event: TaskEvent,
    },
    /// Stop and count as failed, for good.
    Doom {
        event: TaskEvent,
    },
    Signal {
        signal: String,
        event: TaskEvent,
        reply: Option<oneshot::Sender<Result<(), String>>>,
    },
}

/// That a task shall end for good.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kill {
    /// Why, when it is not the allocation's own stop.
    pub(crate) event: Option<TaskEvent>,
    pub(crate) without_delay: bool,
    /// Nothing is waited for: whatever the task is doing, it is killed.
    pub(crate) at_once: bool,
}

/// The states of one allocation's tasks, and word that they have changed.
#[derive(Debug)]
pub(crate) struct Board {
    states: Mutex<BTreeMap<String, TaskState>>,
    rolls: Mutex<rolls::Rolls>,
    version: watch::Sender<u64>,
}

impl Board {
    pub(crate) fn new(states: BTreeMap<String, TaskState>) -> Self {
        Self { states: Mutex::new(states), rolls: Mutex::default(), version: watch::channel(0).0 }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, TaskState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn update(&self, task: &str, change: impl FnOnce(&mut TaskState)) -> TaskState {
        let mut states = self.lock();
        let state = states.entry(task.to_owned()).or_default();
        change(state);
        let state = state.clone();
        drop(states);
        self.version.send_modify(|version| *version += 1);
        state
    }

    pub(crate) fn get(&self, task: &str) -> Option<TaskState> {
        self.lock().get(task).cloned()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, TaskState> {
        self.lock().clone()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
