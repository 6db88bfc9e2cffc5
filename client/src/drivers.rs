//! What starts, watches and stops a task.
//!
//! A driver knows no jobs: it gets a [`TaskConfig`] and gives back a [`TaskHandle`], plain bytes that the client writes down, so that an agent that was
//! restarted can [`Driver::recover`] the same processes.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use drover_model::{ids::AllocId, job::LogConfig};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

pub use mock::MockDriver;
pub use raw_exec::RawExec;

pub(crate) mod mock;
mod raw_exec;

pub type Boxed<'a, T> = BoxFuture<'a, Result<T, DriverError>>;

pub trait Driver: Send + Sync + fmt::Debug {
    fn name(&self) -> &'static str;

    /// What the node can say of this driver. Quick: it is part of the agent's start.
    fn fingerprint(&self) -> BoxFuture<'_, DriverFingerprint>;

    /// Looks at a task's `config` before anything is done for it.
    fn validate(&self, config: &serde_json::Map<String, Value>) -> Result<(), DriverError>;

    /// Whether tasks see the host's own variables (less the agent's secrets).
    fn inherits_environment(&self) -> bool {
        false
    }

    /// Ends whatever this driver started that is not among `known`: the agent died between starting it and writing that down.
    fn retain<'a>(&'a self, known: &'a [TaskHandle]) -> BoxFuture<'a, ()> {
        let _ = known;
        Box::pin(std::future::ready(()))
    }

    /// The signal that ends a task when its job names none.
    fn default_kill_signal(&self) -> &'static str {
        "SIGINT"
    }

    fn start<'a>(&'a self, task: &'a TaskConfig) -> Boxed<'a, TaskHandle>;

    /// Finds a task again that an earlier agent started. An error: it is not there any more.
    fn recover<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, ()>;

    /// Resolves when the task has ended, at once when it already has. May be called again.
    fn wait<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, Exit>;

    fn signal<'a>(&'a self, handle: &'a TaskHandle, signal: &'a str) -> Boxed<'a, ()>;

    /// Sends `signal`, waits for `grace`, then kills all that is left. Resolves when it is gone.
    fn stop<'a>(&'a self, handle: &'a TaskHandle, signal: &'a str, grace: Duration) -> Boxed<'a, ()>;

    /// Forgets a task that has ended, and removes what the driver itself left of it.
    fn destroy<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, ()>;

    fn stats<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, Usage>;

    /// Runs a command in the task's surroundings, with somebody at its ends.
    fn open_exec<'a>(&'a self, task: &'a TaskConfig, handle: &'a TaskHandle, command: &'a [String], tty: bool) -> Boxed<'a, ExecSession> {
        let _ = (task, handle, command, tty);
        Box::pin(std::future::ready(Err(DriverError::permanent(format!("driver {} does not run commands in its tasks", self.name())))))
    }

    /// Runs a command in the task's surroundings and gathers what it says. At the limit it is killed.
    fn exec<'a>(&'a self, task: &'a TaskConfig, handle: &'a TaskHandle, command: &'a [String], limit: Duration) -> Boxed<'a, ExecOutput>;
}

/// A command that runs beside a task, with somebody at its ends. Dropping it ends the command.
pub struct ExecSession {
    /// Dropping it tells the command that no more input comes.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// None when a terminal carries both.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its exit code.
    pub exit: BoxFuture<'static, i32>,
    /// Changes the terminal's size (rows, columns).
    pub resize: Option<Box<dyn Fn(u16, u16) + Send + Sync>>,
}

impl fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSession").field("tty", &self.resize.is_some()).finish_non_exhaustive()
    }
}

/// What a driver needs to start one task. Everything is interpolated.
#[derive(Clone)]
pub struct TaskConfig {
    pub alloc_id: AllocId,
    pub name: String,
    pub job_name: String,
    pub group: String,
    pub user: String,
    /// All that the task shall see, nothing is added.
    pub env: BTreeMap<String, String>,
    pub config: serde_json::Map<String, Value>,
    pub dirs: TaskDirs,
    pub cpu_mhz: u64,
    pub cores: Vec<u16>,
    pub memory_mib: u64,
    pub memory_max_mib: u64,
    pub logs: LogConfig,
    /// Ports by label, as the host sees them and as the task does.
    pub ports: Vec<PortMapping>,
}

impl fmt::Debug for TaskConfig {
    /// Without the environment and the configuration, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskConfig").field("alloc_id", &self.alloc_id).field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    pub label: String,
    pub host_ip: String,
    pub host_port: u16,
    pub task_port: u16,
}

/// The folders of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDirs {
    /// The allocation's folder: nothing of it lies outside.
    pub alloc_root: PathBuf,
    /// `alloc/`, which all tasks of the allocation share.
    pub shared: PathBuf,
    pub logs: PathBuf,
    pub task: PathBuf,
    pub local: PathBuf,
    pub secrets: PathBuf,
    pub tmp: PathBuf,
}

impl TaskDirs {
    pub fn new(alloc_root: &Path, task: &str) -> Self {
        let (shared, own) = (alloc_root.join("alloc"), alloc_root.join(task));
        Self {
            alloc_root: alloc_root.to_owned(),
            logs: shared.join("logs"),
            shared,
            local: own.join("local"),
            secrets: own.join("secrets"),
            tmp: own.join("tmp"),
            task: own,
        }
    }
}

/// How a driver finds its task again: bytes that only the driver reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskHandle {
    pub driver: String,
    #[serde(with = "drover_model::json::base64")]
    pub bytes: Vec<u8>,
}

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// 128 + the signal when one ended it.
    pub code: i32,
    pub signal: i32,
    pub oom_killed: bool,
    /// Why nothing better is known, if so.
    pub message: String,
}

impl Exit {
    pub fn is_success(&self) -> bool {
        self.code == 0 && self.signal == 0 && self.message.is_empty()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOutput {
    pub code: i32,
    pub output: Vec<u8>,
}

/// What a task uses right now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Since the task's start.
    pub user_cpu: Duration,
    /// Since the task's start.
    pub system_cpu: Duration,
    pub memory_bytes: u64,
    pub swap_bytes: u64,
    /// What is known of each process.
    pub processes: BTreeMap<u32, ProcessUsage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    pub user_cpu: Duration,
    pub system_cpu: Duration,
    pub memory_bytes: u64,
    pub swap_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverFingerprint {
    pub detected: bool,
    pub healthy: bool,
    pub description: String,
    /// Beside `driver.NAME`, which stands for `detected`.
    pub attributes: BTreeMap<String, String>,
}

impl DriverFingerprint {
    pub fn healthy() -> Self {
        Self { detected: true, healthy: true, description: "Healthy".to_owned(), attributes: BTreeMap::new() }
    }

    pub fn absent() -> Self {
        Self::default()
    }
}

/// Why a driver did not do it. The text is shown to users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DriverError {
    pub text: String,
    /// Another attempt may succeed, so the restart policy applies.
    pub is_recoverable: bool,
}

impl DriverError {
    pub fn permanent(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_recoverable: false }
    }

    pub fn recoverable(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_recoverable: true }
    }
}
