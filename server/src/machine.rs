//! The state machine that consensus drives: applies commands, publishes the state, performs effects.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use crate::{
    consensus::{BoxError, SnapshotSource, StateMachine},
    fsm::{
        self,
        command::{Applied, Proposed},
    },
    perform::Services,
    state::{State, StateStore, snapshot},
};

/// Owned by the one task that applies the log.
#[derive(Debug)]
pub struct Machine {
    state: State,
    store: Arc<StateStore>,
    services: Arc<Services>,
}

impl Machine {
    pub fn new(store: Arc<StateStore>, services: Arc<Services>) -> Self {
        let state = (*store.snapshot()).clone();
        Self { state, store, services }
    }

    /// Applies commands in their order; readers see all of them at once, then the services hear of them.
    pub fn apply(&mut self, commands: impl IntoIterator<Item = Proposed>) -> Vec<Applied> {
        let mut effects = Vec::new();
        let mut answers = Vec::new();
        for proposed in commands {
            let index = self.state.index() + 1;
            let (applied, follows) = fsm::apply(&mut self.state, index, proposed);
            answers.push(applied);
            effects.extend(follows);
        }
        if !answers.is_empty() {
            self.store.publish(self.state.clone());
            self.services.perform(&self.state, effects);
        }
        answers
    }
}

impl StateMachine for Machine {
    fn apply(&mut self, proposals: Vec<Proposed>) -> Vec<Applied> {
        Self::apply(self, proposals)
    }

    fn snapshot(&self) -> Box<dyn SnapshotSource> {
        Box::new(Frozen(self.state.clone()))
    }

    fn restore(&mut self, input: &mut dyn Read) -> Result<(), BoxError> {
        self.state = snapshot::decode(input)?;
        self.store.publish(self.state.clone());
        self.services.node_watches.wake_all();
        Ok(())
    }
}

/// The state at one moment, to be written by somebody who has the time.
struct Frozen(State);

impl SnapshotSource for Frozen {
    fn write(self: Box<Self>, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(snapshot::encode(&self.0, out)?)
    }
}
