//! Who was heard when: a leader knows by it that the majority still follows, a follower how old its state may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_runtime::rpc::Connection;
use tokio::{sync::watch, time::Instant};

use super::leadership::Metrics;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A follower's contact with its leader.
#[derive(Debug)]
pub(super) struct Contact {
    at: Mutex<Option<Instant>>,
    over: watch::Sender<Option<Heard>>,
}

/// Over which connection a leader speaks.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) leader: u64,
    pub(super) connection: Connection,
}

impl Contact {
    pub(super) fn new() -> Self {
        Self { at: Mutex::new(None), over: watch::Sender::new(None) }
    }

    /// The leader has spoken, and this server follows it.
    pub(super) fn heard(&self, leader: u64, connection: Option<Connection>) {
        *lock(&self.at) = Some(Instant::now());
        let Some(connection) = connection else { return };
        self.over.send_if_modified(|known| {
            let same = known.as_ref().is_some_and(|known| known.leader == leader && known.connection.is_same(&connection));
            if !same {
                *known = Some(Heard { leader, connection });
            }
            !same
        });
    }

    pub(super) fn last(&self) -> Option<Instant> {
        *lock(&self.at)
    }

    pub(super) fn connections(&self) -> watch::Receiver<Option<Heard>> {
        self.over.subscribe()
    }
}

/// A leader's knowledge of who follows it.
///
/// A follower grants nobody else its vote for the lease's duration after each message of its leader. So as long as a majority has acknowledged messages that
/// were sent less than that ago, nobody else can have been elected, and this server's state is the newest.
#[derive(Debug)]
pub(super) struct Lease {
    duration: Duration,
    acknowledged: Mutex<Acknowledged>,
}

#[derive(Debug, Default)]
struct Acknowledged {
    term: u64,
    /// When the newest message that a server has acknowledged was sent.
    sent: BTreeMap<u64, Instant>,
}

impl Lease {
    pub(super) fn new(duration: Duration) -> Self {
        Self { duration, acknowledged: Mutex::default() }
    }

    pub(super) fn duration(&self) -> Duration {
        self.duration
    }

    pub(super) fn acknowledged(&self, term: u64, by: u64, sent: Instant) {
        let mut known = lock(&self.acknowledged);
        if term > known.term {
            *known = Acknowledged { term, sent: BTreeMap::new() };
        }
        if term == known.term {
            let newest = known.sent.entry(by).or_insert(sent);
            *newest = (*newest).max(sent);
        }
    }

    /// How long ago a server was last known to follow.
    pub(super) fn since(&self, server: u64) -> Option<Duration> {
        lock(&self.acknowledged).sent.get(&server).map(Instant::elapsed)
    }

    /// For how long the majority may have been silent; none: it has never answered in this term.
    pub(super) fn silence(&self, metrics: &Metrics) -> Option<Duration> {
        let known = lock(&self.acknowledged);
        let membership = metrics.membership_config.membership();
        let now = Instant::now();
        let of = |voters: &BTreeSet<u64>| {
            let newest = |voter: &u64| if *voter == metrics.id { Some(now) } else { known.sent.get(voter).copied() };
            let mut sent: Vec<Option<Instant>> = voters.iter().map(newest).collect();
            sent.sort_unstable_by(|one, other| other.cmp(one));
            // With all that came later, this one is a majority.
            sent.get(voters.len() / 2).copied().flatten()
        };
        if known.term != metrics.vote.leader_id.term && membership.voter_ids().any(|voter| voter != metrics.id) {
            return None;
        }
        // While the voters change, there must be a majority of the old ones and one of the new ones.
        membership.get_joint_config().iter().map(of).min().flatten().map(|sent| now.saturating_duration_since(sent))
    }

    /// Whether nobody else can have been elected. Clocks may run at rates that differ by a tenth.
    pub(super) fn is_held(&self, metrics: &Metrics) -> bool {
        self.silence(metrics).is_some_and(|silence| silence < self.duration - self.duration / 10)
    }

    /// Whether it is time to say that this server does not lead any more.
    pub(super) fn is_lost(&self, metrics: &Metrics) -> bool {
        self.silence(metrics).is_none_or(|silence| silence > self.duration * 2)
    }
}

#[cfg(test)]
mod tests {
    use openraft::{Membership, Vote};

    use super::*;
    use crate::consensus::types::ServerNode;

    fn metrics(configs: Vec<BTreeSet<u64>>) -> Metrics {
        let mut metrics = Metrics { id: 1, vote: Vote::new_committed(5, 1), ..Metrics::default() };
        let nodes: BTreeMap<u64, ServerNode> = configs.iter().flatten().map(|id| (*id, ServerNode::default())).collect();
        let membership = Membership::new(configs, nodes);
        metrics.membership_config = std::sync::Arc::new(openraft::StoredMembership::new(None, membership));
        metrics
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_a_majoritys() {
        let second = Duration::from_secs(1);
        for (name, configs, acknowledged, want) in [
            ("alone", vec![vec![1]], vec![], Some(0)),
            ("nobody", vec![vec![1, 2, 3]], vec![], None),
            ("one of two others", vec![vec![1, 2, 3]], vec![(2, 5, 4)], Some(4)),
            ("the newer of two", vec![vec![1, 2, 3]], vec![(2, 5, 4), (3, 5, 1)], Some(1)),
            ("two of five are not enough", vec![vec![1, 2, 3, 4, 5]], vec![(2, 5, 1)], None),
            ("three of five", vec![vec![1, 2, 3, 4, 5]], vec![(2, 5, 1), (3, 5, 7)], Some(7)),
            ("two need both", vec![vec![1, 2]], vec![(2, 5, 3)], Some(3)),
            ("of an earlier term", vec![vec![1, 2, 3]], vec![(2, 4, 1)], None),
            ("both majorities while changing", vec![vec![1, 2, 3], vec![1, 4, 5]], vec![(2, 5, 1), (4, 5, 6)], Some(6)),
            ("one majority while changing", vec![vec![1, 2, 3], vec![1, 4, 5]], vec![(2, 5, 1)], None),
        ] {
            let lease = Lease::new(second * 5);
            let configs = configs.into_iter().map(|config| config.into_iter().collect()).collect();
            let now = Instant::now() + second * 10;
            for (by, term, ago) in acknowledged {
                lease.acknowledged(term, by, now - second * ago);
            }
            tokio::time::advance(second * 10).await;
            let metrics = metrics(configs);
            assert_eq!(lease.silence(&metrics), want.map(Duration::from_secs), "{name}");
            assert_eq!(lease.is_held(&metrics), want.is_some_and(|silence| silence < 5), "{name}");
        }
    }

    #[test]
    fn an_older_acknowledgement_changes_nothing() {
        let lease = Lease::new(Duration::from_secs(1));
        let now = Instant::now();
        lease.acknowledged(5, 2, now);
        lease.acknowledged(5, 2, now.checked_sub(Duration::from_millis(500)).unwrap_or(now));
        lease.acknowledged(4, 3, now);
        assert!(lease.is_held(&metrics(vec![[1, 2, 3].into()])));
        assert!(lease.since(3).is_none());
    }
}
