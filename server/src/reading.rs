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

/// What is said of the last contact when there was none.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Server {
    /// Answers a read with what `look` sees. With `options.min_index` it waits until one of `tables` has changed since, or the time is up.
    pub async fn read<T>(&self, options: &ReadOptions, tables: &[TableId], look: impl Fn(&State) -> T) -> Result<Read<T>, Error> {
        self.read_at(options, tables, |state| (state.index_of(tables), look(state))).await
    }

    /// The same for a part of a table: `look` also says at which index that part last changed, and changes of other parts end no wait.
    pub async fn read_at<T>(&self, options: &ReadOptions, tables: &[TableId], look: impl Fn(&State) -> (u64, T)) -> Result<Read<T>, Error> {
        self.check_freshness(options).await?;
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

    /// Sees to it that the state is as new as the reader wants: any, the newest as long as clocks run at about the same rate, or the newest whatever they do.
    pub(crate) async fn check_freshness(&self, options: &ReadOptions) -> Result<(), Error> {
        match options {
            ReadOptions { consistent: true, .. } => self.ensure_leading().await,
            ReadOptions { stale: true, .. } => Ok(()),
            _ => self.ensure_newest().await,
        }
    }

    /// What a read by somebody who only knows the state lacks: how fresh that is.
    pub(crate) fn with_freshness<T>(&self, read: Read<T>) -> Read<T> {
        let next_token = read.meta.next_token;
        Read { meta: ReadMeta { next_token, ..self.read_meta(read.meta.index) }, data: read.data }
    }

    fn read_meta(&self, index: u64) -> ReadMeta {
        let known_leader = self.consensus().leadership().leader.is_some();
        // A server that has never heard a leader does not know how old its state is.
        let last_contact = self.consensus().last_contact().unwrap_or(NEVER);
        let last_contact_ms = u64::try_from(last_contact.as_millis()).unwrap_or(u64::MAX);
        ReadMeta { index: index.max(1), known_leader, last_contact_ms, next_token: String::new() }
    }
}
