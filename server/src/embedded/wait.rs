//! Reads that wait for a change.

use std::{sync::Arc, time::Duration};

use drover_model::rpc::{Error, Read, ReadMeta, ReadOptions};
use tokio::time::Instant;

use super::Stores;
use crate::state::{State, TableId};

/// How long a read waits when it does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(300);
/// The longest that any waits.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

impl Stores {
    /// Answers with what `look` finds, once its index is above the one that was asked after. `look` gives the index of what it found; none is the
    /// table's, with which a change anywhere in the table is a change.
    pub(super) async fn read<T>(
        &self,
        table: TableId,
        options: &ReadOptions,
        look: impl Fn(&State) -> Result<(Option<u64>, T), Error>,
    ) -> Result<Read<T>, Error> {
        let deadline = Instant::now() + options.max_wait.filter(|wait| !wait.is_zero()).unwrap_or(DEFAULT_WAIT).min(LONGEST_WAIT);
        let mut state: Arc<State> = self.state.snapshot();
        // An index from the future is of another cluster, or of a leader that is ahead: the answer comes at once, with the index that is.
        let waits = options.min_index > 0 && options.min_index <= state.index();
        loop {
            let table_index = state.index_of(&[table]);
            let (own_index, data) = look(&state)?;
            let index = own_index.unwrap_or(table_index).max(1);
            let now = Instant::now();
            if !waits || index > options.min_index || now >= deadline {
                return Ok(Read { meta: ReadMeta { index, known_leader: true, ..ReadMeta::default() }, data });
            }
            drop((state, data));
            state = self.state.wait_for(&[table], table_index, deadline - now).await;
        }
    }
}
