//! Whether and when a failed allocation is replaced by one elsewhere.

use std::time::Duration;

use drover_model::{
    allocation::{Allocation, RescheduleEvent, RescheduleTracker},
    ids::EvalId,
    job::{DelayFunction, ReschedulePolicy},
    json::List,
    time::{UnixNanos, nanos_of},
};

/// Earlier attempts that an allocation remembers when there is no interval to count them in.
const MAX_EVENTS: usize = 5;

/// What is due this soon is done at once: a timer for it would cost more.
const SOON: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Never,
    Now { delay: Duration },
    Later { at: UnixNanos },
}

pub(super) fn decide(policy: Option<&ReschedulePolicy>, failed: &Allocation, now: UnixNanos, evaluation: EvalId) -> Decision {
    if failed.desired_transition.force_reschedule == Some(true) {
        return Decision::Now { delay: Duration::ZERO };
    }
    let Some(policy) = policy.filter(|policy| policy.enabled()) else { return Decision::Never };
    let events = failed.reschedule_tracker.as_ref().map_or(&[][..], |tracker| tracker.events.as_slice());
    let failed_at = failure_time(failed);
    if !policy.unlimited {
        let begin = UnixNanos(failed_at.0.saturating_sub(nanos_of(policy.interval)));
        let attempts = events.iter().filter(|event| event.time > begin).count();
        if attempts >= policy.attempts as usize {
            return Decision::Never;
        }
    }
    let delay = next_delay(policy, events, failed_at);
    let at = failed_at.plus(delay);
    // The evaluation that was made for this moment may be early, since several moments share one.
    if failed.followup_eval_id == Some(evaluation) || at <= now.plus(SOON) { Decision::Now { delay } } else { Decision::Later { at } }
}

fn failure_time(failed: &Allocation) -> UnixNanos {
    let finished = failed.task_states.values().map(|state| state.finished_at.0).max().filter(|at| !at.is_never());
    finished.unwrap_or(failed.modify_time)
}

fn next_delay(policy: &ReschedulePolicy, events: &[RescheduleEvent], failed_at: UnixNanos) -> Duration {
    let ceiling = if policy.max_delay.is_zero() { Duration::MAX } else { policy.max_delay };
    let past = |back: usize| events.len().checked_sub(back).and_then(|at| events.get(at)).map(|event| nanos(event.delay));
    let grown = match (policy.delay_function, past(1), past(2)) {
        (DelayFunction::Constant, ..) | (_, None, _) => return policy.delay,
        (DelayFunction::Exponential, Some(last), _) => last.saturating_mul(2),
        (DelayFunction::Fibonacci, Some(last), None) => last,
        (DelayFunction::Fibonacci, Some(last), Some(before)) => last.saturating_add(before),
    };
    // One that ran longer than the longest delay is not failing in a loop any more.
    let recovered = events.last().is_some_and(|last| failed_at.since(last.time) > ceiling);
    if grown >= ceiling && recovered { policy.delay } else { grown.min(ceiling).max(policy.delay.min(ceiling)) }
}

fn nanos(delay: i64) -> Duration {
    Duration::from_nanos(u64::try_from(delay).unwrap_or(0))
}

/// What the replacement remembers of the failures before it.
pub(super) fn tracker(policy: Option<&ReschedulePolicy>, failed: &Allocation, now: UnixNanos, delay: Duration) -> RescheduleTracker {
    let earlier = failed.reschedule_tracker.as_ref().map_or(&[][..], |tracker| tracker.events.as_slice());
    let begin = policy.filter(|policy| !policy.unlimited).map(|policy| now.0.saturating_sub(nanos_of(policy.interval)));
    let mut events: Vec<_> = match begin {
        Some(begin) => earlier.iter().filter(|event| event.time.0 > begin).cloned().collect(),
        None => earlier[earlier.len().saturating_sub(MAX_EVENTS - 1)..].to_vec(),
    };
    events.push(RescheduleEvent {
        time: now,
        previous_allocation: Some(failed.id),
        previous_node: Some(failed.node_id),
        delay: nanos_of(delay),
    });
    RescheduleTracker { events: List(events), ..RescheduleTracker::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn failed(at: i64, delays: &[(i64, i64)]) -> Allocation {
        let event = |(time, delay): &(i64, i64)| RescheduleEvent {
            time: UnixNanos(time * SECOND),
            delay: delay * SECOND,
            ..RescheduleEvent::default()
        };
        let tracker = RescheduleTracker { events: delays.iter().map(event).collect(), ..RescheduleTracker::default() };
        Allocation { modify_time: UnixNanos(at * SECOND), reschedule_tracker: Some(tracker), ..Allocation::default() }
    }

    fn policy(function: DelayFunction, max: u64) -> ReschedulePolicy {
        let seconds = Duration::from_secs;
        ReschedulePolicy {
            delay: seconds(10),
            delay_function: function,
            max_delay: seconds(max),
            unlimited: true,
            ..ReschedulePolicy::default()
        }
    }

    #[test]
    fn delays_grow_as_the_policy_says() {
        use DelayFunction::*;
        for (name, policy, events, want) in [
            ("first", policy(Exponential, 100), vec![], 10),
            ("doubled", policy(Exponential, 100), vec![(990, 10)], 20),
            ("doubled again", policy(Exponential, 100), vec![(980, 10), (990, 20)], 40),
            ("at most", policy(Exponential, 100), vec![(990, 80)], 100),
            ("starts again after a long run", policy(Exponential, 100), vec![(100, 80)], 10),
            ("constant", policy(Constant, 100), vec![(980, 10), (990, 10)], 10),
            ("fibonacci second", policy(Fibonacci, 100), vec![(990, 10)], 10),
            ("fibonacci third", policy(Fibonacci, 100), vec![(980, 10), (990, 10)], 20),
            ("fibonacci fourth", policy(Fibonacci, 100), vec![(980, 10), (990, 20)], 30),
        ] {
            let at = UnixNanos((1000 + want) * SECOND);
            let got = decide(Some(&policy), &failed(1000, &events), UnixNanos(1000 * SECOND), EvalId::from_random([1; 16]));
            assert_eq!(got, Decision::Later { at }, "{name}");
        }
    }

    #[test]
    fn attempts_end() {
        let limited =
            ReschedulePolicy { unlimited: false, attempts: 2, interval: Duration::from_secs(100), ..policy(DelayFunction::Constant, 0) };
        let none = ReschedulePolicy { attempts: 0, ..limited.clone() };
        let decide = |policy: &ReschedulePolicy, allocation: &Allocation| {
            decide(Some(policy), allocation, UnixNanos(2000 * SECOND), EvalId::from_random([1; 16]))
        };
        let now = Decision::Now { delay: Duration::from_secs(10) };
        assert_eq!(decide(&limited, &failed(1000, &[(950, 10)])), now);
        assert_eq!(decide(&limited, &failed(1000, &[(940, 10), (950, 10)])), Decision::Never);
        assert_eq!(decide(&limited, &failed(1000, &[(800, 10), (950, 10)])), now);
        assert_eq!(decide(&none, &failed(1000, &[])), Decision::Never);
        let mut forced = failed(1000, &[]);
        forced.desired_transition.force_reschedule = Some(true);
        assert_eq!(decide(&none, &forced), Decision::Now { delay: Duration::ZERO });
    }
}
