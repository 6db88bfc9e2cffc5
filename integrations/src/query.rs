//! How to ask, and whether to wait for a change.

use std::time::Duration;

/// Where in a federated catalogue a question is asked; all absent means where the agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub datacenter: Option<String>,
    pub namespace: Option<String>,
    pub partition: Option<String>,
    pub peer: Option<String>,
    pub sameness_group: Option<String>,
    /// Sort by distance from this node (`_agent` for the local one).
    pub near: Option<String>,
}

/// How fresh an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Wait until something is newer than this; 0 answers at once.
    pub index: u64,
    /// How long to wait for that before the same answer comes again.
    pub wait: Duration,
    /// Any server may answer whose state is at most this old: readers spread over all servers of the peer, and are answered while it has no leader. Zero:
    /// only the leader may.
    pub max_stale: Duration,
    pub scope: Scope,
}

impl Query {
    /// The longest wait that is asked for.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(300);

    /// Answers at once.
    pub fn now() -> Self {
        Self { index: 0, wait: Self::LONGEST_WAIT, max_stale: Duration::ZERO, scope: Scope::default() }
    }

    /// Answers when something is newer than `index`.
    pub fn after(index: u64) -> Self {
        Self { index, ..Self::now() }
    }

    pub fn scoped(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    pub fn stale(self, at_most: Duration) -> Self {
        Self { max_stale: at_most, ..self }
    }
}

impl Default for Query {
    fn default() -> Self {
        Self::now()
    }
}

/// An answer, with the index to wait on for the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer<T> {
    pub index: u64,
    pub data: T,
}

impl<T> Answer<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { index: self.index, data: change(self.data) }
    }

    /// The index to ask after next, when the last question was asked after `previous`: one that went backwards (the peer was restored or replaced)
    /// starts again at the beginning, since waiting for a number of the past could wait for ever.
    pub fn next_index(&self, previous: u64) -> u64 {
        if self.index < previous { 0 } else { self.index.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_goes_backwards_starts_again() {
        for (previous, found, next) in [(0, 7, 7), (7, 7, 7), (7, 9, 9), (9, 7, 0), (0, 0, 1)] {
            assert_eq!(Answer { index: found, data: () }.next_index(previous), next, "{previous} -> {found}");
        }
    }
}
