//! Whether an allocation is healthy, as deployments and drains ask. A state machine without a clock: time is an argument.

use std::time::Duration;

use drover_model::{
    allocation::{Allocation, TaskPhase, TaskState},
    job::{HealthCheck, JobType, LifecycleHook, Task, TaskGroup, UpdateStrategy},
};
use tokio::time::Instant;

use crate::tasks::duration_text;

/// How it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) mode: HealthCheck,
    pub(crate) min_healthy_time: Duration,
    pub(crate) deadline: Duration,
}

impl Rules {
    /// A deployment's rules; else those of a migration, for a service. None: nobody asks.
    pub(crate) fn of(allocation: &Allocation, group: &TaskGroup) -> Option<Self> {
        if allocation.deployment_id.is_some() {
            // Changed templates roll in groups too that say nothing of updates.
            let fallback = allocation.turn().map(|_| UpdateStrategy::default());
            let update = group.update.clone().or(fallback)?;
            return Some(Self { mode: update.health_check, min_healthy_time: update.min_healthy_time, deadline: update.healthy_deadline });
        }
        let migrate = group.migrate.as_ref().filter(|_| allocation.job.kind == JobType::Service)?;
        Some(Self { mode: migrate.health_check, min_healthy_time: migrate.min_healthy_time, deadline: migrate.healthy_deadline })
    }
}

impl Rules {
    /// The same for tasks that were restarted in place: their checks still say how the tasks were before, until each has looked again. `slowest` is the longest
    /// that takes; where the deadline leaves no room for it, half of the time must do.
    pub(crate) fn after_restart(self, slowest: Duration) -> Self {
        match self.mode {
            HealthCheck::Checks | HealthCheck::Unset => {
                Self { min_healthy_time: self.min_healthy_time.max(slowest.min(self.deadline / 2)), ..self }
            }
            HealthCheck::TaskStates | HealthCheck::Manual => self,
        }
    }
}

/// What the checks say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// All are as they should be, or there are none.
    Fine,
    /// One is not, or the catalogue does not know the services yet.
    NotYet,
}

/// The answer, with what to say of which task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) healthy: bool,
    pub(crate) events: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Tracker {
    rules: Rules,
    deadline: Instant,
    /// Since when everything has been well.
    since: Option<Instant>,
    /// Restarts seen: one between two looks ends the good time too.
    restarts: u64,
    decided: bool,
}

impl Tracker {
    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        Self { rules, deadline: now + rules.deadline, since: None, restarts: 0, decided: false }
    }

    /// When to look again although nothing has changed.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.decided || self.rules.mode == HealthCheck::Manual {
            return None;
        }
        let well = self.since.map(|since| since + self.rules.min_healthy_time);
        Some(well.map_or(self.deadline, |well| well.min(self.deadline)))
    }

    /// Looks at the tasks and checks as they are now. Answers once.
    pub(crate) fn observe(
        &mut self,
        now: Instant,
        group: &TaskGroup,
        state: &dyn Fn(&str) -> Option<TaskState>,
        checks: Checks,
    ) -> Option<Verdict> {
        if self.decided || self.rules.mode == HealthCheck::Manual {
            return None;
        }
        let states: Vec<(&Task, TaskState)> = group.tasks.iter().map(|task| (task, state(&task.name).unwrap_or_default())).collect();
        if states.iter().any(|(_, state)| state.failed && state.state == TaskPhase::Dead) {
            let failed = states.iter().filter(|(_, state)| state.failed);
            return self
                .decide(false, failed.map(|(task, _)| (task.name.clone(), "Unhealthy because of failed task".to_owned())).collect());
        }
        let restarts = states.iter().map(|(_, state)| state.restarts).sum();
        let tasks_fine = states.iter().all(|(task, state)| is_fine(task, state));
        let fine = tasks_fine && (self.rules.mode == HealthCheck::TaskStates || checks == Checks::Fine);
        if !fine {
            self.since = None;
        } else if self.since.is_none() || restarts != self.restarts {
            self.since = Some(now);
        }
        self.restarts = restarts;
        if self.since.is_some_and(|since| now >= since + self.rules.min_healthy_time) {
            return self.decide(true, Vec::new());
        }
        if now < self.deadline {
            return None;
        }
        let deadline = duration_text(self.rules.deadline);
        let minimum = duration_text(self.rules.min_healthy_time);
        let say = |task: &Task, state: &TaskState| {
            if !is_fine(task, state) {
                format!("Task not running by healthy_deadline of {deadline}")
            } else if checks == Checks::NotYet && self.rules.mode != HealthCheck::TaskStates {
                "Services not healthy by deadline".to_owned()
            } else {
                format!("Task not running for min_healthy_time of {minimum} by healthy_deadline of {deadline}")
            }
        };
        // Those that do not run, else the main ones, which run and yet are not healthy.
        let blamed = states.iter().filter(|(task, state)| if tasks_fine { is_main(task) } else { !is_fine(task, state) });
        let events = blamed.map(|(task, state)| (task.name.clone(), say(task, state))).collect();
        self.decide(false, events)
    }

    fn decide(&mut self, healthy: bool, events: Vec<(String, String)>) -> Option<Verdict> {
        self.decided = true;
        Some(Verdict { healthy, events })
    }
}

fn is_main(task: &Task) -> bool {
    task.lifecycle.is_none()
}

