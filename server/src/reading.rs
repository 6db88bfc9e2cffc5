//! Reads, blocking ones included.

use std::time::Duration;

use drover_model::rpc::{Error, Read, ReadMeta, ReadOptions};

use crate::{
    Server,
    state::{State, TableId},
};

/// How long a read waits for a change when its caller does not say, and the most that one may ask for.
pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(300);
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(300);
/// A wait is longer by up to this part of it, so that readers who came together do not all come back at once.
const JITTER_PART: u32 = 16;

impl Server {
    /// Answers a read with what `look` sees. With `options.min_index` it waits until one of `tables` has changed since, or the time is up.
    pub async fn read<T>(&self, options: &ReadOptions, tables: &[TableId], look: impl Fn(&State) -> T) -> Result<Read<T>, Error> {
        self.read_at(options, tables, |state| (state.index_of(tables), look(state))).await
    }

    /// The same for a part of a table: `look` also says at which index that part last changed, and changes of other parts end no wait.
    pub async fn read_at<T>(&self, options: &ReadOptions, tables: &[TableId], look: impl Fn(&State) -> (u64, T)) -> Result<Read<T>, Error> {
        if options.consistent {
            self.ensure_leading().await?;
        }
        let wait = options.max_wait.filter(|wait| !wait.is_zero()).unwrap_or(DEFAULT_WAIT).min(MAX_WAIT);
        let deadline = tokio::time::Instant::now() + wait + self.random().jitter(wait / JITTER_PART);
        let mut state = self.store().snapshot();
        // An index from the future is of another cluster, or of a leader that is ahead: the answer comes at once, with the index that is.
        let waits = options.min_index > 0 && options.min_index <= state.index();
        loop {
            let (index, data) = look(&state);
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if !waits || index > options.min_index || left.is_zero() || self.is_stopping() {
                return Ok(Read { meta: self.read_meta(index), data });
            }
            let seen = state.index_of(tables);
            drop((state, data));
            state = tokio::select! {
                state = self.store().wait_for(tables, seen, left) => state,
                () = self.stopping() => self.store().snapshot(),
            };
        }
    }

    fn read_meta(&self, index: u64) -> ReadMeta {
        let known_leader = self.consensus().leadership().leader.is_some();
        ReadMeta { index: index.max(1), known_leader, last_contact_ms: 0, next_token: String::new() }
    }
}
