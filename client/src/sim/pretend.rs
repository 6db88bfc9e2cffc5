//! Tasks that are pretended: each allocation starts, becomes healthy and ends when its time has come.
//!
//! All tasks of an allocation start and end together, and none is restarted: what is simulated is the servers' work, not the client's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus, TaskPhase, TaskState, client_description},
    ids::AllocId,
    rpc::node::NodeAllocationsItem,
    time::UnixNanos,
};
use drover_runtime::Runtime;
use tokio::{sync::mpsc, time::Instant};

use super::SimConfig;
use crate::{
    drivers::{Exit, mock::Settings},
    health::Rules,
    reports::Reports,
    tasks::events,
};

pub(super) struct Pretend<'a> {
    config: Arc<SimConfig>,
    runtime: Runtime,
    reports: &'a Reports,
    runs: BTreeMap<AllocId, Run>,
    /// When something is to happen to which.
    due: BTreeSet<(Instant, AllocId)>,
}

/// One allocation.
struct Run {
    allocation: Allocation,
    stage: Stage,
    started_at: UnixNanos,
    healthy_at: Option<UnixNanos>,
    /// What the times of its health are counted from.
    since: Instant,
    ends: Option<Instant>,
}

enum Stage {
    Pending,
    Running,
    Over { exit: Exit, at: UnixNanos },
}

