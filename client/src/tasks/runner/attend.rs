//! A task while it runs, until it does not.

use super::{Arc, Control, Driver, Duration, End, Exit, Kill, Runner, Task, TaskHandle, events, killed, killed_at_once, oneshot};

impl Runner {
    /// Stays with a running task and does to it what it is asked to.
    pub(super) async fn attend(&mut self, handle: &TaskHandle) -> End {
        let Some(driver) = self.scope.driver.clone() else { return End::Doomed };
        let mut stopped = None;
        let end = loop {
            tokio::select! {
                biased;
                exit = driver.wait(handle) => {
                    let exit = exit.unwrap_or_else(|error| Exit { code: 1, message: error.text, ..Exit::default() });
                    self.scope.event(events::terminated(self.scope.now(), &exit));
                    break stopped.unwrap_or(End::Exited(exit));
                }
                kill = killed(&mut self.kill), if !matches!(stopped, Some(End::Killed)) => {
                    let error = self.end(&driver, handle, &kill).await;
                    // The end itself is seen above, on the next turn, unless the task is beyond reach.
                    if let Some(error) = error {
                        self.scope.event(events::killed(self.scope.now(), &error));
                        break End::Killed;
                    }
                    stopped = Some(End::Killed);
                }
                Some(control) = self.control.recv(), if stopped.is_none() => {
                    stopped = self.obey(&driver, handle, control).await;
                }
            }
        };
        self.scope.set_running(None);
        self.scope.save(|saved| saved.handle = None);
        if let Err(error) = driver.destroy(handle).await {
            tracing::warn!(task = ?self.scope, %error, "what the driver keeps of a task could not be removed");
        }
        if matches!(end, End::Killed) {
            self.scope.event(events::killed(self.scope.now(), ""));
        }
        end
    }

    /// What is asked of a running task; whether it is being stopped for it.
    async fn obey(&mut self, driver: &Arc<dyn Driver>, handle: &TaskHandle, control: Control) -> Option<End> {
        match control {
            Control::Restart { event, reply } => {
                self.scope.event(event);
                answer(reply, Ok(()));
                self.halt(driver, handle).await;
                Some(End::Restart)
            }
            Control::Fail { event } => {
                self.scope.event(event);
                self.halt(driver, handle).await;
                Some(End::Failed)
            }
            Control::Doom { event } => {
                self.scope.event(event);
                self.halt(driver, handle).await;
                Some(End::Doomed)
            }
            Control::Signal { signal, event, reply } => {
                self.scope.event(event);
                let sent = driver.signal(handle, &signal).await.map_err(|error| error.text);
                if let (Err(text), None) = (&sent, &reply) {
                    self.scope.event(events::hook_failed(self.scope.now(), &format!("failed to send signal {signal}: {text}")));
                }
                answer(reply, sent);
                None
            }
        }
    }

    /// Ends the task for good; the text says why that did not work.
    async fn end(&mut self, driver: &Arc<dyn Driver>, handle: &TaskHandle, kill: &Kill) -> Option<String> {
        let task = self.scope.task();
        if let Some(event) = kill.event.clone() {
            self.scope.event(event);
        }
        self.scope.event(events::killing(self.scope.now(), self.grace(&task)));
        if !task.shutdown_delay.is_zero() {
            if kill.without_delay {
                self.scope.event(events::skipping_delay(self.scope.now()));
            } else {
                self.scope.event(events::waiting_for_delay(self.scope.now(), task.shutdown_delay));
                let mut kill = self.kill.clone();
                tokio::select! {
                    () = tokio::time::sleep(task.shutdown_delay) => {}
                    () = killed_at_once(&mut kill) => {}
                    _ = driver.wait(handle) => return None,
                }
            }
        }
        self.stop(driver, handle, &task).await
    }

    async fn halt(&self, driver: &Arc<dyn Driver>, handle: &TaskHandle) {
        let task = self.scope.task();
        if let Some(error) = self.stop(driver, handle, &task).await {
            tracing::error!(task = ?self.scope, error, "a task could not be stopped");
        }
    }

    async fn stop(&self, driver: &Arc<dyn Driver>, handle: &TaskHandle, task: &Task) -> Option<String> {
        let signal = if task.kill_signal.is_empty() { driver.default_kill_signal() } else { &task.kill_signal };
        let mut kill = self.kill.clone();
        let stopped = tokio::select! {
            biased;
            stopped = driver.stop(handle, signal, self.grace(task)) => stopped,
            () = killed_at_once(&mut kill) => driver.stop(handle, "SIGKILL", Duration::ZERO).await,
        };
        stopped.err().map(|error| error.text)
    }

    fn grace(&self, task: &Task) -> Duration {
        task.kill_timeout.min(self.scope.shared.config.max_kill_timeout)
    }
}

fn answer(reply: Option<oneshot::Sender<Result<(), String>>>, result: Result<(), String>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}
