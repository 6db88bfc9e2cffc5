//! From nothing, or from what an earlier agent left, to a running task.

use super::{
    Arc, Driver, DriverError, Failure, HookError, Runner, Scope, TaskConfig, TaskEvent, TaskHandle, TaskPhase, events, hooks, killed,
    limits, refuse_meanwhile,
};
use crate::drivers::PortMapping;

impl Runner {
    /// Finds the task again, and sets its hooks going beside it.
    pub(super) async fn restore(&mut self) -> Option<TaskHandle> {
        let handle = self.scope.saved().handle?;
        let driver = self.scope.driver.clone()?;
        match driver.recover(&handle).await {
            Ok(()) => {
                self.prepared = true;
                self.scope.set_running(Some((task_config(&self.scope), handle.clone())));
                hooks::resume(&self.scope);
                Some(handle)
            }
            Err(error) => {
                tracing::warn!(task = ?self.scope, %error, "a task was not found again and is started anew");
                self.scope.event(events::failed_restoring(self.scope.now(), &error.text));
                let _ = driver.destroy(&handle).await;
                self.scope.board.update(&self.scope.name, |state| state.state = TaskPhase::Pending);
                self.scope.save(|saved| saved.handle = None);
                None
            }
        }
    }

    pub(super) async fn begin(&mut self) -> Result<TaskHandle, Failure> {
        let Some(driver) = self.scope.driver.clone() else {
            let text = format!("driver {:?} is not on this node", self.scope.task().driver);
            return Err(self.doom(events::driver_failure(self.scope.now(), &text)));
        };
        if !self.prepared {
            self.prepare(&*driver).await?;
        }
        let task = task_config(&self.scope);
        let starting = tokio::time::timeout(limits::DRIVER_START, driver.start(&task));
        let started = tokio::select! {
            biased;
            started = starting => started.unwrap_or_else(|_| Err(DriverError::recoverable("the driver did not start the task in time"))),
            _ = killed(&mut self.kill) => return Err(Failure::Killed),
            () = refuse_meanwhile(&mut self.control) => return Err(Failure::Killed),
        };
        match started {
            Ok(handle) => {
                self.note_started(task, handle.clone());
                Ok(handle)
            }
            Err(error) => {
                let event = events::driver_failure(self.scope.now(), &error.text);
                if error.is_recoverable {
                    self.scope.event(event);
                    return Err(Failure::Again);
                }
                Err(self.doom(event))
            }
        }
    }

    fn note_started(&self, task: TaskConfig, handle: TaskHandle) {
        let now = self.scope.now();
        self.scope.set_running(Some((task, handle.clone())));
        // Written down before anybody hears of it: from here on a restarted agent finds it.
        self.scope.save(|saved| (saved.handle, saved.prepared) = (Some(handle), true));
        self.scope.board.update(&self.scope.name, |state| {
            state.state = TaskPhase::Running;
            if state.started_at.is_never() {
                state.started_at = now.into();
            }
            state.push(events::started(now));
        });
        self.scope.save(|_| {});
    }

    async fn prepare(&mut self, driver: &dyn Driver) -> Result<(), Failure> {
        self.scope.event(events::setup(self.scope.now()));
        let prepared = tokio::select! {
            biased;
            _ = killed(&mut self.kill) => return Err(Failure::Killed),
            prepared = hooks::prepare(&self.scope, driver) => prepared,
            () = refuse_meanwhile(&mut self.control) => return Err(Failure::Killed),
        };
        match prepared {
            Ok(()) => {
                self.prepared = true;
                Ok(())
            }
            Err(HookError { event, is_recoverable: true }) => {
                self.scope.event(*event);
                self.scope.renew_hooks();
                Err(Failure::Again)
            }
            Err(HookError { event, is_recoverable: false }) => Err(self.doom(*event)),
        }
    }

    fn doom(&self, event: TaskEvent) -> Failure {
        self.scope.event(event);
        self.scope.event(events::not_restarting(self.scope.now(), "Error was unrecoverable"));
        Failure::Doomed
    }
}

/// What the driver is told, with everything interpolated.
pub(crate) fn task_config(scope: &Arc<Scope>) -> TaskConfig {
    let (allocation, task, environment) = (scope.allocation(), scope.task(), scope.environment());
    let resources = allocation.resources.tasks.get(scope.name.as_str()).cloned().unwrap_or_default();
    let ports = allocation.resources.shared.ports.iter().map(|port| PortMapping {
        label: port.label.clone(),
        host_ip: port.host_ip.clone(),
        host_port: port.value,
        task_port: u16::try_from(port.to).ok().filter(|to| *to > 0).unwrap_or(port.value),
    });
    TaskConfig {
        alloc_id: scope.alloc_id,
        name: scope.name.clone(),
        job_name: allocation.job.name.clone(),
        group: allocation.task_group.to_string(),
        user: environment.interpolate(&task.user),
        config: task.config.as_ref().map(|config| environment.interpolate_map(config)).unwrap_or_default(),
        dirs: scope.dirs.clone(),
        cpu_mhz: resources.cpu.cpu_mhz,
        cores: resources.cpu.reserved_cores.0,
        memory_mib: resources.memory.memory_mib,
        memory_max_mib: resources.memory.memory_max_mib,
        logs: task.log_config,
        ports: ports.collect(),
        env: environment.variables,
    }
}
