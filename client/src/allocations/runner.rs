//! One allocation from its arrival until nothing of it runs any more.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_integrations::registry::Health;
use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus, NetworkStatus, TaskPhase, TaskState},
    ids::DeploymentId,
    job::{Task, TaskGroup},
};
use futures::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};

pub(crate) use inherit::Previous;

use super::{
    client_status,
    lifecycle::{Cause, View},
};
use crate::{
    health::{Rules, Tracker},
    limits,
    services::{Placed, Target},
    shared::Shared,
    state::SavedTask,
    tasks::{self, Board, Control, Kill, Scope, Start, events},
};

mod act;
mod inherit;
mod stop;
mod watching;

/// What is asked of an allocation from outside.
#[derive(Debug)]
pub(crate) enum AllocCommand {
    /// One task; without a name all that run, or (`all`) every one.
    Restart {
        task: Option<String>,
        all: bool,
        reply: oneshot::Sender<Result<(), String>>,
    },
    Signal {
        task: Option<String>,
        signal: String,
        reply: oneshot::Sender<Result<(), String>>,
    },
    Scopes {
        reply: oneshot::Sender<Vec<Arc<Scope>>>,
    },
    /// Ends it although the servers want it to run: the node is going away.
    Stop,
    /// The same, at once.
    Kill,
}

/// How a runner begins.
#[derive(Debug, Default)]
pub(crate) struct Begin {
    pub(crate) tasks: BTreeMap<String, SavedTask>,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
    /// The agent was started anew and the tasks may still run.
    pub(crate) restored: bool,
    /// Dropped once what the allocation offers has been declared.
    pub(crate) declared: Option<mpsc::Sender<()>>,
    /// Whose data it takes over.
    pub(crate) previous: Option<Previous>,
}

struct TaskHold {
    scope: Arc<Scope>,
    gate: watch::Sender<bool>,
    kill: watch::Sender<Option<Kill>>,
    control: mpsc::Sender<Control>,
}

/// Stopping is under way: deregistering, waiting, killing in order.
enum Stopping {
    No,
    Yes(BoxFuture<'static, ()>),
    /// All that was to be stopped has been told; its end is awaited by its state.
    Told,
}

pub(crate) struct Runner {
    shared: Arc<Shared>,
    allocation: watch::Receiver<Arc<Allocation>>,
    commands: mpsc::Receiver<AllocCommand>,
    board: Arc<Board>,
    tasks: BTreeMap<String, TaskHold>,
    runners: JoinSet<()>,
    stopping: Stopping,
    health: Option<Tracker>,
    /// The deployment that the health is judged for.
    tracked: Option<DeploymentId>,
    /// Its tasks still have to take changed templates in.
    awaits_turn: bool,
    status: Option<AllocDeploymentStatus>,
    placed: Vec<Placed>,
    /// What the catalogues say of the checks, by catalogue.
    checks: BTreeMap<Target, watch::Receiver<Arc<Health>>>,
    check_restarts: watching::CheckRestarts,
    scripts: JoinSet<()>,
    /// Answers to commands that are on their way.
    replies: JoinSet<()>,
    last_report: Option<AllocationReport>,
    /// When `max_run_duration` ends it.
    ends: Option<Instant>,
    /// Told how it is, for whoever looks.
    view: watch::Sender<ClientStatus>,
}

impl Runner {
    pub(crate) fn new(
        shared: Arc<Shared>,
        allocation: watch::Receiver<Arc<Allocation>>,
        commands: mpsc::Receiver<AllocCommand>,
        view: watch::Sender<ClientStatus>,
        begin: &Begin,
    ) -> Self {
        let states = begin.tasks.iter().map(|(name, saved)| (name.clone(), saved.state.clone())).collect();
        Self {
            shared,
            allocation,
            commands,
            board: Arc::new(Board::new(states)),
            tasks: BTreeMap::new(),
            runners: JoinSet::new(),
            stopping: Stopping::No,
            health: None,
            tracked: None,
            awaits_turn: false,
            status: begin.deployment_status,
            placed: Vec::new(),
            checks: BTreeMap::new(),
            check_restarts: watching::CheckRestarts::default(),
            scripts: JoinSet::new(),
            replies: JoinSet::new(),
            last_report: None,
            ends: None,
            view,
        }
    }

