//! What a client knows of a task.

use litemap::LiteMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    json::List,
    spec::parse_duration,
    text::Text,
    time::{Rfc3339, UnixNanos},
};

/// The newest events of a task that are kept.
pub const MAX_TASK_EVENTS: usize = 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskPhase {
    #[default]
    Pending,
    Running,
    Dead,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskState {
    pub state: TaskPhase,
    pub failed: bool,
    pub restarts: u64,
    pub last_restart: Rfc3339,
    pub started_at: Rfc3339,
    pub finished_at: Rfc3339,
    pub events: List<TaskEvent>,
    pub paused: String,
}

impl TaskState {
    /// Appends an event and forgets the oldest ones.
    pub fn push(&mut self, event: TaskEvent) {
        self.events.push(event);
        let excess = self.events.len().saturating_sub(MAX_TASK_EVENTS);
        self.events.drain(..excess);
    }

    pub fn is_successful(&self) -> bool {
        self.state == TaskPhase::Dead && !self.failed
    }
}

/// Something that happened to a task. Built by the client's functions, which also fill the texts that people read.
///
/// JSON has a field of its own for most details: see [`Flat`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskEvent {
    #[serde(rename = "Type")]
    pub kind: Text,
    pub time: UnixNanos,
    pub message: Text,
    pub display_message: Text,
    pub details: LiteMap<Text, Text>,
    pub fails_task: bool,
    pub exit_code: i32,
    pub signal: i32,
}

impl TaskEvent {
    pub fn new(kind: &str, time: UnixNanos, display_message: impl Into<Text>) -> Self {
        Self { kind: kind.into(), time, display_message: display_message.into(), ..Self::default() }
    }

    /// Sets the message that stands both in its field and among the details.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Text>) -> Self {
        self.message = message.into();
        if self.display_message.is_empty() {
            self.display_message.clone_from(&self.message);
        }
        let message = self.message.clone();
        self.with_detail("message", message)
    }

    #[must_use]
    pub fn with_detail(mut self, key: &str, value: impl Into<Text>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }

    fn detail(&self, key: &str) -> &str {
        self.details.get(key).map_or("", Text::as_str)
    }
}

/// What servers and clients say to each other, and keep: an allocation has several of these, and most fields of most are empty.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Brief<'a> {
    #[serde(rename = "Type")]
    kind: &'a str,
    time: UnixNanos,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    display_message: &'a str,
    #[serde(skip_serializing_if = "LiteMap::is_empty")]
    details: &'a LiteMap<Text, Text>,
    fails_task: bool,
    exit_code: i32,
    signal: i32,
}

/// The HTTP API's form, which repeats details.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Flat<'a> {
    #[serde(rename = "Type")]
    kind: &'a str,
    time: UnixNanos,
    message: &'a str,
    display_message: &'a str,
    details: &'a LiteMap<Text, Text>,
    fails_task: bool,
    restart_reason: &'a str,
    setup_error: &'a str,
    driver_error: &'a str,
    driver_message: &'a str,
    exit_code: i32,
    signal: i32,
    kill_reason: &'a str,
    /// Nanoseconds.
    kill_timeout: i64,
    kill_error: &'a str,
    /// Nanoseconds.
    start_delay: i64,
    download_error: &'a str,
    validation_error: &'a str,
    disk_limit: i64,
    disk_size: i64,
    failed_sibling: &'a str,
    vault_error: &'a str,
    task_signal_reason: &'a str,
    task_signal: &'a str,
    generic_source: &'a str,
}

impl Serialize for TaskEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { kind, time, message, display_message, details, fails_task, exit_code, signal } = self;
        let (time, fails_task, exit_code, signal) = (*time, *fails_task, *exit_code, *signal);
        if !serializer.is_human_readable() {
            return Brief { kind, time, message, display_message, details, fails_task, exit_code, signal }.serialize(serializer);
        }
        let flat = Flat {
            kind,
            time,
            message,
            display_message,
            details,
            fails_task,
            restart_reason: self.detail("restart_reason"),
            setup_error: self.detail("setup_error"),
            driver_error: self.detail("driver_error"),
            driver_message: "",
            exit_code,
            signal,
            kill_reason: self.detail("kill_reason"),
            kill_timeout: parse_duration(self.detail("kill_timeout")).unwrap_or(0),
            kill_error: self.detail("kill_error"),
            start_delay: self.detail("start_delay").parse().unwrap_or(0),
            download_error: self.detail("download_error"),
            validation_error: self.detail("validation_error"),
            disk_limit: 0,
            disk_size: 0,
            failed_sibling: self.detail("failed_sibling"),
            vault_error: "",
            task_signal_reason: self.detail("task_signal_reason"),
            task_signal: self.detail("task_signal"),
            generic_source: "",
        };
        flat.serialize(serializer)
    }
}

/// The kinds of events, in the API's words.
pub mod event {
    pub const RECEIVED: &str = "Received";
    pub const TASK_SETUP: &str = "Task Setup";
    pub const DOWNLOADING_ARTIFACTS: &str = "Downloading Artifacts";
    pub const FAILED_ARTIFACT_DOWNLOAD: &str = "Failed Artifact Download";
    pub const FAILED_VALIDATION: &str = "Failed Validation";
    pub const SETUP_FAILURE: &str = "Setup Failure";
    pub const DRIVER_FAILURE: &str = "Driver Failure";
    pub const STARTED: &str = "Started";
    pub const TERMINATED: &str = "Terminated";
    pub const RESTARTING: &str = "Restarting";
    pub const NOT_RESTARTING: &str = "Not Restarting";
    pub const RESTART_SIGNALED: &str = "Restart Signaled";
    pub const SIGNALING: &str = "Signaling";
    pub const KILLING: &str = "Killing";
    pub const WAITING_FOR_SHUTDOWN_DELAY: &str = "Waiting for shutdown delay";
    pub const SKIPPING_SHUTDOWN_DELAY: &str = "Skipping shutdown delay";
    pub const KILLED: &str = "Killed";
    pub const TEMPLATE: &str = "Template";
    pub const TASK_HOOK_FAILED: &str = "Task hook failed";
    pub const TASK_HOOK_MESSAGE: &str = "Task hook message";
    pub const ALLOC_UNHEALTHY: &str = "Alloc Unhealthy";
    pub const SIBLING_FAILED: &str = "Sibling Task Failed";
    pub const LEADER_DEAD: &str = "Leader Task Dead";
    pub const MAIN_DEAD: &str = "Main Tasks Dead";
    pub const FAILED_RESTORING_TASK: &str = "Failed Restoring Task";
    pub const RECONNECTED: &str = "Reconnected";
}
