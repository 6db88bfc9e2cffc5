//! When a changed template is rendered.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{QUIET_MAX, QUIET_MIN};

/// A job's `wait`: render after `min` without a further change, at the latest `max` after the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub min: Duration,
    pub max: Duration,
}

/// The times of one template.
#[derive(Debug)]
pub(super) struct Pace {
    wait: Option<Wait>,
    /// The first change that is not rendered yet, and when it will be.
    pending: Option<(Instant, Instant)>,
    rendered: Option<Instant>,
    /// Without a `wait`: how long the next change is held back. Grows while changes keep coming.
    quiet: Duration,
}

impl Pace {
    pub(super) fn new(wait: Option<Wait>) -> Self {
        Self { wait, pending: None, rendered: None, quiet: Duration::ZERO }
    }

    /// When to render, if at all.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pending.map(|(_, due)| due)
    }

    /// Before the first complete render nothing is held back.
    pub(super) fn at_once(&mut self, now: Instant) {
        self.pending = Some((now, now));
    }

    /// Something that the template reads has changed.
    pub(super) fn changed(&mut self, now: Instant) {
        let calm = self.rendered.is_none_or(|rendered| now >= rendered + QUIET_MAX);
        if calm && self.pending.is_none() {
            self.quiet = Duration::ZERO;
        }
        let (min, max) = self.wait.map_or((self.quiet, QUIET_MAX), |wait| (wait.min, wait.max.max(wait.min)));
        let first = self.pending.map_or(now, |(first, _)| first);
        self.pending = Some((first, (now + min).min(first + max)));
    }

    /// True if it is time; what comes next is a new change.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        if self.due().is_none_or(|due| due > now) {
            return false;
        }
        self.pending = None;
        self.rendered = Some(now);
        self.quiet = (self.quiet * 2).clamp(QUIET_MIN, QUIET_MAX);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Plays changes and answers with the times of the renders.
    fn renders(wait: Option<Wait>, changes: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(wait);
        let mut times = Vec::new();
        for ms in 0..20_000 {
            let now = start + MS(ms);
            if changes.contains(&ms) {
                pace.changed(now);
            }
            if pace.take_due(now) {
                times.push(ms);
            }
        }
        times
    }

    #[test]
    fn the_first_change_renders_at_once_and_a_burst_is_gathered() {
        assert_eq!(renders(None, &[5]), [5]);
        assert_eq!(renders(None, &[5, 500]), [5, 500]);
        assert_eq!(renders(None, &[5, 7, 9]), [5, 19]);
        let burst: Vec<u64> = (0..400).step_by(20).collect();
        let times = renders(None, &burst);
        assert!(times.len() <= 8, "{times:?}");
        assert!(*times.last().unwrap() >= 380 && *times.last().unwrap() <= 480, "{times:?}");
    }

    #[test]
    fn a_wait_is_extended_by_each_change_up_to_its_maximum() {
        let wait = Some(Wait { min: MS(2000), max: MS(6000) });
        assert_eq!(renders(wait, &[0]), [2000]);
        assert_eq!(renders(wait, &[0, 500, 1000]), [3000]);
        let steady: Vec<u64> = (0..14_000).step_by(500).collect();
        assert_eq!(renders(wait, &steady), [6000, 12_500, 15_500]);
    }
}
