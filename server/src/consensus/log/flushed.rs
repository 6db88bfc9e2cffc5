//! How far the log has come, and how far it is on this server's disk, for whoever must not run ahead of it.

use std::{fmt, io, sync::Arc};

use tokio::sync::watch;

use crate::consensus::types::LogId;

/// Told by who writes the log. Clones are the same.
#[derive(Clone)]
pub(in crate::consensus) struct Flushed {
    state: Arc<watch::Sender<State>>,
    /// The newest entry, wherever it is.
    appended: Arc<watch::Sender<Option<LogId>>>,
}

struct State {
    /// This entry and all before it are on disk.
    upto: Option<LogId>,
    /// Why no more will be.
    failure: Option<(io::ErrorKind, String)>,
}

impl fmt::Debug for Flushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushed").field("upto", &self.upto()).finish_non_exhaustive()
    }
}

impl Flushed {
    pub(super) fn new(upto: Option<LogId>) -> Self {
        Self { state: Arc::new(watch::Sender::new(State { upto, failure: None })), appended: Arc::new(watch::Sender::new(upto)) }
    }

    /// For a state machine that is driven without a log.
    #[cfg(test)]
    pub(in crate::consensus) fn everything() -> Self {
        Self::new(Some(LogId::new(openraft::CommittedLeaderId::new(u64::MAX, u64::MAX), u64::MAX)))
    }

    /// Entries are compared by their terms first: an entry that takes the place of one that was cut off is newer than it.
    pub(super) fn advance(&self, upto: LogId) {
        self.state.send_modify(|state| state.upto = state.upto.max(Some(upto)));
    }

    /// These entries are in the log; how far they are on disk is told by [`Flushed::advance`].
    pub(super) fn note_appended(&self, last: Option<LogId>) {
        self.appended.send_replace(last);
    }

    /// Returns once the log has an entry after this one.
    pub(in crate::consensus) async fn until_after(&self, entry: LogId) {
        // The sender lives as long as this.
        let _ = self.appended.subscribe().wait_for(|last| *last > Some(entry)).await;
    }

    pub(super) fn fail(&self, error: &io::Error) {
        let failure = (error.kind(), error.to_string());
        self.state.send_modify(|state| state.failure = state.failure.take().or(Some(failure)));
    }

    pub(in crate::consensus) fn upto(&self) -> Option<LogId> {
        self.state.borrow().upto
    }

    /// An error once nothing more will be written.
    pub(super) fn check(&self) -> io::Result<()> {
        self.state.borrow().check()
    }

    /// Returns once `entry` is on disk.
    pub(in crate::consensus) async fn until(&self, entry: LogId) -> io::Result<()> {
        let mut states = self.state.subscribe();
        // The sender lives as long as this.
        let settled = states.wait_for(|state| state.upto >= Some(entry) || state.failure.is_some()).await;
        match settled {
            Ok(state) if state.upto >= Some(entry) => Ok(()),
            Ok(state) => state.check(),
            Err(_) => Err(super::writer::closed()),
        }
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        match &self.failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(()),
        }
    }
}
