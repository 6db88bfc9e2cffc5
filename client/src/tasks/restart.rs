//! Whether a task that has ended is started again, and when. Pure: time is an argument.

use std::time::Duration;

use drover_model::job::{RestartMode, RestartPolicy};
use tokio::time::Instant;

use super::{duration_text, events::WITHIN_POLICY};

/// A delay is made up to this much longer, so that many tasks do not start together: one part in so many.
const JITTER_PART: u32 = 4;

/// What follows an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Restart {
        delay: Duration,
        reason: String,
    },
    /// It has failed for good.
    Fail {
        reason: String,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    count: u32,
    /// When the interval began in which attempts are counted.
    began: Option<Instant>,
}

impl Tracker {
    pub(crate) fn new() -> Self {
        Self { count: 0, began: None }
    }

    /// One more end. `jitter` is drawn by the caller, from zero to the given bound.
    pub(crate) fn next(&mut self, policy: &RestartPolicy, now: Instant, jitter: impl Fn(Duration) -> Duration) -> Decision {
        if policy.attempts == 0 {
            return Decision::Fail { reason: "Policy allows no restarts".to_owned() };
        }
        let began = *self.began.get_or_insert(now);
        if now > began + policy.interval {
            (self.began, self.count) = (Some(now), 0);
        }
        self.count += 1;
        if self.count <= policy.attempts {
            let delay = policy.delay + jitter(policy.delay / JITTER_PART);
            return Decision::Restart { delay, reason: WITHIN_POLICY.to_owned() };
        }
        match policy.mode {
            RestartMode::Fail => {
                let interval = duration_text(policy.interval);
                Decision::Fail {
                    reason: format!("Exceeded allowed attempts {} in interval {interval} and mode is \"fail\"", policy.attempts),
                }
            }
            RestartMode::Delay => {
                let end = self.began.unwrap_or(now) + policy.interval;
                let delay = end.saturating_duration_since(now) + jitter(policy.delay / JITTER_PART);
                Decision::Restart { delay, reason: "Exceeded allowed attempts, applying a delay".to_owned() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(attempts: u32, mode: RestartMode) -> RestartPolicy {
        let (interval, delay) = (Duration::from_secs(60), Duration::from_secs(8));
        RestartPolicy { attempts, interval, delay, mode, render_templates: false }
    }

    #[tokio::test(start_paused = true)]
    async fn decisions() {
        let exceeded = "Exceeded allowed attempts 2 in interval 1m0s and mode is \"fail\"";
        for (name, policy, ends, want) in [
            ("none allowed", policy(0, RestartMode::Fail), vec![1], Err("Policy allows no restarts")),
            ("first", policy(2, RestartMode::Fail), vec![1], Ok((8, WITHIN_POLICY))),
            ("second", policy(2, RestartMode::Fail), vec![1, 2], Ok((8, WITHIN_POLICY))),
            ("one too many", policy(2, RestartMode::Fail), vec![1, 2, 3], Err(exceeded)),
            ("spread over intervals", policy(2, RestartMode::Fail), vec![1, 2, 63], Ok((8, WITHIN_POLICY))),
            (
                "waits for the interval's end",
                policy(2, RestartMode::Delay),
                vec![1, 2, 11],
                Ok((50, "Exceeded allowed attempts, applying a delay")),
            ),
        ] {
            let start = Instant::now();
            let mut tracker = Tracker::new();
            let mut decision = None;
            for at in ends {
                decision = Some(tracker.next(&policy, start + Duration::from_secs(at), |_| Duration::ZERO));
            }
            let want = match want {
                Ok((delay, reason)) => Decision::Restart { delay: Duration::from_secs(delay), reason: reason.to_owned() },
                Err(reason) => Decision::Fail { reason: reason.to_owned() },
            };
            assert_eq!(decision, Some(want), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_grows_by_a_quarter_at_most() {
        let decision = Tracker::new().next(&policy(1, RestartMode::Fail), Instant::now(), |bound| bound);
        assert_eq!(decision, Decision::Restart { delay: Duration::from_secs(10), reason: WITHIN_POLICY.to_owned() });
    }
}
