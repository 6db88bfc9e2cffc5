//! The state machine that consensus drives: applies commands to the state that readers see, performs effects.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use tokio::runtime::Handle;

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
    store: Arc<StateStore>,
    services: Arc<Services>,
    /// Somebody may read while commands are applied.
    readers: bool,
}

impl Machine {
    /// Within the runtime whose tasks read the state: where that has one thread, nobody reads while it applies commands.
    pub fn new(store: Arc<StateStore>, services: Arc<Services>) -> Self {
        let threads = Handle::try_current().map_or(usize::MAX, |runtime| runtime.metrics().num_workers());
        Self { store, services, readers: threads > 1 }
    }
}

impl StateMachine for Machine {
    /// Readers see all of the batch at once, then the services hear of it.
    fn apply(&mut self, proposals: Vec<Proposed>) -> Vec<Applied> {
        if proposals.is_empty() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        let mut answers = Vec::with_capacity(proposals.len());
        self.store.change(self.readers, |state| {
            for proposed in proposals {
                let index = state.index() + 1;
                let (applied, follows) = fsm::apply(state, index, proposed);
                answers.push(applied);
                effects.extend(follows);
            }
        });
        self.services.perform(&self.store, effects);
        answers
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
