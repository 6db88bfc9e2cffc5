//! Lets changed texts of templates with `change_mode = "rolling"` into the allocations of a group, `max_parallel` at a time.
//!
//! A client that renders a changed text keeps it back and says so, without what it says. The leader then begins a deployment of the kind `templates` and
//! gives allocations their turns; each takes its texts in, restarts and is judged as after any update. What to do next is [`decide()`], a function of the state
//! and the time; all that it goes by is in the state, so that another leader goes on where one left off.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{ids::JobKey, time::UnixNanos};
use drover_runtime::Runtime;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    deployments::sleep_until,
    dirty::Dirty,
    propose::Propose,
    state::{State, StateStore},
};
pub use decide::{Decision, decide};

mod decide;
#[cfg(test)]
mod tests;

/// Changes that come within this time of a look are seen together by the next one: the same key changes on many nodes at once.
const GATHER: Duration = Duration::from_millis(25);
/// After a command that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Whether anything of this job may roll, or rolls still.
pub(crate) fn concerns(state: &State, key: &JobKey) -> bool {
    state.job(key).is_some_and(|job| job.rolls_templates()) || state.active_template_roll(key).is_some()
}

/// The leader's service.
#[derive(Debug)]
pub struct Watcher {
    store: Arc<StateStore>,
    proposer: Arc<dyn Propose>,
    runtime: Runtime,
    changed: Arc<Dirty<JobKey>>,
    /// When to look again though nothing changes.
    due: BTreeMap<JobKey, UnixNanos>,
}

impl Watcher {
    pub fn new(store: Arc<StateStore>, proposer: Arc<dyn Propose>, runtime: Runtime, changed: Arc<Dirty<JobKey>>) -> Self {
        Self { store, proposer, runtime, changed, due: BTreeMap::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let state = self.store.snapshot();
        let rolling = state.jobs().filter(|job| job.rolls_templates()).map(|job| job.key());
        let under_way = state.deployments().filter(|row| row.is_active() && row.is_of_templates()).map(|row| row.job_key());
        self.changed.extend(rolling.chain(under_way).collect::<BTreeSet<_>>());
        drop(state);
        let changed = Arc::clone(&self.changed);
        loop {
            let next = self.due.values().min().copied();
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed.wait() => {}
                () = sleep_until(&self.runtime, next) => {}
            }
            let now = self.runtime.clock.now();
            let mut keys = changed.take();
            keys.extend(self.due.iter().filter(|(_, due)| **due <= now).map(|(key, _)| key.clone()));
            self.look_at(keys, now).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    async fn look_at(&mut self, keys: BTreeSet<JobKey>, now: UnixNanos) {
        let state = self.store.snapshot();
        let mut commands = Vec::new();
        for key in keys {
            self.due.remove(&key);
            let Decision { command, next_look } = decide(&state, &key, now, &*self.runtime.random);
            self.due.extend(next_look.map(|at| (key.clone(), at)));
            commands.extend(command.map(|command| (key, command)));
        }
        drop(state);
        let proposer = &self.proposer;
        let results = join_all(commands.into_iter().map(|(key, command)| async move { (key, proposer.propose(command).await) })).await;
        for (key, result) in results {
            if let Err(error) = result.and_then(|applied| applied.accepted()) {
                warn!(job = %key.id, namespace = %key.namespace, %error, "changed templates could not go on; trying again");
                self.due.insert(key, now.plus(RETRY));
            }
        }
    }
}
