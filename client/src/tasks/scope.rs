//! What a task's runner and its hooks share.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use drover_model::{
    allocation::{Allocation, TaskEvent},
    ids::AllocId,
    job::{Task, TaskGroup},
    secret::SecretText,
    time::UnixNanos,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Board, Control};
use crate::{
    drivers::{Driver, TaskConfig, TaskDirs, TaskHandle},
    environment::{Environment, Inputs},
    files::Folder,
    shared::Shared,
    state::SavedTask,
};

/// Variables that came from hooks, in the order in which they count.
#[derive(Default)]
struct Added {
    identities: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
    /// Of each template, by its place in the job.
    templates: BTreeMap<usize, Vec<(String, String)>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Identity,
    Token,
}

pub(crate) struct Scope {
    pub(crate) shared: Arc<Shared>,
    pub(crate) alloc_id: AllocId,
    pub(crate) name: String,
    pub(crate) dirs: TaskDirs,
    pub(crate) driver: Option<Arc<dyn Driver>>,
    pub(crate) board: Arc<Board>,
    pub(crate) allocation: watch::Receiver<Arc<Allocation>>,
    pub(crate) control: mpsc::Sender<Control>,
    /// Ends all that is done beside the task, for good.
    pub(crate) stop: CancellationToken,
    /// Ends what the hooks of the present preparation do; see [`Scope::renew_hooks`].
    hooks: Mutex<CancellationToken>,
    running: Mutex<Option<(TaskConfig, TaskHandle)>>,
    /// What hooks do beside the task.
    pub(crate) background: TaskTracker,
    pub(crate) vault_token: watch::Sender<SecretText>,
    pub(crate) identity: watch::Sender<SecretText>,
    pub(crate) consul_token: watch::Sender<SecretText>,
    /// Told by whoever was refused with the token.
    pub(crate) vault_doubt: Arc<Notify>,
    pub(crate) consul_doubt: Arc<Notify>,
    added: Mutex<Added>,
    saved: Mutex<SavedTask>,
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.alloc_id, self.name)
    }
}

impl Scope {
    pub(crate) fn new(
        shared: Arc<Shared>,
        allocation: watch::Receiver<Arc<Allocation>>,
        task: &Task,
        board: Arc<Board>,
        control: mpsc::Sender<Control>,
        saved: SavedTask,
    ) -> Self {
        let alloc_id = allocation.borrow().id;
        let driver = shared.drivers.get(&task.driver).cloned();
        let dirs = TaskDirs::new(&shared.alloc_root(alloc_id), &task.name);
        let token = || watch::channel(SecretText::default()).0;
        let stop = shared.shutdown.child_token();
        board.set_waiting(&task.name, &saved.roll.waiting);
        if let Some(turn) = saved.roll.done {
            board.set_taken(&task.name, turn);
        }
        Self {
            shared,
            alloc_id,
            name: task.name.clone(),
            dirs,
            driver,
            board,
            allocation,
            control,
            hooks: Mutex::new(stop.child_token()),
            running: Mutex::default(),
            background: TaskTracker::new(),
            stop,
            vault_token: token(),
            identity: token(),
            consul_token: token(),
            vault_doubt: Arc::default(),
            consul_doubt: Arc::default(),
            added: Mutex::default(),
            saved: Mutex::new(saved),
        }
    }

    pub(crate) fn now(&self) -> UnixNanos {
        self.shared.now()
    }

    pub(crate) fn allocation(&self) -> Arc<Allocation> {
        Arc::clone(&self.allocation.borrow())
    }

    /// The task as the newest version of the job has it.
    pub(crate) fn task(&self) -> Task {
        let allocation = self.allocation();
        allocation.group().and_then(|group| group.task(&self.name)).cloned().unwrap_or_default()
    }

    pub(crate) fn event(&self, event: TaskEvent) {
        self.board.update(&self.name, |state| state.push(event));
    }

    pub(crate) fn saved(&self) -> SavedTask {
        self.lock_saved().clone()
    }

    /// Changes what is remembered of the task, and writes it down with its state.
    pub(crate) fn save(&self, change: impl FnOnce(&mut SavedTask)) {
        let saved = {
            let mut saved = self.lock_saved();
            change(&mut saved);
            saved.state = self.board.get(&self.name).unwrap_or_default();
            saved.clone()
        };
        self.shared.state.put_task(self.alloc_id, &self.name, &saved);
    }

    fn lock_saved(&self) -> MutexGuard<'_, SavedTask> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_added(&self) -> MutexGuard<'_, Added> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The running task as its driver knows it; none while it does not run.
    pub(crate) fn running(&self) -> Option<(TaskConfig, TaskHandle)> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_running(&self, running: Option<(TaskConfig, TaskHandle)>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// Ends what the hooks do, so that they can be set going anew.
    pub(crate) fn renew_hooks(&self) {
        let old = std::mem::replace(&mut *self.lock_hooks(), self.stop.child_token());
        old.cancel();
    }

    /// Does something beside the task, until its hooks are renewed or it ends.
    pub(crate) fn beside(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let until = self.lock_hooks().clone();
        self.background.spawn(until.run_until_cancelled_owned(work));
    }

    fn lock_hooks(&self) -> MutexGuard<'_, CancellationToken> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder of the task, to read and write in as long as it lives.
    pub(crate) fn folder(&self, root: &Path) -> Folder {
        Folder::new(root.to_owned(), self.shared.lanes.clone(), self.background.clone(), self.stop.clone())
    }

    pub(crate) fn add(&self, origin: Origin, variables: impl IntoIterator<Item = (String, String)>) {
        let mut added = self.lock_added();
        match origin {
            Origin::Identity => added.identities.extend(variables),
            Origin::Token => added.tokens.extend(variables),
        }
    }

    pub(crate) fn set_template(&self, index: usize, variables: Vec<(String, String)>) {
        self.lock_added().templates.insert(index, variables);
    }

    /// What the task would find in its environment if it started now.
    pub(crate) fn environment(&self) -> Environment {
        let allocation = self.allocation();
        let node = self.shared.node();
        let fallback = TaskGroup::default();
        let group = allocation.group().unwrap_or(&fallback);
        let added: BTreeMap<String, String> = {
            let added = self.lock_added();
            let templates = added.templates.values().flatten().cloned();
            added.identities.clone().into_iter().chain(added.tokens.clone()).chain(templates).collect()
        };
        let inherits = self.driver.as_ref().is_some_and(|driver| driver.inherits_environment());
        Environment::build(Inputs {
            node: &node,
            region: &self.shared.config.region,
            allocation: &allocation,
            group,
            task: group.task(&self.name),
            dirs: Some(&self.dirs),
            host: inherits.then_some(&self.shared.config.host_env),
            denied: &self.shared.config.denied_env,
            added: &added,
        })
    }
}