    /// Runs until every task has ended for good and all that the allocation had outside is gone.
    pub(crate) async fn run(mut self, begin: Begin) {
        let Begin { tasks, restored, declared, previous, .. } = begin;
        let allocation = self.current();
        let Some(group) = allocation.group().cloned() else {
            return tracing::error!(alloc = %allocation.id, "an allocation names a group that its job does not have");
        };
        self.ends = group.max_run_duration.map(|most| {
            // What had passed before the agent was restarted counts.
            let begun = self.board.all().values().map(|state| state.started_at.0).filter(|at| !at.is_never()).min();
            Instant::now() + most.saturating_sub(begun.map_or(Duration::ZERO, |begun| self.shared.now().since(begun)))
        });
        if let Some(previous) = previous {
            for task in &group.tasks {
                self.board.update(&task.name, |_| {});
            }
            self.report(&allocation);
            if !self.inherit(previous).await {
                self.board.all().keys().for_each(|task| drop(self.board.update(task, |state| state.state = TaskPhase::Dead)));
                return self.end().await;
            }
        }
        self.begin_health(&allocation, &group);
        for task in &group.tasks {
            let saved = tasks.get(&task.name).cloned().unwrap_or_default();
            let start = if restored { Start::Restored } else { Start::Fresh };
            if saved.state.state != TaskPhase::Dead {
                self.spawn(task, saved, start);
            }
        }
        let mut changes = self.board.changes();
        self.settle();
        // What it offers has been declared.
        drop(declared);
        while !self.is_over() {
            self.turn(&mut changes).await;
            self.settle();
        }
        self.end().await;
    }

    fn current(&self) -> Arc<Allocation> {
        Arc::clone(&self.allocation.borrow())
    }

    fn spawn(&mut self, task: &Task, saved: SavedTask, start: Start) {
        let (control, controls) = mpsc::channel(limits::COMMAND_QUEUE);
        let (gate, gated) = watch::channel(false);
        let (kill, killed) = watch::channel(None);
        let board = Arc::clone(&self.board);
        // Present from the first moment, so that the allocation's status counts it.
        board.update(&task.name, |_| {});
        let scope = Arc::new(Scope::new(Arc::clone(&self.shared), self.allocation.clone(), task, board, control.clone(), saved));
        let runner = tasks::Runner::new(Arc::clone(&scope), gated, killed, controls);
        self.runners.spawn(runner.run(start));
        self.tasks.insert(task.name.clone(), TaskHold { scope, gate, kill, control });
    }

    /// Waits for the next thing to happen, and takes it in.
    async fn turn(&mut self, changes: &mut watch::Receiver<u64>) {
        let disconnect = self.disconnect_deadline();
        let deadline = [self.health.as_ref().and_then(Tracker::next), self.ends, self.check_restarts.next(), disconnect];
        let deadline = deadline.into_iter().flatten().min();
        let mut contact = self.shared.contact.subscribe();
        tokio::select! {
            _ = changes.changed() => {}
            changed = self.allocation.changed() => {
                // The client has let go of it: it is stopping, and leaves the tasks as they are.
                if changed.is_err() { std::future::pending().await }
                self.updated();
            }
            Some(command) = self.commands.recv() => self.obey(command),
            () = watching::any_changed(&mut self.checks) => {}
            () = stop::proceed(&mut self.stopping) => self.stopping = Stopping::Told,
            () = sleep_until(deadline) => self.on_time(),
            // Word from the servers puts off the end of a group that may not run without them.
            _ = contact.changed(), if disconnect.is_some() => {}
        }
    }

