//! Services, their checks, and what follows from both: health, and restarts of tasks whose checks stay bad.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_integrations::registry::Health;
use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, TaskEvent, TaskPhase, TaskState},
    ids::DeploymentId,
    job::{CheckRestart, TaskGroup},
    service::CheckStatus,
    time::UnixNanos,
};
use futures::future::select_all;
use tokio::{sync::watch, time::Instant};

use super::{Rules, Runner, Stopping, Target, Tracker};
use crate::{
    environment::{Environment, Inputs},
    health::Checks,
    services::{Placed, Standing, desired},
    tasks::{Scope, events},
};

/// Resolves when what any catalogue says has changed.
pub(super) async fn any_changed(checks: &mut BTreeMap<Target, watch::Receiver<Arc<Health>>>) {
    // One whose catalogue is gone never changes again.
    let one = |receiver| {
        Box::pin(async move {
            let receiver: &mut watch::Receiver<Arc<Health>> = receiver;
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    };
    let all: Vec<_> = checks.values_mut().map(one).collect();
    if all.is_empty() { std::future::pending().await } else { drop(select_all(all).await) }
}

impl Runner {
    pub(super) fn tracked_deployment(&self) -> Option<DeploymentId> {
        self.tracked
    }

    /// Begins to judge the allocation's health, if anybody asks for it and it is not known.
    pub(super) fn begin_health(&mut self, allocation: &Allocation, group: &TaskGroup) {
        self.tracked = allocation.deployment_id;
        // Before it has taken its changed templates in, its health would be that of the old ones.
        self.awaits_turn = allocation.turn().is_some_and(|turn| !self.board.has_taken(group, turn));
        let known = self.status.or(allocation.deployment_status).and_then(|status| status.healthy);
        let rules = Rules::of(allocation, group).filter(|_| known.is_none() && !self.awaits_turn);
        let checks = self.placed.iter().flat_map(|placed| &placed.checks);
        let slowest = checks.map(|check| check.interval + check.timeout).max().unwrap_or_default();
        let rules = rules.map(|rules| if allocation.turn().is_some() { rules.after_restart(slowest) } else { rules });
        self.health = rules.map(|rules| Tracker::new(rules, Instant::now()));
        self.subscribe_checks();
    }

    /// Brings the catalogues in line with the tasks' states.
    pub(super) fn sync_services(&mut self, allocation: &Allocation, group: &TaskGroup, states: &BTreeMap<String, TaskState>) {
        if !matches!(self.stopping, Stopping::No) || group.all_services().next().is_none() {
            return;
        }
        let placed = self.wanted_services(allocation, group, states);
        if placed == self.placed {
            return;
        }
        self.shared.registries.set(allocation, &placed);
        self.run_scripts(&placed);
        self.placed = placed;
        self.subscribe_checks();
    }

    /// Looks at the checks as often as somebody waits for them: a deployment often, a restart rule now and then, otherwise nobody.
    fn subscribe_checks(&mut self) {
        let waited_for = self.health.is_some();
        let alloc = self.current().id;
        self.checks.clear();
        for one in &self.placed {
            let target = self.shared.registries.target(one);
            let wanted = waited_for || one.checks.iter().any(|check| check.restart.is_some());
            if wanted
                && !self.checks.contains_key(&target)
                && let Some(receiver) = self.shared.registries.health(alloc, &target, waited_for)
            {
                self.checks.insert(target, receiver);
            }
        }
    }

    fn wanted_services(&self, allocation: &Allocation, group: &TaskGroup, states: &BTreeMap<String, TaskState>) -> Vec<Placed> {
        if states.values().all(|state| state.state == TaskPhase::Dead) {
            return Vec::new();
        }
        let node = self.shared.node();
        let added = BTreeMap::new();
        let region = &self.shared.config.region;
        let group_environment = Environment::build(Inputs {
            node: &node,
            region,
            allocation,
            group,
            task: None,
            dirs: None,
            host: None,
            denied: &[],
            added: &added,
        });
        let with_services = self.tasks.iter().filter(|(name, _)| group.task(name).is_some_and(|task| !task.services.is_empty()));
        let task_environments = with_services.map(|(name, hold)| (name.clone(), hold.scope.environment())).collect();
        let host_ip = self.shared.host_ip();
        desired(&Standing {
            allocation,
            group,
            host_ip: &host_ip,
            runs: &|name| states.get(name).is_some_and(|state| state.state == TaskPhase::Running),
            has_run: &|name| states.get(name).is_some_and(|state| !state.started_at.is_never()),
            group_environment: &group_environment,
            task_environments: &task_environments,
        })
    }

    /// Scripts are checks that this client runs in the surroundings of a task.
    fn run_scripts(&mut self, placed: &[Placed]) {
        self.scripts.abort_all();
        for one in placed {
            let target = self.shared.registries.target(one);
            for check in &one.checks {
                let (Some(command), Some(hold)) = (check.script.clone(), self.tasks.get(&check.task)) else { continue };
                let (scope, target, check) = (Arc::clone(&hold.scope), target.clone(), check.clone());
                self.scripts.spawn(async move {
                    loop {
                        let (status, output) = run_script(&scope, &command, check.timeout).await;
                        scope.shared.registries.report(&target, &check.id, status, &output);
                        tokio::time::sleep(check.interval).await;
                    }
                });
            }
        }
    }

    /// Looks at health with what is known now, and tells.
    pub(super) fn judge(&mut self, group: &TaskGroup, states: &BTreeMap<String, TaskState>) {
        let statuses = self.check_statuses();
        self.watch_checks(&statuses, states);
        let checks = if self.checks_fine(group, &statuses) { Checks::Fine } else { Checks::NotYet };
        let Some(tracker) = &mut self.health else { return };
        let Some(verdict) = tracker.observe(Instant::now(), group, &|name| states.get(name).cloned(), checks) else { return };
        let allocation = self.current();
        let now = self.shared.now();
        for (task, text) in verdict.events {
            self.board.update(&task, |state| state.push(events::unhealthy(now, &text)));
        }
        let healthy = Some(verdict.healthy);
        let status = AllocDeploymentStatus { healthy, timestamp: now.into(), canary: allocation.is_canary(), modify_index: 0 };
        self.shared.state.put_health(allocation.id, &status);
        self.status = Some(status);
        self.health = None;
        self.subscribe_checks();
    }

    /// By check id; empty while a catalogue does not know the services.
    fn check_statuses(&mut self) -> BTreeMap<String, CheckStatus> {
        let mut statuses = BTreeMap::new();
        for receiver in self.checks.values_mut() {
            let health = receiver.borrow_and_update();
            if health.registered {
                statuses.extend(health.checks.iter().map(|(id, state)| (id.clone(), state.status)));
            }
        }
        statuses
    }

    fn checks_fine(&self, group: &TaskGroup, statuses: &BTreeMap<String, CheckStatus>) -> bool {
        let registered = self.checks.values().all(|receiver| receiver.borrow().registered);
        let stands = group.all_services().count() == self.placed.len();
        let mut checks = self.placed.iter().flat_map(|placed| &placed.checks);
        stands && registered && checks.all(|check| statuses.get(&check.id).is_some_and(|status| check.on_update.accepts(*status)))
    }

    fn watch_checks(&mut self, statuses: &BTreeMap<String, CheckStatus>, states: &BTreeMap<String, TaskState>) {
        let now = Instant::now();
        for check in self.placed.iter().flat_map(|placed| &placed.checks) {
            let Some(rule) = &check.restart else { continue };
            let started = states.get(&check.task).filter(|state| state.state == TaskPhase::Running).map(|state| state.restarts);
            let status = statuses.get(&check.id).copied().unwrap_or(CheckStatus::Passing);
            self.check_restarts.observe(now, &check.id, &check.name, &check.task, rule, check.interval, started, status);
        }
    }
}

async fn run_script(scope: &Scope, command: &[String], limit: Duration) -> (CheckStatus, String) {
    let (Some((task, handle)), Some(driver)) = (scope.running(), scope.driver.as_ref()) else {
        return (CheckStatus::Critical, "the task is not running".to_owned());
    };
    match driver.exec(&task, &handle, command, limit).await {
        Ok(output) => {
            let status = match output.code {
                0 => CheckStatus::Passing,
                1 => CheckStatus::Warning,
                _ => CheckStatus::Critical,
            };
            let text = String::from_utf8_lossy(&output.output[..output.output.len().min(crate::limits::CHECK_OUTPUT_BYTES)]).into_owned();
            (status, text)
        }
        Err(error) => (CheckStatus::Critical, error.text),
    }
}

/// Checks that restart their task when they stay bad: since when each has been.
#[derive(Debug, Default)]
pub(super) struct CheckRestarts {
    watched: BTreeMap<String, Bad>,
}

#[derive(Debug)]
struct Bad {
    name: String,
    task: String,
    /// The run of the task that is looked at, and until when it has its grace.
    run: u64,
    grace_ends: Instant,
    /// When the task is restarted, if the check stays bad.
    due: Option<Instant>,
}

impl CheckRestarts {
    pub(super) fn next(&self) -> Option<Instant> {
        self.watched.values().filter_map(|bad| bad.due).min()
    }

    #[expect(clippy::too_many_arguments, reason = "the facts about one check, each of which decides")]
    fn observe(
        &mut self,
        now: Instant,
        id: &str,
        name: &str,
        task: &str,
        rule: &CheckRestart,
        interval: Duration,
        run: Option<u64>,
        status: CheckStatus,
    ) {
        let Some(run) = run else {
            self.watched.remove(id);
            return;
        };
        let fresh = || Bad { name: name.to_owned(), task: task.to_owned(), run, grace_ends: now + rule.grace, due: None };
        let bad = self.watched.entry(id.to_owned()).or_insert_with(fresh);
        if bad.run != run {
            *bad = fresh();
        }
        let is_bad = match status {
            CheckStatus::Passing => false,
            CheckStatus::Warning => !rule.ignore_warnings,
            CheckStatus::Critical => true,
        };
        if !is_bad {
            bad.due = None;
        } else if bad.due.is_none() {
            // Bad in `limit` looks in a row: this one and so many intervals.
            bad.due = Some(now.max(bad.grace_ends) + interval * rule.limit.saturating_sub(1));
        }
    }

    /// The tasks to restart now.
    pub(super) fn due(&mut self, now: Instant, clock: UnixNanos) -> Vec<(String, TaskEvent)> {
        let mut due = Vec::new();
        for bad in self.watched.values_mut().filter(|bad| bad.due.is_some_and(|at| at <= now)) {
            bad.due = None;
            let event = events::restart_signaled(clock, &format!("healthcheck: check {:?} unhealthy", bad.name));
            due.push((bad.task.clone(), event));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_stays_bad_restarts_its_task_after_the_grace() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let rule = CheckRestart { limit: 3, grace: Duration::from_secs(10), ignore_warnings: true };
        let mut restarts = CheckRestarts::default();
        let mut look = |now, run, status| {
            restarts.observe(at(now), "id", "ready", "app", &rule, Duration::from_secs(2), run, status);
            restarts.next().map(|due| (due - start).as_secs())
        };
        for (name, now, run, status, want) in [
            ("good", 0, Some(0), CheckStatus::Passing, None),
            ("bad in its grace", 1, Some(0), CheckStatus::Critical, Some(14)),
            ("still bad", 3, Some(0), CheckStatus::Critical, Some(14)),
            ("good again", 5, Some(0), CheckStatus::Passing, None),
            ("a warning is ignored", 6, Some(0), CheckStatus::Warning, None),
            ("bad after the grace", 20, Some(0), CheckStatus::Critical, Some(24)),
            ("another run has a grace of its own", 22, Some(1), CheckStatus::Critical, Some(36)),
            ("not running", 23, None, CheckStatus::Critical, None),
        ] {
            assert_eq!(look(now, run, status), want, "{name}");
        }
        look(30, Some(2), CheckStatus::Critical);
        assert!(restarts.due(at(43), UnixNanos(1)).is_empty());
        let due = restarts.due(at(44), UnixNanos(1));
        assert_eq!(due[0].0, "app");
        assert_eq!(due[0].1.display_message, "healthcheck: check \"ready\" unhealthy");
        assert!(restarts.due(at(45), UnixNanos(1)).is_empty(), "told once");
    }
}
