//! What comes from outside: changes of the allocation, commands, time.

use drover_model::allocation::{ClientStatus, TaskPhase};
use tokio::{sync::oneshot, time::Instant};

use super::{AllocCommand, Control, Runner, Start, Stopping};
use crate::{state::SavedTask, tasks::events};

impl Runner {
    /// The servers have changed something about it.
    pub(super) fn updated(&mut self) {
        let allocation = self.current();
        let Some(group) = allocation.group() else { return };
        if allocation.client_status == ClientStatus::Unknown {
            // They lost sight of it and are told again how it is, however little has changed here.
            self.last_report = None;
        }
        let tracked = self.tracked_deployment();
        if tracked != allocation.deployment_id && matches!(self.stopping, Stopping::No) {
            self.status = allocation.deployment_status;
            self.begin_health(&allocation, &group.clone());
        }
    }

    pub(super) fn on_time(&mut self) {
        let now = Instant::now();
        let silent = self.disconnect_deadline().is_some_and(|at| at <= now);
        if silent || self.ends.is_some_and(|at| at <= now) {
            self.ends = None;
            self.begin_stop();
        }
        for (task, event) in self.check_restarts.due(now, self.shared.now()) {
            if let Some(hold) = self.tasks.get(&task) {
                // A full queue means that the task is being dealt with already.
                let _ = hold.control.try_send(Control::Fail { event });
            }
        }
    }

    pub(super) fn obey(&mut self, command: AllocCommand) {
        while self.replies.try_join_next().is_some() {}
        match command {
            AllocCommand::Scopes { reply } => {
                let _ = reply.send(self.tasks.values().map(|hold| std::sync::Arc::clone(&hold.scope)).collect());
            }
            AllocCommand::Stop => self.begin_stop(),
            AllocCommand::Kill => self.kill_all(),
            AllocCommand::Restart { task, all, reply } => {
                let asked = self.restart(task, all);
                self.replies.spawn(answer(asked, reply));
            }
            AllocCommand::Signal { task, signal, reply } => {
                let asked = self.signal(task, &signal);
                self.replies.spawn(answer(asked, reply));
            }
        }
    }

    /// Task names that a command is about, or why there are none.
    fn meant(&self, task: Option<String>) -> Result<Vec<String>, String> {
        match task.filter(|name| !name.is_empty()) {
            Some(name) if self.board.get(&name).is_some() => Ok(vec![name]),
            Some(name) => Err(format!("Could not find task runner for task: {name}")),
            None => Ok(self.board.all().into_keys().collect()),
        }
    }

    fn phase(&self, task: &str) -> TaskPhase {
        self.board.get(task).map(|state| state.state).unwrap_or_default()
    }

    fn restart(&mut self, task: Option<String>, all: bool) -> Result<Answers, String> {
        let single = task.as_ref().is_some_and(|name| !name.is_empty());
        let reason = match (single, all) {
            (true, _) => "User requested task to restart",
            (false, true) => "User requested all tasks to restart",
            (false, false) => "User requested running tasks to restart",
        };
        let mut answers = Vec::new();
        for name in self.meant(task)? {
            let event = events::restart_signaled(self.shared.now(), reason);
            match self.phase(&name) {
                TaskPhase::Dead if all && matches!(self.stopping, Stopping::No) => self.start_again(&name, event),
                TaskPhase::Dead if !single => {}
                TaskPhase::Pending if !single => {}
                TaskPhase::Dead => return Err("Task not running".to_owned()),
                TaskPhase::Running | TaskPhase::Pending => {
                    let (reply, answer) = oneshot::channel();
                    self.ask(&name, Control::Restart { event, reply: Some(reply) })?;
                    answers.push(answer);
                }
            }
        }
        Ok(answers)
    }

    /// A task that has ended runs once more.
    fn start_again(&mut self, name: &str, event: drover_model::allocation::TaskEvent) {
        let allocation = self.current();
        let Some(task) = allocation.group().and_then(|group| group.task(name)).cloned() else { return };
        self.board.update(name, |state| {
            (state.state, state.failed) = (TaskPhase::Pending, false);
            state.push(event);
        });
        self.spawn(&task, SavedTask::default(), Start::Again);
    }

    fn signal(&mut self, task: Option<String>, signal: &str) -> Result<Answers, String> {
        let single = task.as_ref().is_some_and(|name| !name.is_empty());
        let mut answers = Vec::new();
        for name in self.meant(task)? {
            if self.phase(&name) != TaskPhase::Running {
                if single {
                    return Err("Task not running".to_owned());
                }
                continue;
            }
            let event = events::signaled(self.shared.now(), signal);
            let (reply, answer) = oneshot::channel();
            self.ask(&name, Control::Signal { signal: signal.to_owned(), event, reply: Some(reply) })?;
            answers.push(answer);
        }
        Ok(answers)
    }

    fn ask(&self, task: &str, control: Control) -> Result<(), String> {
        let hold = self.tasks.get(task).ok_or_else(|| "Task not running".to_owned())?;
        // A full queue is not waited for: the runner that would empty it may wait for this one.
        hold.control.try_send(control).map_err(|_| "Task not running".to_owned())
    }
}

/// What the runners of the tasks will say.
type Answers = Vec<oneshot::Receiver<Result<(), String>>>;

/// Hands all answers on; the first refusal counts. Not waited for by the allocation's runner, which a task's runner may in turn wait for.
async fn answer(asked: Result<Answers, String>, reply: oneshot::Sender<Result<(), String>>) {
    let collected = async {
        for answer in asked? {
            answer.await.unwrap_or_else(|_| Err("Task not running".to_owned()))?;
        }
        Ok(())
    };
    let _ = reply.send(collected.await);
}
