//! What people read of a task's life, in the API's words.

use std::time::Duration;

use drover_model::{
    allocation::{TaskEvent, event},
    time::{UnixNanos, nanos_of},
};

use super::duration_text;
use crate::drivers::Exit;

pub(crate) fn received(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::RECEIVED, now, "Task received by client")
}

pub(crate) fn setup(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::TASK_SETUP, now, "").with_message("Building Task Directory")
}

pub(crate) fn downloading(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::DOWNLOADING_ARTIFACTS, now, "Client is downloading artifacts")
}

pub(crate) fn failed_artifact(now: UnixNanos, error: &str) -> TaskEvent {
    let event = TaskEvent::new(event::FAILED_ARTIFACT_DOWNLOAD, now, error);
    event.with_detail("download_error", error)
}

pub(crate) fn failed_validation(now: UnixNanos, error: &str) -> TaskEvent {
    let event = TaskEvent::new(event::FAILED_VALIDATION, now, error);
    TaskEvent { fails_task: true, ..event }.with_detail("validation_error", error).with_detail("fails_task", "true")
}

pub(crate) fn setup_failure(now: UnixNanos, error: &str) -> TaskEvent {
    let event = TaskEvent::new(event::SETUP_FAILURE, now, error);
    event.with_detail("setup_error", error)
}

pub(crate) fn driver_failure(now: UnixNanos, error: &str) -> TaskEvent {
    let event = TaskEvent::new(event::DRIVER_FAILURE, now, error);
    event.with_detail("driver_error", error)
}

pub(crate) fn started(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::STARTED, now, "Task started by client")
}

pub(crate) fn terminated(now: UnixNanos, exit: &Exit) -> TaskEvent {
    let mut text = format!("Exit Code: {}", exit.code);
    if exit.signal != 0 {
        text.push_str(&format!(", Signal: {}", exit.signal));
    }
    if !exit.message.is_empty() {
        text.push_str(&format!(", Exit Message: {:?}", exit.message));
    }
    let event = TaskEvent::new(event::TERMINATED, now, text);
    let event = TaskEvent { exit_code: exit.code, signal: exit.signal, message: exit.message.as_str().into(), ..event };
    let event = event.with_detail("exit_code", exit.code.to_string()).with_detail("signal", exit.signal.to_string());
    let event = event.with_detail("oom_killed", exit.oom_killed.to_string());
    if exit.message.is_empty() { event } else { event.with_detail("exit_message", exit.message.as_str()) }
}

/// The usual reason for a restart, which is not repeated to people.
pub(crate) const WITHIN_POLICY: &str = "Restart within policy";

pub(crate) fn restarting(now: UnixNanos, delay: Duration, reason: &str) -> TaskEvent {
    let text = format!("Task restarting in {}", duration_text(delay));
    let text = if reason.is_empty() || reason == WITHIN_POLICY { text } else { format!("{reason} - {text}") };
    let event = TaskEvent::new(event::RESTARTING, now, text);
    event.with_detail("start_delay", nanos_of(delay).to_string()).with_detail("restart_reason", reason)
}

pub(crate) fn not_restarting(now: UnixNanos, reason: &str) -> TaskEvent {
    let event = TaskEvent::new(event::NOT_RESTARTING, now, reason);
    let event = TaskEvent { fails_task: true, ..event };
    event.with_detail("restart_reason", reason).with_detail("fails_task", "true")
}

pub(crate) fn restart_signaled(now: UnixNanos, reason: &str) -> TaskEvent {
    let event = TaskEvent::new(event::RESTART_SIGNALED, now, reason);
    event.with_detail("restart_reason", reason)
}

/// A signal that a user sends.
pub(crate) fn signaled(now: UnixNanos, signal: &str) -> TaskEvent {
    TaskEvent::new(event::SIGNALING, now, "Task being sent a signal").with_detail("signal", signal)
}

/// A signal that something else sends, for a reason.
pub(crate) fn signaling(now: UnixNanos, signal: &str, reason: &str) -> TaskEvent {
    let event = TaskEvent::new(event::SIGNALING, now, reason);
    event.with_detail("task_signal", signal).with_detail("task_signal_reason", reason)
}

pub(crate) fn killing(now: UnixNanos, timeout: Duration) -> TaskEvent {
    let text = format!("Sent interrupt. Waiting {} before force killing", duration_text(timeout));
    let event = TaskEvent::new(event::KILLING, now, text);
    event.with_detail("kill_timeout", duration_text(timeout))
}

/// A task that is killed because of what happened to it.
pub(crate) fn killing_because(now: UnixNanos, reason: &str) -> TaskEvent {
    let event = TaskEvent::new(event::KILLING, now, reason);
    TaskEvent { fails_task: true, ..event }.with_detail("kill_reason", reason).with_detail("fails_task", "true")
}

pub(crate) fn waiting_for_delay(now: UnixNanos, delay: Duration) -> TaskEvent {
    let text = format!("Waiting for shutdown_delay of {} before killing the task.", duration_text(delay));
    TaskEvent::new(event::WAITING_FOR_SHUTDOWN_DELAY, now, "").with_message(text)
}

pub(crate) fn skipping_delay(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::SKIPPING_SHUTDOWN_DELAY, now, "").with_message("Skipping shutdown_delay as the user asked for")
}

pub(crate) fn killed(now: UnixNanos, error: &str) -> TaskEvent {
    if error.is_empty() {
        return TaskEvent::new(event::KILLED, now, "Task successfully killed");
    }
    let event = TaskEvent::new(event::KILLED, now, error);
    event.with_detail("kill_error", error)
}

pub(crate) fn template(now: UnixNanos, text: &str) -> TaskEvent {
    TaskEvent::new(event::TEMPLATE, now, "").with_message(text)
}

pub(crate) fn hook_message(now: UnixNanos, text: &str) -> TaskEvent {
    TaskEvent::new(event::TASK_HOOK_MESSAGE, now, "").with_message(text)
}

pub(crate) fn hook_failed(now: UnixNanos, text: &str) -> TaskEvent {
    TaskEvent::new(event::TASK_HOOK_FAILED, now, "").with_message(text)
}

pub(crate) fn unhealthy(now: UnixNanos, text: &str) -> TaskEvent {
    TaskEvent::new(event::ALLOC_UNHEALTHY, now, "").with_message(text)
}

pub(crate) fn sibling_failed(now: UnixNanos, sibling: &str) -> TaskEvent {
    let event = TaskEvent::new(event::SIBLING_FAILED, now, format!("Task's sibling {sibling:?} failed"));
    event.with_detail("failed_sibling", sibling)
}

pub(crate) fn leader_dead(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::LEADER_DEAD, now, "Leader Task in Group dead")
}

pub(crate) fn main_dead(now: UnixNanos) -> TaskEvent {
    TaskEvent::new(event::MAIN_DEAD, now, "Main tasks in the group died")
}

pub(crate) fn failed_restoring(now: UnixNanos, error: &str) -> TaskEvent {
    let event = TaskEvent::new(event::FAILED_RESTORING_TASK, now, format!("the task was not found again: {error}"));
    event.with_detail("driver_error", error)
}
