//! Tasks that are plain processes of the host.
//!
//! Between the agent and each task stands a supervisor of its own (`shim/`, about 50 KiB of memory): it carries the output into rotated files and notes the
//! exit status, so that neither is lost while the agent is away. The agent watches both processes through descriptors and is parent of nothing it must reap
//! to go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use nix::{
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

use self::{config::Config, launch::Launch, shim::Shim, starting::Starting};
use super::{Boxed, Driver, DriverError, DriverFingerprint, ExecOutput, ExecSession, Exit, TaskConfig, TaskHandle, Usage};
use crate::{
    isolation::{PidFd, process},
    limits,
};

mod config;
mod exec;
mod launch;
mod orphans;
mod shim;
mod starting;

/// Starts under way at once: more would only make each of them slower.
const STARTS_AT_ONCE: usize = 16;
/// An exit status is two numbers.
const STATUS_BYTES: usize = 64;

#[derive(Debug)]
pub struct RawExec {
    enabled: bool,
    /// Where exit statuses are written.
    folder: PathBuf,
    shim: Shim,
    running: Mutex<BTreeMap<String, Arc<Running>>>,
    starts: Semaphore,
    counter: AtomicU64,
}

/// What is written down of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Name of the file for the exit status: also the task's name here.
    status: String,
    boot_id: String,
    supervisor: u32,
    supervisor_started: u64,
    task: u32,
}

#[derive(Debug)]
struct Running {
    written: Written,
    supervisor: PidFd,
    /// None when it had already ended.
    task: Option<PidFd>,
}

impl RawExec {
    /// `state_dir` is the client's own folder; `settings` those of `plugin "raw_exec"`.
    pub fn new(state_dir: &Path, settings: Option<&serde_json::Map<String, Value>>, dev: bool) -> io::Result<Self> {
        let folder = state_dir.join("raw_exec");
        fs::create_dir_all(&folder)?;
        let enabled = settings.and_then(|settings| settings.get("enabled")).and_then(Value::as_bool).unwrap_or(dev);
        let shim = Shim::prepare(&folder)?;
        let (running, starts) = (Mutex::default(), Semaphore::new(STARTS_AT_ONCE));
        Ok(Self { enabled, folder, shim, running, starts, counter: AtomicU64::new(0) })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, handle: &TaskHandle) -> Result<Arc<Running>, DriverError> {
        let written = read_handle(handle)?;
        self.running().get(&written.status).cloned().ok_or_else(|| DriverError::permanent("the task is not running here"))
    }

    async fn launch(&self, task: &TaskConfig) -> Result<TaskHandle, DriverError> {
        let config = Config::read(&task.config)?;
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let status = format!("{}-{}-{number}", task.alloc_id, std::process::id());
        let launch = Launch::prepare(task, &config, &self.folder, &self.shim, status.clone())?;
        let permit = self.starts.acquire().await.map_err(|_| DriverError::permanent("the driver is shutting down"))?;
        let (supervisor, task) = Starting(Some(tokio::task::spawn_blocking(move || launch.run()))).await?;
        drop(permit);
        let lost = |error: io::Error| DriverError::recoverable(format!("the supervisor of the task cannot be watched: {error}"));
        let fd = PidFd::open(supervisor).map_err(lost)?;
        let started = process::stat(supervisor).map_err(lost)?.started;
        let written = Written { status, boot_id: process::boot_id(), supervisor, supervisor_started: started, task };
        let running = Arc::new(Running { written: written.clone(), supervisor: fd, task: hold_child(task, supervisor) });
        self.running().insert(written.status.clone(), running);
        write_handle(&written)
    }

    fn find_again(&self, handle: &TaskHandle) -> Result<(), DriverError> {
        let written = read_handle(handle)?;
        if self.running().contains_key(&written.status) {
            return Ok(());
        }
        let gone = || DriverError::permanent("the task ended while the agent was away");
        if written.boot_id != process::boot_id() {
            return Err(DriverError::permanent("the machine was restarted while the agent was away"));
        }
        let supervisor = PidFd::open(written.supervisor).ok().filter(|_| {
            // Checked after opening: from here on the number cannot pass to another process unseen.
            process::stat(written.supervisor).is_ok_and(|stat| stat.started == written.supervisor_started)
        });
        let Some(supervisor) = supervisor else {
            // It has ended. Its status tells how, which is as good as having watched it.
            return if self.folder.join(&written.status).exists() { Ok(()) } else { Err(gone()) };
        };
        let task = hold_child(written.task, written.supervisor);
        self.running().insert(written.status.clone(), Arc::new(Running { written, supervisor, task }));
        Ok(())
    }

    async fn wait_for(&self, handle: &TaskHandle) -> Result<Exit, DriverError> {
        let written = read_handle(handle)?;
        let running = self.running().get(&written.status).cloned();
        if let Some(running) = running {
            running.ended().await;
        }
        Ok(self.read_status(&written.status))
    }

    fn read_status(&self, name: &str) -> Exit {
        let text = fs::read(self.folder.join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[..text.len().min(STATUS_BYTES)]).into_owned();
        let mut numbers = text.split_ascii_whitespace().filter_map(|number| number.parse().ok());
        match (numbers.next(), numbers.next()) {
            (Some(code), Some(signal)) => Exit { code, signal, ..Exit::default() },
            _ => Exit {
                code: 1,
                message: "the supervisor of the task was killed, so its exit code is not known".to_owned(),
                ..Exit::default()
            },
        }
    }
}

