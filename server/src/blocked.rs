//! Evaluations that wait for room: woken when nodes that could help come, change, or have something freed, or when the quota that they have reached allows more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use drover_model::{
    evaluation::Evaluation,
    ids::{EvalId, JobKey},
};

/// Classes and quotas whose last wake-up is remembered. Beyond that the oldest is forgotten, which only costs an evaluation that is tried once in vain.
const MAX_SOURCES: usize = 4096;

/// Where room came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Class(String),
    Quota(String),
}

impl Source {
    /// Whether it may help an evaluation. A class that it has not seen may.
    fn may_help(&self, evaluation: &Evaluation) -> bool {
        match self {
            Self::Class(class) => {
                let suits = || evaluation.escaped_computed_class || evaluation.class_eligibility.get(class).copied().unwrap_or(true);
                evaluation.waits_for_nodes() && suits()
            }
            Self::Quota(quota) => evaluation.quota_limit_reached == *quota,
        }
    }
}

/// All in memory: a new leader fills it from the state.
#[derive(Debug, Default)]
pub struct Blocked {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    enabled: bool,
    evaluations: BTreeMap<EvalId, Arc<Evaluation>>,
    /// One per job: the newest knows best what is missing.
    by_job: BTreeMap<JobKey, EvalId>,
    /// At which index there last came to be more room there. An evaluation that looked at an older state is tried again at once.
    woken: BTreeMap<Source, u64>,
    /// Everything before this index is too long ago to know.
    forgotten_before: u64,
}

impl Blocked {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaders have it enabled. Disabling forgets everything.
    pub fn set_enabled(&self, enabled: bool) {
        *self.lock() = Inner { enabled, ..Inner::default() };
    }

    pub fn len(&self) -> usize {
        self.lock().evaluations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes an evaluation that waits for room. Gives it back when room came while it was scheduled: then it is to be tried at once.
    #[must_use]
    pub fn block(&self, evaluation: Arc<Evaluation>) -> Option<Arc<Evaluation>> {
        let mut inner = self.lock();
        if !inner.enabled {
            return None;
        }
        inner.remove_job(&evaluation.job_key());
        if inner.missed_wake_up(&evaluation) {
            return Some(evaluation);
        }
        inner.by_job.insert(evaluation.job_key(), evaluation.id);
        inner.evaluations.insert(evaluation.id, evaluation);
        None
    }

    /// Forgets one that has ended.
    pub fn forget(&self, id: EvalId) {
        let mut inner = self.lock();
        if let Some(evaluation) = inner.evaluations.remove(&id) {
            inner.by_job.remove(&evaluation.job_key());
        }
    }

    /// Nodes of `class` may take more since `index`: gives out those whom that may help.
    #[must_use]
    pub fn unblock(&self, class: &str, index: u64) -> Vec<Arc<Evaluation>> {
        self.wake(Source::Class(class.to_owned()), index)
    }

    /// A quota may allow more since `index`: gives out those who have reached it.
    #[must_use]
    pub fn unblock_quota(&self, quota: &str, index: u64) -> Vec<Arc<Evaluation>> {
        self.wake(Source::Quota(quota.to_owned()), index)
    }

    fn wake(&self, source: Source, index: u64) -> Vec<Arc<Evaluation>> {
        let mut inner = self.lock();
        if !inner.enabled {
            return Vec::new();
        }
        let helped: BTreeSet<EvalId> = inner.evaluations.values().filter(|evaluation| source.may_help(evaluation)).map(|e| e.id).collect();
        inner.note_wake_up(source, index);
        let mut woken = Vec::with_capacity(helped.len());
        for id in helped {
            if let Some(evaluation) = inner.evaluations.remove(&id) {
                inner.by_job.remove(&evaluation.job_key());
                woken.push(evaluation);
            }
        }
        woken
    }
}

impl Inner {
    fn remove_job(&mut self, key: &JobKey) {
        if let Some(id) = self.by_job.remove(key) {
            self.evaluations.remove(&id);
        }
    }

    fn missed_wake_up(&self, evaluation: &Evaluation) -> bool {
        evaluation.snapshot_index < self.forgotten_before
            || self.woken.iter().any(|(source, index)| *index > evaluation.snapshot_index && source.may_help(evaluation))
    }