/// Whether the task is where it should be for the allocation to be well.
fn is_fine(task: &Task, state: &TaskState) -> bool {
    match task.lifecycle.map(|lifecycle| (lifecycle.hook, lifecycle.sidecar)) {
        Some((LifecycleHook::Poststop, _)) => true,
        Some((LifecycleHook::Prestart, false)) => state.is_successful(),
        Some((LifecycleHook::Poststart, false)) => state.state == TaskPhase::Running || state.is_successful(),
        Some((LifecycleHook::Prestart | LifecycleHook::Poststart, true)) | None => state.state == TaskPhase::Running,
    }
}

#[cfg(test)]
mod tests {
    use drover_model::job::Lifecycle;

    use super::*;

    #[derive(Clone, Copy)]
    enum T {
        Pending,
        Running,
        Restarted,
        Failed,
    }

    fn state(phase: T) -> TaskState {
        let (state, restarts, failed) = match phase {
            T::Pending => (TaskPhase::Pending, 0, false),
            T::Running => (TaskPhase::Running, 0, false),
            T::Restarted => (TaskPhase::Running, 1, false),
            T::Failed => (TaskPhase::Dead, 0, true),
        };
        TaskState { state, restarts, failed, ..TaskState::default() }
    }

    fn group() -> TaskGroup {
        let task = |name: &str, lifecycle| Task { name: name.to_owned(), lifecycle, ..Task::default() };
        let poststop = Lifecycle { hook: LifecycleHook::Poststop, sidecar: false };
        TaskGroup { tasks: vec![task("app", None), task("after", Some(poststop))].into(), ..TaskGroup::default() }
    }

    /// One look: seconds since the start, the task, the checks.
    type Look = (u64, T, Checks);
    type Row = (&'static str, HealthCheck, &'static [Look], Option<(bool, &'static str)>);

    #[tokio::test(start_paused = true)]
    async fn verdicts() {
        use Checks::{Fine, NotYet};
        let rows: [Row; 9] = [
            ("healthy after its time", HealthCheck::Checks, &[(1, T::Running, Fine), (4, T::Running, Fine)], Some((true, ""))),
            ("not before its time", HealthCheck::Checks, &[(1, T::Running, Fine), (3, T::Running, Fine)], None),
            ("a restart between two looks counts", HealthCheck::Checks, &[(1, T::Running, Fine), (4, T::Restarted, Fine)], None),
            ("checks hold it back", HealthCheck::Checks, &[(1, T::Running, NotYet), (9, T::Running, NotYet)], None),
            ("checks are not asked", HealthCheck::TaskStates, &[(1, T::Running, NotYet), (4, T::Running, NotYet)], Some((true, ""))),
            ("nobody decides by hand here", HealthCheck::Manual, &[(1, T::Failed, Fine), (99, T::Pending, Fine)], None),
            ("failed", HealthCheck::Checks, &[(1, T::Failed, Fine)], Some((false, "Unhealthy because of failed task"))),
            (
                "never ran",
                HealthCheck::Checks,
                &[(1, T::Pending, Fine), (10, T::Pending, Fine)],
                Some((false, "Task not running by healthy_deadline of 10s")),
            ),
            (
                "ran too late",
                HealthCheck::Checks,
                &[(8, T::Running, Fine), (10, T::Running, Fine)],
                Some((false, "Task not running for min_healthy_time of 3s by healthy_deadline of 10s")),
            ),
        ];
        for (name, mode, looks, want) in rows {
            let start = Instant::now();
            let rules = Rules { mode, min_healthy_time: Duration::from_secs(3), deadline: Duration::from_secs(10) };
            let (mut tracker, group) = (Tracker::new(rules, start), group());
            let mut verdict = None;
            for (at, phase, checks) in looks {
                let of = |task: &str| (task == "app").then(|| state(*phase));
                verdict = tracker.observe(start + Duration::from_secs(*at), &group, &of, *checks);
            }
            let got = verdict.map(|verdict| (verdict.healthy, verdict.events.first().map(|(_, text)| text.clone()).unwrap_or_default()));
            assert_eq!(got, want.map(|(healthy, text)| (healthy, text.to_owned())), "{name}");
        }
    }

    #[test]
    fn what_was_restarted_is_judged_by_what_checks_say_since() {
        let seconds = Duration::from_secs;
        for (name, mode, slowest, want) in [
            ("quick checks", HealthCheck::Checks, 2, 3),
            ("a slow check", HealthCheck::Checks, 4, 4),
            ("too slow a check", HealthCheck::Checks, 60, 5),
            ("checks are not asked", HealthCheck::TaskStates, 60, 3),
        ] {
            let rules = Rules { mode, min_healthy_time: seconds(3), deadline: seconds(10) };
            assert_eq!(rules.after_restart(seconds(slowest)), Rules { min_healthy_time: seconds(want), ..rules }, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_asks_to_be_looked_at_when_time_decides() {
        let start = Instant::now();
        let rules = Rules { mode: HealthCheck::TaskStates, min_healthy_time: Duration::from_secs(3), deadline: Duration::from_secs(10) };
        let mut tracker = Tracker::new(rules, start);
        assert_eq!(tracker.next(), Some(start + Duration::from_secs(10)));
        tracker.observe(start + Duration::from_secs(1), &group(), &|_| Some(state(T::Running)), Checks::Fine);
        assert_eq!(tracker.next(), Some(start + Duration::from_secs(4)));
        tracker.observe(start + Duration::from_secs(4), &group(), &|_| Some(state(T::Running)), Checks::Fine);
        assert_eq!(tracker.next(), None, "it has answered");
    }
}
