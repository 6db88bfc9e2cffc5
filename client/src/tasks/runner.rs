//! One task from its arrival to its end.

use std::{sync::Arc, time::Duration};

use drover_model::{
    allocation::{TaskEvent, TaskPhase},
    job::{LifecycleHook, Task},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Control, Kill, Scope, events,
    hooks::{self, HookError},
    restart::{Decision, Tracker},
};
use crate::{
    drivers::{Driver, DriverError, Exit, TaskConfig, TaskHandle},
    limits,
};

mod attend;
mod start;

pub(crate) use start::task_config;

/// How a runner begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The task has not run here.
    Fresh,
    /// An earlier agent may have started it.
    Restored,
    /// It has ended and somebody wants it to run again.
    Again,
}

pub(crate) struct Runner {
    pub(crate) scope: Arc<Scope>,
    /// Whether it may start.
    pub(crate) gate: watch::Receiver<bool>,
    pub(crate) kill: watch::Receiver<Option<Kill>>,
    pub(crate) control: mpsc::Receiver<Control>,
    restarts: Tracker,
    /// Whether what comes before a first start has been done by this runner.
    prepared: bool,
}

/// Why a task is not running any more.
#[derive(Debug)]
enum End {
    /// By itself.
    Exited(Exit),
    /// Somebody asked for a restart.
    Restart,
    /// It counts as failed, and the policy decides.
    Failed,
    /// It counts as failed, for good.
    Doomed,
    Killed,
}

/// What follows.
#[derive(Debug)]
enum Next {
    Start,
    Dead { failed: bool },
}

impl Runner {
    pub(crate) fn new(
        scope: Arc<Scope>,
        gate: watch::Receiver<bool>,
        kill: watch::Receiver<Option<Kill>>,
        control: mpsc::Receiver<Control>,
    ) -> Self {
        Self { scope, gate, kill, control, restarts: Tracker::new(), prepared: false }
    }

    /// Runs until the task has ended for good.
    pub(crate) async fn run(mut self, start: Start) {
        let restored = match start {
            Start::Restored => self.restore().await,
            Start::Fresh | Start::Again => None,
        };
        if restored.is_none() && self.scope.board.get(&self.scope.name).is_none_or(|state| state.events.is_empty()) {
            self.scope.event(events::received(self.scope.now()));
            self.scope.save(|_| {});
        }
        let failed = if restored.is_some() || self.wait_for_turn().await { self.live(restored).await } else { self.killed_before_start() };
        self.finish(failed).await;
    }

