//! Looks after roll-outs: goes on when allocations are healthy, promotes, fails, reverts.
//!
//! What to do about one deployment is [`decide()`], a function of the state and the time. The [`Watcher`] asks it whenever a deployment changed and when a
//! deadline passes; between these it sleeps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::ids::DeploymentId;
use drover_runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{agenda::Agenda, dirty::Dirty, propose::Propose, state::StateStore};
pub use decide::{Decision, Seen, decide, failure};
pub use requests::DeploymentReply;

mod decide;
pub mod requests;
#[cfg(test)]
mod tests;

/// The leader's service that watches all active deployments.
#[derive(Debug)]
pub struct Watcher {
    store: Arc<StateStore>,
    proposer: Arc<dyn Propose>,
    runtime: Runtime,
    agenda: Agenda<DeploymentId>,
    seen: BTreeMap<DeploymentId, Seen>,
}

impl Watcher {
    pub fn new(store: Arc<StateStore>, proposer: Arc<dyn Propose>, runtime: Runtime, changed: Arc<Dirty<DeploymentId>>) -> Self {
        Self { store, proposer, runtime, agenda: Agenda::new(changed), seen: BTreeMap::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        self.agenda.extend(self.store.snapshot().deployments().filter(|deployment| deployment.is_active()).map(|d| d.id));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                ids = self.agenda.next(&self.runtime) => self.look_at(ids).await,
            }
        }
    }

    async fn look_at(&mut self, ids: BTreeSet<DeploymentId>) {
        let state = self.store.snapshot();
        let mut commands = Vec::new();
        for id in ids {
            let seen = self.seen.remove(&id).unwrap_or_default();
            let Decision { command, next_look, seen, active } = decide(&state, id, seen, self.runtime.clock.now(), &*self.runtime.random);
            if active {
                self.seen.insert(id, seen);
                if let Some(at) = next_look {
                    self.agenda.look_again(id, at);
                }
            }
            commands.extend(command.map(|command| (id, command)));
        }
        drop(state);
        for (id, error) in self.agenda.commit(&self.runtime, &*self.proposer, commands).await {
            warn!(deployment = %id, %error, "a deployment could not go on; trying again");
            self.seen.remove(&id);
        }
    }
}
