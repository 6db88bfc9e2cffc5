//! Lets changed texts of templates with `change_mode = "rolling"` into the allocations of a group, `max_parallel` at a time.
//!
//! A client that renders a changed text keeps it back and says so, without what it says. The leader then begins a deployment of the kind `templates` and
//! gives allocations their turns; each takes its texts in, restarts and is judged as after any update. What to do next is [`decide()`], a function of the state
//! and the time; all that it goes by is in the state, so that another leader goes on where one left off.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::ids::JobKey;
use drover_runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    agenda::Agenda,
    dirty::Dirty,
    propose::Propose,
    state::{State, StateStore},
};
pub use decide::{Decision, decide};

mod decide;
#[cfg(test)]
mod tests;

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
    agenda: Agenda<JobKey>,
}

impl Watcher {
    pub fn new(store: Arc<StateStore>, proposer: Arc<dyn Propose>, runtime: Runtime, changed: Arc<Dirty<JobKey>>) -> Self {
        Self { store, proposer, runtime, agenda: Agenda::new(changed) }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let state = self.store.snapshot();
        let rolling = state.jobs().filter(|job| job.rolls_templates()).map(|job| job.key());
        let under_way = state.deployments().filter(|row| row.is_active() && row.is_of_templates()).map(|row| row.job_key());
        self.agenda.extend(rolling.chain(under_way));
        drop(state);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                keys = self.agenda.next(&self.runtime) => self.look_at(keys).await,
            }
        }
    }

    async fn look_at(&mut self, keys: BTreeSet<JobKey>) {
        let state = self.store.snapshot();
        let mut commands = Vec::new();
        for key in keys {
            let Decision { command, next_look } = decide(&state, &key, self.runtime.clock.now(), &*self.runtime.random);
            if let Some(at) = next_look {
                self.agenda.look_again(key.clone(), at);
            }
            commands.extend(command.map(|command| (key, command)));
        }
        drop(state);
        for (key, error) in self.agenda.commit(&self.runtime, &*self.proposer, commands).await {
            warn!(job = %key.id, namespace = %key.namespace, %error, "changed templates could not go on; trying again");
        }
    }
}
