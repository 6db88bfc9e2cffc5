//! What a client knows of a task.

use serde::{Deserialize, Serialize};

use super::Details;
use crate::{
    json::List,
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

/// Something that happened to a task. Built with [`event`]'s functions, which also fill the texts that people read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskEvent {
    #[serde(rename = "Type")]
    pub kind: String,
    pub time: UnixNanos,
    pub message: String,
    pub display_message: String,
    pub details: std::collections::BTreeMap<String, String>,
    pub fails_task: bool,
    pub restart_reason: String,
    pub setup_error: String,
    pub driver_error: String,
    pub driver_message: String,
    pub exit_code: i32,
    pub signal: i32,
    pub kill_reason: String,
    /// Nanoseconds.
    pub kill_timeout: i64,
    pub kill_error: String,
    /// Nanoseconds.
    pub start_delay: i64,
    pub download_error: String,
    pub validation_error: String,
    pub disk_limit: i64,
    pub disk_size: i64,
    pub failed_sibling: String,
    pub vault_error: String,
    pub task_signal_reason: String,
    pub task_signal: String,
    pub generic_source: String,
}

impl TaskEvent {
    pub fn new(kind: &str, time: UnixNanos, display_message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), time, display_message: display_message.into(), ..Self::default() }
    }

    /// Sets the message that stands both in its field and among the details.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        if self.display_message.is_empty() {
            self.display_message.clone_from(&self.message);
        }
        let message = self.message.clone();
        self.with_detail("message", message)
    }

    #[must_use]
    pub fn with_detail(mut self, key: &str, value: impl Into<String>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    pub fn details_as_labels(&self) -> Details {
        self.details.clone().into()
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
