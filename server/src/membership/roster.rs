//! What this server sees of the others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::time::UnixNanos;
use tokio::time::Instant;

use super::messages::Introduction;
use crate::{consensus::Peer, gossip::Verdict};

/// After so many rounds without an answer a server has failed that gossip knows nothing of.
const FAILED_ROUNDS: u32 = 3;
/// After so many rounds in which a server answers that gossip does not reach, somebody should know.
const DEAF_ROUNDS: u32 = 10;
/// Servers that were refused and are remembered, so that each is told of once.
const REFUSED_AT_MOST: usize = 64;
/// Servers that left are shown for so long.
const LEFT_SHOWN: Duration = Duration::from_secs(24 * 3600);
/// And so many of them.
const LEFT_AT_MOST: usize = 64;

/// The other servers as they were last seen.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    seen: BTreeMap<u64, Seen>,
    left: VecDeque<(Instant, Peer)>,
    refused: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) introduction: Option<Introduction>,
    pub(crate) answered: Option<Instant>,
    silent_rounds: u32,
    /// Rounds in which it answered, though gossip says that it is down.
    deaf_rounds: u32,
    failed: bool,
    /// Since when it is alive or failed, by both clocks.
    pub(crate) since: Instant,
    pub(crate) since_time: UnixNanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Alive,
    Failed,
}

impl Standing {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Failed => "failed",
        }
    }
}

impl Seen {
    /// A server that was never asked is taken to be there: it has just been added.
    fn new(now: UnixNanos) -> Self {
        Self { introduction: None, answered: None, silent_rounds: 0, deaf_rounds: 0, failed: false, since: Instant::now(), since_time: now }
    }

    pub(crate) fn standing(&self) -> Standing {
        if self.failed { Standing::Failed } else { Standing::Alive }
    }

    /// For how long it has been what it is.
    pub(crate) fn lasts(&self) -> Duration {
        self.since.elapsed()
    }

    /// Gossip knows better than this server alone who is there: it asks through others too. But whoever answers is there.
    fn note(&mut self, answer: Option<Introduction>, verdict: Option<Verdict>, now: UnixNanos) {
        let (before, answers) = (self.standing(), answer.is_some());
        match answer {
            Some(introduction) => {
                self.introduction = Some(introduction);
                self.answered = Some(Instant::now());
                self.silent_rounds = 0;
            }
            None => self.silent_rounds = self.silent_rounds.saturating_add(1),
        }
        self.failed = match verdict {
            Some(Verdict::Alive) => false,
            Some(Verdict::Down) => !answers,
            None => self.silent_rounds >= FAILED_ROUNDS,
        };
        self.deaf_rounds = if answers && verdict == Some(Verdict::Down) { self.deaf_rounds.saturating_add(1) } else { 0 };
        if let (DEAF_ROUNDS, Some(told)) = (self.deaf_rounds, &self.introduction) {
            let address = told.gossip.as_ref().map_or("", |gossip| &gossip.gossip);
            tracing::warn!(
                name = told.name,
                address,
                "a server answers, but gossip does not reach it: is UDP let through to there, and from there?"
            );
        }
        if self.standing() != before {
            (self.since, self.since_time) = (Instant::now(), now);
        }
    }
}

impl Roster {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server was asked, and has answered or not.
    pub(crate) fn note(&self, id: u64, answer: Option<Introduction>, verdict: Option<Verdict>, now: UnixNanos) {
        self.lock().seen.entry(id).or_insert_with(|| Seen::new(now)).note(answer, verdict, now);
    }

    /// Whether nobody has heard yet that this one is refused, or refuses.
    pub(crate) fn is_first_refusal(&self, who: &str) -> bool {
        let mut inner = self.lock();
        inner.refused.len() < REFUSED_AT_MOST && inner.refused.insert(who.to_owned())
    }

    /// It is spoken to again: if it is refused another time, that is news.
    pub(crate) fn forget_refusal(&self, who: &str) {
        self.lock().refused.remove(who);
    }

    /// Forgets those who no longer take part.
    pub(crate) fn keep(&self, peers: &[Peer]) {
        let mut inner = self.lock();
        inner.seen.retain(|id, _| peers.iter().any(|peer| peer.id == *id));
        inner.left.retain(|(at, left)| at.elapsed() < LEFT_SHOWN && peers.iter().all(|peer| peer.id != left.id));
    }

    pub(crate) fn get(&self, id: u64) -> Option<Seen> {
        self.lock().seen.get(&id).cloned()
    }

    pub(crate) fn standing(&self, id: u64) -> Standing {
        self.get(id).map_or(Standing::Alive, |seen| seen.standing())
    }

    /// Remembers for a while that a server left.
    pub(crate) fn left(&self, peer: Peer) {
        let mut inner = self.lock();
        inner.left.retain(|(_, known)| known.id != peer.id);
        inner.left.push_back((Instant::now(), peer));
        while inner.left.len() > LEFT_AT_MOST {
            inner.left.pop_front();
        }
    }

    pub(crate) fn those_who_left(&self) -> Vec<Peer> {
        self.lock().left.iter().map(|(_, peer)| peer.clone()).collect()
    }

    pub(crate) fn forget_left(&self, id: u64) {
        self.lock().left.retain(|(_, known)| known.id != id);
    }
}
