//! The state machine that consensus drives: applies commands to the state that readers see, performs effects.

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

/// A batch of so many bytes takes a millisecond or more.
const LONG_BYTES: usize = 128 << 10;

/// Owned by the one task that applies the log.
#[derive(Debug)]
pub struct Machine {
    store: Arc<StateStore>,
    services: Arc<Services>,
}

impl Machine {
    pub fn new(store: Arc<StateStore>, services: Arc<Services>) -> Self {
        Self { store, services }
    }

    /// Applies commands in their order; readers see all of them at once, then the services hear of them. `bytes` is what they take in the log.
    pub fn apply(&mut self, commands: Vec<Proposed>, bytes: usize) -> Vec<Applied> {
        if commands.is_empty() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        let mut answers = Vec::with_capacity(commands.len());
        self.store.change(bytes > LONG_BYTES, |state| {
            for proposed in commands {
                let index = state.index() + 1;
                let (applied, follows) = fsm::apply(state, index, proposed);
                answers.push(applied);
                effects.extend(follows);
            }
        });
        self.services.perform(&self.store, effects);
        answers
    }
}

impl StateMachine for Machine {
    fn apply(&mut self, proposals: Vec<Proposed>, bytes: usize) -> Vec<Applied> {
        Self::apply(self, proposals, bytes)
    }

    fn snapshot(&self) -> Box<dyn SnapshotSource> {
        Box::new(Frozen(self.store.snapshot()))
    }

    fn restore(&mut self, input: &mut dyn Read) -> Result<(), BoxError> {
        self.store.replace(snapshot::decode(input)?);
        self.services.node_watches.wake_all();
        Ok(())
    }
}

/// The state at one moment, to be written by somebody who has the time.
struct Frozen(Arc<State>);

impl SnapshotSource for Frozen {
    fn write(self: Box<Self>, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(snapshot::encode(&self.0, out)?)
    }
}
