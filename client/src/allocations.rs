//! Allocations: each has a runner that owns its tasks, services and health.

use drover_model::allocation::{Allocation, ClientStatus, TaskPhase, TaskState, client_description};
use std::collections::BTreeMap;

pub(crate) use runner::{AllocCommand, Begin, Previous, Runner, sleep_until};

mod lifecycle;
mod runner;

/// What the tasks' states come to, with the words for it.
pub(crate) fn client_status(allocation: &Allocation, states: &BTreeMap<String, TaskState>) -> (ClientStatus, &'static str) {
    let Some(group) = allocation.group() else { return (ClientStatus::Failed, client_description::FAILED) };
    let state = |name: &str| states.get(name).cloned().unwrap_or_default();
    let all: Vec<TaskState> = group.tasks.iter().map(|task| state(&task.name)).collect();
    let any = |phase: TaskPhase| all.iter().any(|state| state.state == phase);
    if all.iter().all(|state| state.state == TaskPhase::Dead) {
        return if all.iter().any(|state| state.failed) {
            (ClientStatus::Failed, client_description::FAILED)
        } else {
            (ClientStatus::Complete, client_description::COMPLETE)
        };
    }
    // What has been started has not ended before its last task has; a task that waits for its turn between the others does not make it pending again.
    let began = any(TaskPhase::Running) || any(TaskPhase::Dead) || all.iter().any(|state| !state.started_at.is_never());
    if any(TaskPhase::Running) || (began && !waits_for_first_start(group, &all)) {
        (ClientStatus::Running, client_description::RUNNING)
    } else {
        (ClientStatus::Pending, client_description::NOT_STARTED)
    }
}

/// Whether a main task has never run and none has ended.
fn waits_for_first_start(group: &drover_model::job::TaskGroup, states: &[TaskState]) -> bool {
    let mut main = group.tasks.iter().zip(states).filter(|(task, _)| task.lifecycle.is_none());
    main.all(|(_, state)| state.state == TaskPhase::Pending && state.started_at.is_never())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drover_model::{
        job::{Job, Lifecycle, LifecycleHook, Task, TaskGroup},
        time::UnixNanos,
    };

    use super::*;

    #[test]
    fn statuses() {
        let task = |name: &str, hook| Task { name: name.to_owned(), lifecycle: hook, ..Task::default() };
        let hook = |hook| Some(Lifecycle { hook, sidecar: false });
        let tasks = vec![task("init", hook(LifecycleHook::Prestart)), task("app", None), task("end", hook(LifecycleHook::Poststop))];
        let group = TaskGroup { name: "g".into(), tasks: tasks.into(), ..TaskGroup::default() };
        let job = Job { id: "j".into(), task_groups: vec![group].into(), ..Job::default() };
        let allocation = Allocation { task_group: "g".into(), job: Arc::new(job), ..Allocation::default() };
        let state = |letter: char| {
            let (state, failed, ran) = match letter {
                'p' => (TaskPhase::Pending, false, false),
                'w' => (TaskPhase::Pending, false, true),
                'r' => (TaskPhase::Running, false, true),
                'd' => (TaskPhase::Dead, false, true),
                _ => (TaskPhase::Dead, true, true),
            };
            let started_at = if ran { UnixNanos(1).into() } else { UnixNanos::NEVER.into() };
            TaskState { state, failed, started_at, ..TaskState::default() }
        };
        for (name, letters, want) in [
            ("nothing yet", "ppp", ClientStatus::Pending),
            ("first task", "rpp", ClientStatus::Running),
            ("between the first and the main one", "dpp", ClientStatus::Pending),
            ("main", "drp", ClientStatus::Running),
            ("waiting to restart", "dwp", ClientStatus::Running),
            ("last task to come", "ddp", ClientStatus::Running),
            ("failed, the last one still runs", "dfr", ClientStatus::Running),
            ("done", "ddd", ClientStatus::Complete),
            ("failed", "dfd", ClientStatus::Failed),
        ] {
            let states =
                ["init", "app", "end"].iter().zip(letters.chars()).map(|(name, letter)| ((*name).to_owned(), state(letter))).collect();
            assert_eq!(client_status(&allocation, &states).0, want, "{name}");
        }
    }
}
