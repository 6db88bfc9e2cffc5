//! The newest state, published for readers, and waiting for it to change.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::future::select_all;
use tokio::{sync::watch, time::Instant};

use super::{State, TableId};

/// Holds the newest snapshot. Readers take it without a lock; whoever waits is woken by changes of the tables it named and by no others.
pub struct StateStore {
    current: ArcSwap<State>,
    tables: [watch::Sender<u64>; TableId::COUNT],
    index: watch::Sender<u64>,
}

impl fmt::Debug for StateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateStore(index {})", self.current.load().index())
    }
}

impl Default for StateStore {
    fn default() -> Self {
        Self::new(State::default())
    }
}

impl StateStore {
    pub fn new(state: State) -> Self {
        let tables = TableId::ALL.map(|table| watch::Sender::new(state.table_index(table)));
        let index = watch::Sender::new(state.index());
        Self { current: ArcSwap::from_pointee(state), tables, index }
    }

    pub fn snapshot(&self) -> Arc<State> {
        self.current.load_full()
    }

    /// Makes `state` what readers see. Called by the one who applies commands, after each batch of them.
    pub fn publish(&self, state: State) {
        let state = Arc::new(state);
        self.current.store(Arc::clone(&state));
        let set = |sender: &watch::Sender<u64>, index: u64| {
            sender.send_if_modified(|known| std::mem::replace(known, index) != index);
        };
        for table in TableId::ALL {
            set(&self.tables[table as usize], state.table_index(table));
        }
        set(&self.index, state.index());
    }

    /// The newest state, once one of `tables` has changed after `min_index` or `max_wait` has passed.
    pub async fn wait_for(&self, tables: &[TableId], min_index: u64, max_wait: Duration) -> Arc<State> {
        // Subscribed before looking, so that a change in between is not missed.
        let mut receivers: Vec<_> = tables.iter().map(|table| self.tables[*table as usize].subscribe()).collect();
        let deadline = Instant::now() + max_wait;
        loop {
            let state = self.snapshot();
            if receivers.is_empty() || state.index_of(tables) > min_index {
                return state;
            }
            let changed = select_all(receivers.iter_mut().map(|receiver| Box::pin(receiver.changed())));
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return self.snapshot();
            }
        }
    }

    /// The state once it is at least at `index`; none when that takes longer than `max_wait`.
    pub async fn wait_until(&self, index: u64, max_wait: Duration) -> Option<Arc<State>> {
        let mut receiver = self.index.subscribe();
        let reached = receiver.wait_for(|known| *known >= index);
        match tokio::time::timeout(max_wait, reached).await {
            Ok(Ok(_)) => Some(self.snapshot()),
            _ => None,
        }
    }

    /// Tells of every change of one table.
    pub fn watch(&self, table: TableId) -> watch::Receiver<u64> {
        self.tables[table as usize].subscribe()
    }
}