    fn note_wake_up(&mut self, source: Source, index: u64) {
        let known = self.woken.entry(source).or_default();
        *known = index.max(*known);
        if self.woken.len() > MAX_SOURCES
            && let Some((oldest, index)) =
                self.woken.iter().min_by_key(|(_, index)| **index).map(|(source, index)| (source.clone(), *index))
        {
            self.woken.remove(&oldest);
            self.forgotten_before = index;
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_model::{allocation::AllocMetric, json::Map};

    use super::*;

    fn evaluation(number: u8, job: &str, classes: &[(&str, bool)], escaped: bool) -> Arc<Evaluation> {
        Arc::new(Evaluation {
            id: EvalId::from_random([number; 16]),
            job_id: job.into(),
            class_eligibility: classes.iter().map(|(class, eligible)| ((*class).to_owned(), *eligible)).collect::<Map<bool>>(),
            escaped_computed_class: escaped,
            snapshot_index: 10,
            ..Evaluation::default()
        })
    }

    fn blocked() -> Blocked {
        let blocked = Blocked::default();
        blocked.set_enabled(true);
        blocked
    }

    #[test]
    fn classes_wake_those_they_may_help() {
        for (name, classes, escaped, woken_by, want) in [
            ("eligible", vec![("a", true)], false, "a", true),
            ("ineligible", vec![("a", false)], false, "a", false),
            ("never seen", vec![("a", false)], false, "b", true),
            ("escaped", vec![("a", false)], true, "a", true),
        ] {
            let blocked = blocked();
            assert_eq!(blocked.block(evaluation(1, "web", &classes, escaped)), None, "{name}");
            assert_eq!(blocked.unblock(woken_by, 11).len(), usize::from(want), "{name}");
            assert_eq!(blocked.len(), usize::from(!want), "{name}");
        }
    }

    #[test]
    fn a_quota_wakes_those_who_have_reached_it_and_nodes_do_not() {
        let short = |quota: &str| Arc::new(AllocMetric { quota_exhausted: vec![quota.to_owned()].into(), ..AllocMetric::default() });
        let full = Arc::<AllocMetric>::default();
        let both = [("a", short("memory")), ("b", full)];
        for (name, reached, failed, by_class, by_quota) in [
            ("the quota only", "team", &[("a", short("memory"))][..], false, true),
            ("another quota", "other", &[("a", short("memory"))], false, false),
            ("one group the quota, another one the nodes", "team", &both, true, true),
            ("nodes only", "", &both[1..], true, false),
        ] {
            let waiting = || {
                let failed = failed.iter().map(|(group, metric)| ((*group).into(), Arc::clone(metric))).collect();
                let known = Evaluation::clone(&evaluation(1, "web", &[("x", true)], false));
                Arc::new(Evaluation { quota_limit_reached: reached.to_owned(), failed_tg_allocs: failed, ..known })
            };
            let blocked = blocked();
            assert!(blocked.block(waiting()).is_none(), "{name}");
            assert_eq!(blocked.unblock("x", 11).len(), usize::from(by_class), "{name}");
            // Whoever comes back after a wake-up that it has not seen is tried at once.
            assert_eq!(blocked.block(waiting()).is_some(), by_class, "{name}");
            assert_eq!(blocked.unblock_quota("team", 12).len(), usize::from(by_quota && !by_class), "{name}");
            assert_eq!(blocked.block(waiting()).is_some(), by_quota || by_class, "{name}");
        }
    }

    #[test]
    fn room_that_came_meanwhile_is_not_missed() {
        let blocked = blocked();
        assert!(blocked.unblock("a", 11).is_empty());
        assert!(blocked.block(evaluation(1, "web", &[("a", true)], false)).is_some());
        assert!(blocked.block(evaluation(2, "db", &[("a", false)], false)).is_none());
    }

    #[test]
    fn one_per_job_and_none_after_its_end() {
        let blocked = blocked();
        let (older, newer) = (evaluation(1, "web", &[], false), evaluation(2, "web", &[], false));
        assert!(blocked.block(older).is_none());
        assert!(blocked.block(Arc::clone(&newer)).is_none());
        assert_eq!(blocked.len(), 1);
        blocked.forget(newer.id);
        assert!(blocked.is_empty());
        blocked.set_enabled(false);
        assert!(blocked.block(newer).is_none());
        assert!(blocked.is_empty());
    }
}