impl<'a> Pretend<'a> {
    pub(super) fn new(config: Arc<SimConfig>, runtime: &Runtime, reports: &'a Reports) -> Self {
        Self { config, runtime: runtime.clone(), reports, runs: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// Pretends for as long as the servers' items come.
    pub(super) async fn run(mut self, mut items: mpsc::Receiver<NodeAllocationsItem>) {
        loop {
            let next = self.due.first().map(|(at, _)| *at);
            tokio::select! {
                biased;
                item = items.recv() => match item {
                    Some(item) => self.take(item),
                    None => return,
                },
                () = crate::allocations::sleep_until(next) => {}
            }
            self.proceed(Instant::now());
        }
    }

    fn take(&mut self, item: NodeAllocationsItem) {
        let (complete, removed) = (item.complete, item.removed);
        let allocations = item.allocations.into_allocations();
        if complete {
            let named: BTreeSet<AllocId> = allocations.iter().map(|allocation| allocation.id).collect();
            self.runs.retain(|id, _| named.contains(id));
        }
        for id in removed {
            self.runs.remove(&id);
        }
        for allocation in allocations {
            self.take_one(allocation);
        }
    }

    fn take_one(&mut self, allocation: Allocation) {
        let (id, now) = (allocation.id, Instant::now());
        // What it was given and why is of no use here, and there may be many.
        let allocation = Allocation { metrics: Arc::default(), resources: Arc::default(), ..allocation };
        let ends_here = allocation.is_server_terminal();
        let Some(run) = self.runs.get_mut(&id) else {
            if !allocation.is_client_terminal() {
                self.begin(allocation, ends_here);
            }
            return;
        };
        let lost = allocation.client_status == ClientStatus::Unknown;
        if run.allocation.deployment_id != allocation.deployment_id {
            (run.healthy_at, run.since) = (None, now);
        }
        run.allocation = allocation;
        if ends_here && !matches!(run.stage, Stage::Over { .. }) {
            run.stage = Stage::Over { exit: Exit::default(), at: self.runtime.clock.now() };
            self.report(id);
        } else if lost {
            self.report(id);
        }
        self.due.insert((now, id));
    }

    fn begin(&mut self, allocation: Allocation, ends_here: bool) {
        let (id, now) = (allocation.id, Instant::now());
        let at = self.runtime.clock.now();
        let stage = if ends_here { Stage::Over { exit: Exit::default(), at } } else { Stage::Pending };
        self.runs.insert(id, Run { allocation, stage, started_at: UnixNanos::NEVER, healthy_at: None, since: now, ends: None });
        if ends_here {
            return self.report(id);
        }
        let spread = self.runtime.random.jitter(self.config.start_spread);
        self.due.insert((now + self.config.start_after + spread, id));
    }

    /// Does what is due.
    fn proceed(&mut self, now: Instant) {
        while let Some((_, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let (at, config) = (self.runtime.clock.now(), Arc::clone(&self.config));
            let Some(run) = self.runs.get_mut(&id) else { continue };
            let (changed, next) = run.proceed(now, at, &config);
            if let Some(next) = next {
                self.due.insert((next, id));
            }
            if changed {
                self.report(id);
            }
        }
    }

    fn report(&self, id: AllocId) {
        if let Some(run) = self.runs.get(&id) {
            self.reports.push(id, run.report());
        }
    }
}

impl Run {
    /// Goes on as far as it is; whether that is news, and when to look again.
    fn proceed(&mut self, now: Instant, at: UnixNanos, config: &SimConfig) -> (bool, Option<Instant>) {
        let mut changed = false;
        if matches!(self.stage, Stage::Pending) {
            (self.stage, self.started_at, self.since, changed) = (Stage::Running, at, now, true);
            self.ends = self.lifetime(config).map(|lifetime| now + lifetime);
        }
        if !matches!(self.stage, Stage::Running) {
            return (changed, None);
        }
        if self.ends.is_some_and(|ends| ends <= now) {
            self.stage = Stage::Over { exit: self.exit(), at };
            return (true, None);
        }
        let healthy = self.healthy_from().filter(|_| self.healthy_at.is_none());
        match healthy {
            Some(from) if from <= now => {
                self.healthy_at = Some(at);
                (true, self.ends)
            }
            _ => (changed, [healthy, self.ends].into_iter().flatten().min()),
        }
    }

    /// When it will have run well for long enough, if somebody asks.
    fn healthy_from(&self) -> Option<Instant> {
        let rules = Rules::of(&self.allocation, self.allocation.group()?)?;
        Some(self.since + rules.min_healthy_time)
    }

    /// The configuration of its first task, if that is one of the pretending driver's.
    fn settings(&self) -> Option<Settings<'_>> {
        let task = self.allocation.group()?.tasks.iter().find(|task| task.lifecycle.is_none())?;
        task.config.as_ref().filter(|_| task.driver == "mock_driver").map(Settings)
    }

    fn lifetime(&self, config: &SimConfig) -> Option<Duration> {
        self.settings().and_then(|settings| settings.run_for()).or(config.run_for)
    }

    fn exit(&self) -> Exit {
        self.settings().map(|settings| settings.exit()).unwrap_or_default()
    }

    fn report(&self) -> AllocationReport {
        let (client_status, description) = match &self.stage {
            Stage::Pending => (ClientStatus::Pending, client_description::NOT_STARTED),
            Stage::Running => (ClientStatus::Running, client_description::RUNNING),
            Stage::Over { exit, .. } if exit.is_success() => (ClientStatus::Complete, client_description::COMPLETE),
            Stage::Over { .. } => (ClientStatus::Failed, client_description::FAILED),
        };
        let state = self.task_state();
        let tasks =
            self.allocation.group().map(|group| group.tasks.iter().map(|task| (task.name.as_str().into(), state.clone())).collect());
        let health = self.healthy_at.map(|at| AllocDeploymentStatus {
            healthy: Some(true),
            timestamp: at.into(),
            canary: self.allocation.is_canary(),
            ..AllocDeploymentStatus::default()
        });
        AllocationReport {
            id: Some(self.allocation.id),
            client_status,
            client_description: description.into(),
            task_states: tasks.unwrap_or_default(),
            deployment_status: health,
            ..AllocationReport::default()
        }
    }

    /// With the events that a real task has, whose size counts on the servers.
    fn task_state(&self) -> TaskState {
        let mut state = TaskState::default();
        if !self.started_at.is_never() {
            (state.state, state.started_at) = (TaskPhase::Running, self.started_at.into());
            for event in [events::received, events::setup, events::started] {
                state.push(event(self.started_at));
            }
        }
        if let Stage::Over { exit, at } = &self.stage {
            (state.state, state.finished_at, state.failed) = (TaskPhase::Dead, (*at).into(), !exit.is_success());
            state.push(events::terminated(*at, exit));
        }
        state
    }
}