    /// Draws every consequence of how things are now. Doing it twice changes nothing.
    fn settle(&mut self) {
        let allocation = self.current();
        let Some(group) = allocation.group() else { return };
        let states = self.board.all();
        if allocation.is_server_terminal() {
            self.begin_stop();
        }
        self.conduct(group, &states);
        self.sync_services(&allocation, group, &states);
        if self.awaits_turn && allocation.turn().is_none_or(|turn| self.board.has_taken(group, turn)) {
            self.begin_health(&allocation, group);
        }
        self.judge(group, &states);
        self.report(&allocation);
    }

    /// Opens gates and ends those whom their siblings' fate ends.
    fn conduct(&mut self, group: &TaskGroup, states: &BTreeMap<String, TaskState>) {
        let view = View::new(group, states);
        let stopping = !matches!(self.stopping, Stopping::No);
        let condemned = view.condemned();
        for task in &group.tasks {
            let Some(hold) = self.tasks.get(&task.name) else { continue };
            let doomed = condemned.iter().any(|(name, _)| *name == task.name);
            let last = super::lifecycle::turn(task) == super::lifecycle::Turn::Last;
            if view.may_start(task) && !doomed && (!stopping || last) {
                hold.gate.send_if_modified(|open| !std::mem::replace(open, true));
            }
        }
        for (name, cause) in condemned {
            let now = self.shared.now();
            let event = match &cause {
                Cause::LeaderDead => events::leader_dead(now),
                Cause::MainDead => events::main_dead(now),
                Cause::SiblingFailed(sibling) => events::sibling_failed(now, sibling),
            };
            self.kill(&name, Kill { event: Some(event), ..Kill::default() });
        }
    }

    fn kill(&self, task: &str, kill: Kill) {
        if let Some(hold) = self.tasks.get(task) {
            hold.kill.send_if_modified(|present| {
                present.is_none() && {
                    *present = Some(kill);
                    true
                }
            });
        }
    }

    fn is_over(&self) -> bool {
        self.board.all().values().all(|state| state.state == TaskPhase::Dead) && !matches!(self.stopping, Stopping::Yes(_))
    }

    fn report(&mut self, allocation: &Allocation) {
        let states = self.board.all();
        let (client_status, description) = client_status(allocation, &states);
        // The last word comes after the clean-up, so that who waits for it finds nothing left.
        if client_status.is_terminal() {
            return;
        }
        self.send(allocation, client_status, description, states);
    }

    fn send(&mut self, allocation: &Allocation, client_status: ClientStatus, description: &str, states: BTreeMap<String, TaskState>) {
        let deployment_status = self.status.map(|status| AllocDeploymentStatus { canary: allocation.is_canary(), ..status });
        let report = AllocationReport {
            id: Some(allocation.id),
            client_status,
            client_description: description.into(),
            task_states: states.into_iter().map(|(name, state)| (name.into(), state)).collect(),
            deployment_status,
            deployment_id: self.tracked,
            network_status: Some(NetworkStatus::default()),
            templates_waiting: self.board.waiting(),
        };
        if self.last_report.as_ref() != Some(&report) {
            self.shared.reports.push(allocation.id, report.clone());
            self.view.send_replace(client_status);
            self.last_report = Some(report);
        }
    }

    /// Nothing runs any more.
    async fn end(mut self) {
        let allocation = self.current();
        self.scripts.abort_all();
        self.shared.registries.remove(allocation.id).await;
        while self.runners.join_next().await.is_some() {}
        let states = self.board.all();
        let (status, description) = client_status(&allocation, &states);
        if self.status.is_none_or(|status| status.healthy.is_none())
            && let Some(group) = allocation.group()
        {
            self.judge(group, &states);
        }
        self.send(&allocation, status, description, self.board.all());
    }
}

/// Never, without a deadline.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
