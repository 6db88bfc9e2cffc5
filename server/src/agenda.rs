//! What somebody has to look at, and when: as soon as it changes, or at a time.

use std::{collections::BTreeSet, fmt::Display, sync::Arc, time::Duration};

use drover_model::time::UnixNanos;
use drover_runtime::Runtime;
use futures::future::join_all;
use tokio::time::Instant;

use crate::{dirty::Dirty, fsm::command::Command, propose::Propose, timers::Timers};

/// Changes that come within this time after a look are seen together by the next one: one command of a job reaches many nodes at once.
const GATHER: Duration = Duration::from_millis(25);
/// After a command that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The things of one kind that one service of the leader looks after.
#[derive(Debug)]
pub(crate) struct Agenda<K> {
    changed: Arc<Dirty<K>>,
    /// When to look again though nothing changes.
    due: Timers<K, UnixNanos>,
    /// The next look is not before this.
    gathers_until: Instant,
}

impl<K: Ord + Clone> Agenda<K> {
    pub(crate) fn new(changed: Arc<Dirty<K>>) -> Self {
        Self { changed, due: Timers::default(), gathers_until: Instant::now() }
    }

    pub(crate) fn extend(&self, keys: impl IntoIterator<Item = K>) {
        self.changed.extend(keys);
    }

    /// Waits until something is to be looked at. What comes is not due any more.
    pub(crate) async fn next(&mut self, runtime: &Runtime) -> BTreeSet<K> {
        tokio::time::sleep_until(self.gathers_until).await;
        let next = self.due.first().map(|(due, _)| *due);
        tokio::select! {
            () = self.changed.wait() => {}
            () = sleep_until(runtime, next) => {}
        }
        self.gathers_until = Instant::now() + GATHER;
        let now = runtime.clock.now();
        let mut keys = self.changed.take();
        keys.extend(self.due.due_at(now).cloned());
        keys.iter().for_each(|key| self.due.remove(key));
        keys
    }

    pub(crate) fn look_again(&mut self, key: K, at: UnixNanos) {
        self.due.set(key, at);
    }

    /// Commits what was decided side by side, so that it shares the log's next write. What failed is looked at again soon, and returned.
    pub(crate) async fn commit(
        &mut self,
        runtime: &Runtime,
        proposer: &dyn Propose,
        commands: Vec<(K, Command)>,
    ) -> Vec<(K, impl Display)> {
        let propose = |(key, command)| async move { (key, proposer.propose(command).await.and_then(|applied| applied.accepted())) };
        let results = join_all(commands.into_iter().map(propose)).await;
        let failed: Vec<_> = results.into_iter().filter_map(|(key, result)| Some((key, result.err()?))).collect();
        let at = runtime.clock.now().plus(RETRY);
        failed.iter().for_each(|(key, _)| self.look_again(key.clone(), at));
        failed
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