impl Running {
    /// Resolves when the supervisor has ended, and the task too, should somebody have killed the supervisor alone.
    async fn ended(&self) {
        let _ = self.supervisor.ended().await;
        // The supervisor is this process's child unless an earlier agent started it; then another takes note of its end.
        let _ = waitpid(pid(self.written.supervisor), Some(WaitPidFlag::WNOHANG));
        if let Some(task) = &self.task {
            let _ = task.ended().await;
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.task {
            Some(task) => task.signal(signal as i32),
            None => Err(io::Error::from_raw_os_error(nix::libc::ESRCH)),
        }
    }

    /// The task; the supervisor then ends what the task leaves. Without a supervisor, its whole group.
    fn kill(&self) {
        let _ = self.signal(Signal::SIGKILL);
        if kill(pid(self.written.supervisor), None).is_err() && self.task.is_some() {
            let _ = killpg(pid(self.written.task), Signal::SIGKILL);
        }
    }
}

impl Driver for RawExec {
    fn name(&self) -> &'static str {
        "raw_exec"
    }

    fn fingerprint(&self) -> BoxFuture<'_, DriverFingerprint> {
        let found = if self.enabled { DriverFingerprint::healthy() } else { DriverFingerprint::absent() };
        std::future::ready(found).boxed()
    }

    fn inherits_environment(&self) -> bool {
        true
    }

    fn retain<'a>(&'a self, known: &'a [TaskHandle]) -> BoxFuture<'a, ()> {
        let known: BTreeSet<String> = known.iter().filter_map(|handle| read_handle(handle).ok()).map(|written| written.status).collect();
        let folder = self.folder.clone();
        let sweep = tokio::task::spawn_blocking(move || orphans::end(&folder, &known));
        sweep.map(drop).boxed()
    }

    fn validate(&self, config: &serde_json::Map<String, Value>) -> Result<(), DriverError> {
        if !self.enabled {
            return Err(DriverError::permanent("the raw_exec driver is disabled on this node"));
        }
        Config::read(config).map(drop)
    }

    fn start<'a>(&'a self, task: &'a TaskConfig) -> Boxed<'a, TaskHandle> {
        self.launch(task).boxed()
    }

    fn recover<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, ()> {
        async { self.find_again(handle) }.boxed()
    }

    fn wait<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, Exit> {
        self.wait_for(handle).boxed()
    }

    fn signal<'a>(&'a self, handle: &'a TaskHandle, signal: &'a str) -> Boxed<'a, ()> {
        async move {
            let signal = parse_signal(signal)?;
            let sent = self.find(handle)?.signal(signal);
            sent.map_err(|error| DriverError::recoverable(format!("the signal could not be sent: {error}")))
        }
        .boxed()
    }

    fn stop<'a>(&'a self, handle: &'a TaskHandle, signal: &'a str, grace: Duration) -> Boxed<'a, ()> {
        async move {
            let Ok(running) = self.find(handle) else { return Ok(()) };
            let asked = running.signal(parse_signal(signal)?);
            if asked.is_ok() && tokio::time::timeout(grace, running.ended()).await.is_ok() {
                return Ok(());
            }
            running.kill();
            let gone = tokio::time::timeout(limits::KILL_CONFIRM, running.ended()).await;
            gone.map_err(|_| DriverError::recoverable(format!("process {} is still there after SIGKILL", running.written.task)))
        }
        .boxed()
    }

    fn destroy<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, ()> {
        async {
            let written = read_handle(handle)?;
            let running = self.running().remove(&written.status);
            if let Some(running) = running {
                running.kill();
                let _ = waitpid(pid(running.written.supervisor), Some(WaitPidFlag::WNOHANG));
            }
            let _ = fs::remove_file(self.folder.join(&written.status));
            Ok(())
        }
        .boxed()
    }

    fn stats<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, Usage> {
        async {
            let supervisor = self.find(handle)?.written.supervisor;
            let processes = process::usage(&process::descendants(supervisor));
            let mut usage = Usage::default();
            for one in processes.values() {
                usage.user_cpu += one.user_cpu;
                usage.system_cpu += one.system_cpu;
                usage.memory_bytes += one.memory_bytes;
                usage.swap_bytes += one.swap_bytes;
            }
            Ok(Usage { processes, ..usage })
        }
        .boxed()
    }

    fn open_exec<'a>(&'a self, task: &'a TaskConfig, _handle: &'a TaskHandle, command: &'a [String], tty: bool) -> Boxed<'a, ExecSession> {
        async move { exec::open(task, command, tty) }.boxed()
    }

    fn exec<'a>(&'a self, task: &'a TaskConfig, _handle: &'a TaskHandle, command: &'a [String], limit: Duration) -> Boxed<'a, ExecOutput> {
        exec::run(task, command, limit).boxed()
    }
}

/// Holds the task's process, if it still is the supervisor's child.
fn hold_child(task: u32, supervisor: u32) -> Option<PidFd> {
    let fd = PidFd::open(task).ok()?;
    process::stat(task).is_ok_and(|stat| stat.parent == supervisor).then_some(fd)
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap_or(i32::MAX))
}

fn parse_signal(name: &str) -> Result<Signal, DriverError> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    full.parse().map_err(|_| DriverError::permanent(format!("unknown signal {name:?}")))
}

fn read_handle(handle: &TaskHandle) -> Result<Written, DriverError> {
    serde_json::from_slice(&handle.bytes).map_err(|error| DriverError::permanent(format!("the handle is not one of raw_exec: {error}")))
}

fn write_handle(written: &Written) -> Result<TaskHandle, DriverError> {
    let bytes = serde_json::to_vec(written).map_err(|error| DriverError::permanent(error.to_string()))?;
    Ok(TaskHandle { driver: "raw_exec".to_owned(), bytes })
}

#[cfg(test)]
mod tests;
