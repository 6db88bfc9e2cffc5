//! The newest state, for who changes it, who reads it, and who waits for it to change.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures::future::select_all;
use tokio::{sync::watch, time::Instant};

use super::{State, TableId};

/// The state, changed by one and read by many. A snapshot costs nothing but what is changed while somebody keeps it: where no snapshot shares a row's place in its
/// table, it is changed where it is, else it is copied. So where nobody can read while it changes, a snapshot is made when somebody asks for one, and none is kept
/// here once the state goes on. Whoever waits is woken by changes of the tables it named and by no others.
pub struct StateStore {
    state: Mutex<State>,
    /// The state as it is now, when somebody has asked for it.
    asked: ArcSwapOption<State>,
    tables: [watch::Sender<u64>; TableId::COUNT],
    index: watch::Sender<u64>,
}

impl fmt::Debug for StateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateStore(index {})", *self.index.borrow())
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
        Self { state: Mutex::new(state), asked: ArcSwapOption::empty(), tables, index }
    }

    /// The state as it is now.
    pub fn snapshot(&self) -> Arc<State> {
        self.asked.load_full().unwrap_or_else(|| self.ask(&self.lock()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, state: &State) -> Arc<State> {
        // Somebody else may have asked first.
        self.asked.load_full().unwrap_or_else(|| {
            let snapshot = Arc::new(state.clone());
            self.asked.store(Some(Arc::clone(&snapshot)));
            snapshot
        })
    }

    /// Changes the state; readers see all of it at once. Those who ask meanwhile, if there are `readers`, get the state from before, so that nobody waits.
    pub fn change<T>(&self, readers: bool, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        if readers {
            self.ask(&state);
        } else {
            self.asked.store(None);
        }
        let done = change(&mut state);
        self.asked.store(readers.then(|| Arc::new(state.clone())));
        let (tables, index) = (TableId::ALL.map(|table| state.table_index(table)), state.index());
        drop(state);
        let set = |sender: &watch::Sender<u64>, index: u64| {
            sender.send_if_modified(|known| std::mem::replace(known, index) != index);
        };
        self.tables.iter().zip(tables).for_each(|(sender, index)| set(sender, index));
        set(&self.index, index);
        done
    }

    /// Puts another state in its place, and returns the one that it had.
    pub fn replace(&self, with: State) -> State {
        self.change(true, |state| std::mem::replace(state, with))
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
            drop(state);
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