    /// Whether the task's turn has come; false: it is to end instead.
    async fn wait_for_turn(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                _ = killed(&mut self.kill) => return false,
                opened = self.gate.wait_for(|open| *open) => return opened.is_ok(),
                Some(control) = self.control.recv() => refuse(control),
            }
        }
    }

    fn killed_before_start(&mut self) -> bool {
        if let Some(event) = self.kill.borrow().as_ref().and_then(|kill| kill.event.clone()) {
            self.scope.event(event);
        }
        self.scope.event(events::killed(self.scope.now(), ""));
        false
    }

    /// Starts the task again and again; whether it has failed in the end.
    async fn live(&mut self, mut restored: Option<TaskHandle>) -> bool {
        loop {
            let begun = match restored.take() {
                Some(handle) => Ok(handle),
                None => self.begin().await,
            };
            let next = match begun {
                Ok(handle) => {
                    let end = self.attend(&handle).await;
                    self.after(end).await
                }
                Err(Failure::Killed) => Next::Dead { failed: self.killed_before_start() },
                Err(Failure::Doomed) => Next::Dead { failed: true },
                Err(Failure::Again) => self.by_policy().await,
            };
            match next {
                Next::Start => {
                    if self.scope.task().restart_policy.render_templates {
                        self.prepared = false;
                        self.scope.renew_hooks();
                    }
                }
                Next::Dead { failed } => return failed,
            }
        }
    }

    async fn after(&mut self, end: End) -> Next {
        match end {
            End::Killed => Next::Dead { failed: false },
            End::Doomed => Next::Dead { failed: true },
            End::Restart => {
                self.note_restart(Duration::ZERO, "");
                Next::Start
            }
            End::Exited(exit) if exit.is_success() && self.is_done_when_it_exits() => Next::Dead { failed: false },
            End::Exited(_) | End::Failed => self.by_policy().await,
        }
    }

    /// A batch task that ends well is done, and so is one that only runs before, after or between the main ones.
    fn is_done_when_it_exits(&self) -> bool {
        let lifecycle = self.scope.task().lifecycle;
        match lifecycle {
            Some(lifecycle) => !lifecycle.sidecar || lifecycle.hook == LifecycleHook::Poststop,
            None => self.scope.allocation().job.kind.runs_to_completion(),
        }
    }

    async fn by_policy(&mut self) -> Next {
        let policy = self.scope.task().restart_policy;
        let random = &self.scope.shared.runtime.random;
        match self.restarts.next(&policy, Instant::now(), |bound| random.jitter(bound)) {
            Decision::Fail { reason } => {
                self.scope.event(events::not_restarting(self.scope.now(), &reason));
                Next::Dead { failed: true }
            }
            Decision::Restart { delay, reason } => {
                self.note_restart(delay, &reason);
                self.rest(delay).await
            }
        }
    }

    fn note_restart(&self, delay: Duration, reason: &str) {
        let now = self.scope.now();
        self.scope.board.update(&self.scope.name, |state| {
            state.state = TaskPhase::Pending;
            state.restarts += 1;
            state.last_restart = now.into();
            state.push(events::restarting(now, delay, reason));
        });
        self.scope.save(|_| {});
    }

    /// Waits for a restart's delay. A user who wants it now does not wait.
    async fn rest(&mut self, delay: Duration) -> Next {
        let over = tokio::time::sleep(delay);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                _ = killed(&mut self.kill) => return Next::Dead { failed: self.killed_before_start() },
                () = &mut over => return Next::Start,
                Some(control) = self.control.recv() => match control {
                    Control::Restart { event, reply: Some(reply) } => {
                        self.scope.event(event);
                        let _ = reply.send(Ok(()));
                        return Next::Start;
                    }
                    Control::Doom { event } => {
                        self.scope.event(event);
                        return Next::Dead { failed: true };
                    }
                    other => refuse(other),
                },
            }
        }
    }

    async fn finish(&mut self, failed: bool) {
        self.scope.stop.cancel();
        hooks::stop(&self.scope).await;
        self.scope.board.set_waiting(&self.scope.name, "");
        let now = self.scope.now();
        self.scope.board.update(&self.scope.name, |state| {
            state.state = TaskPhase::Dead;
            state.failed = failed;
            state.finished_at = now.into();
        });
        self.scope.save(|saved| saved.handle = None);
        self.control.close();
        while let Some(control) = self.control.recv().await {
            refuse(control);
        }
    }
}

/// Why a task could not be started.
#[derive(Debug)]
enum Failure {
    Killed,
    /// For good.
    Doomed,
    /// The restart policy decides.
    Again,
}

/// Resolves once the task shall end.
async fn killed(kill: &mut watch::Receiver<Option<Kill>>) -> Kill {
    let wanted = kill.wait_for(Option::is_some).await.map(|kill| kill.clone());
    match wanted {
        Ok(kill) => kill.unwrap_or_default(),
        // Its allocation's runner is gone: the client is stopping and leaves its tasks alone.
        Err(_) => std::future::pending().await,
    }
}

/// Resolves once the task shall end without any patience.
async fn killed_at_once(kill: &mut watch::Receiver<Option<Kill>>) {
    if kill.wait_for(|kill| kill.as_ref().is_some_and(|kill| kill.at_once)).await.is_err() {
        std::future::pending().await
    }
}

/// Answers whatever is asked while the task is being made ready, for as long as it is polled.
async fn refuse_meanwhile(controls: &mut mpsc::Receiver<Control>) {
    while let Some(control) = controls.recv().await {
        refuse(control);
    }
    std::future::pending().await
}

/// Answers what cannot be done to a task that does not run.
fn refuse(control: Control) {
    if let Control::Restart { reply: Some(reply), .. } | Control::Signal { reply: Some(reply), .. } = control {
        let _ = reply.send(Err("Task not running".to_owned()));
    }
}
