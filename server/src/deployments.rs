//! Looks after roll-outs: goes on when allocations are healthy, promotes, fails, reverts.
//!
//! What to do about one deployment is [`decide()`], a function of the state and the time. The [`Watcher`] asks it whenever a deployment changed and when a
//! deadline passes; between these it sleeps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{ids::DeploymentId, time::UnixNanos};
use drover_runtime::Runtime;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{dirty::Dirty, propose::Propose, state::StateStore};
pub use decide::{Decision, Seen, decide, failure};
pub use requests::DeploymentReply;

mod decide;
pub mod requests;
#[cfg(test)]
mod tests;

/// Changes that come within this time of a look are seen together by the next one.
const GATHER: Duration = Duration::from_millis(25);
/// After a command that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The leader's service that watches all active deployments.
#[derive(Debug)]
pub struct Watcher {
    store: Arc<StateStore>,
    proposer: Arc<dyn Propose>,
    runtime: Runtime,
    changed: Arc<Dirty<DeploymentId>>,
    seen: BTreeMap<DeploymentId, Seen>,
    /// When to look again though nothing changes.
    due: BTreeMap<DeploymentId, UnixNanos>,
}

impl Watcher {
    pub fn new(store: Arc<StateStore>, proposer: Arc<dyn Propose>, runtime: Runtime, changed: Arc<Dirty<DeploymentId>>) -> Self {
        Self { store, proposer, runtime, changed, seen: BTreeMap::new(), due: BTreeMap::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let active: Vec<_> = self.store.snapshot().deployments().filter(|deployment| deployment.is_active()).map(|d| d.id).collect();
        self.changed.extend(active);
        let changed = Arc::clone(&self.changed);
        loop {
            let next = self.due.values().min().copied();
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed.wait() => {}
                () = sleep_until(&self.runtime, next) => {}
            }
            let now = self.runtime.clock.now();
            let mut ids = changed.take();
            ids.extend(self.due.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id));
            self.look_at(ids, now).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Decides about each and commits the decisions side by side, so that they share the log's next write.
    async fn look_at(&mut self, ids: BTreeSet<DeploymentId>, now: UnixNanos) {
        let state = self.store.snapshot();
        let mut commands = Vec::new();
        for id in ids {
            self.due.remove(&id);
            let seen = self.seen.get(&id).copied().unwrap_or_default();
            let Decision { command, next_look, seen, active } = decide(&state, id, seen, now, &*self.runtime.random);
            if active {
                self.seen.insert(id, seen);
                self.due.extend(next_look.map(|at| (id, at)));
            } else {
                self.seen.remove(&id);
            }
            commands.extend(command.map(|command| (id, command)));
        }
        let proposer = &self.proposer;
        let results = join_all(commands.into_iter().map(|(id, command)| async move { (id, proposer.propose(command).await) })).await;
        for (id, result) in results {
            if let Err(error) = result.and_then(|applied| applied.accepted()) {
                warn!(deployment = %id, %error, "a deployment could not go on; trying again");
                self.seen.remove(&id);
                self.due.insert(id, now.plus(RETRY));
            }
        }
    }
}

/// Sleeps until the clock shows `at`, or for ever.
pub(crate) async fn sleep_until(runtime: &Runtime, at: Option<UnixNanos>) {
    match at {
        // A millisecond more, because timers round down and would find that nothing is due yet.
        Some(at) => tokio::time::sleep(at.since(runtime.clock.now()) + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}
