//! What is due when: one time for each key, found by the key and by the time.

use std::collections::{BTreeMap, BTreeSet};

/// There can be as many as there are nodes or deployments; finding the soonest costs nothing more for that.
#[derive(Debug)]
pub(crate) struct Timers<K, T> {
    due: BTreeMap<K, T>,
    /// The same, the soonest first.
    order: BTreeSet<(T, K)>,
}

impl<K, T> Default for Timers<K, T> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Clone, T: Ord + Copy> Timers<K, T> {
    /// Whatever was set for the key before does not count any more.
    pub(crate) fn set(&mut self, key: K, at: T) {
        self.remove(&key);
        self.due.insert(key.clone(), at);
        self.order.insert((at, key));
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((key, at)) = self.due.remove_entry(key) {
            self.order.remove(&(at, key));
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.due.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// The soonest, and when it is due.
    pub(crate) fn first(&self) -> Option<&(T, K)> {
        self.order.first()
    }

    /// What is due at `now`, the soonest first.
    pub(crate) fn due_at(&self, now: T) -> impl Iterator<Item = &K> {
        self.order.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_that_was_set_counts() {
        let mut timers = Timers::default();
        for (key, at) in [("a", 5), ("b", 3), ("c", 4), ("a", 2), ("b", 9)] {
            timers.set(key, at);
        }
        assert_eq!((timers.len(), timers.first()), (3, Some(&(2, "a"))));
        assert_eq!(timers.due_at(4).collect::<Vec<_>>(), [&"a", &"c"]);
        timers.remove(&"a");
        timers.remove(&"never set");
        assert!(!timers.contains(&"a") && timers.contains(&"b"));
        assert_eq!(timers.due_at(9).collect::<Vec<_>>(), [&"c", &"b"]);
    }
}
