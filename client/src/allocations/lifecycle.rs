//! Which tasks may start and which must end, as a function of how all of them are.

use std::collections::BTreeMap;

use drover_model::{
    allocation::{TaskPhase, TaskState},
    job::{LifecycleHook, Task, TaskGroup},
};

/// Why a task is ended by its siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    LeaderDead,
    SiblingFailed(String),
    MainDead,
}

/// When a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Before,
    /// Before the main ones and beside them.
    Sidecar,
    Main,
    After,
    AfterSidecar,
    Last,
}

pub(crate) fn turn(task: &Task) -> Turn {
    match task.lifecycle.map(|lifecycle| (lifecycle.hook, lifecycle.sidecar)) {
        None => Turn::Main,
        Some((LifecycleHook::Prestart, false)) => Turn::Before,
        Some((LifecycleHook::Prestart, true)) => Turn::Sidecar,
        Some((LifecycleHook::Poststart, false)) => Turn::After,
        Some((LifecycleHook::Poststart, true)) => Turn::AfterSidecar,
        Some((LifecycleHook::Poststop, _)) => Turn::Last,
    }
}

#[derive(Debug)]
pub(crate) struct View<'a> {
    group: &'a TaskGroup,
    states: &'a BTreeMap<String, TaskState>,
}

impl<'a> View<'a> {
    pub(crate) fn new(group: &'a TaskGroup, states: &'a BTreeMap<String, TaskState>) -> Self {
        Self { group, states }
    }

    fn phase(&self, task: &Task) -> TaskPhase {
        self.states.get(&task.name).map(|state| state.state).unwrap_or_default()
    }

    fn has_run(&self, task: &Task) -> bool {
        self.states.get(&task.name).is_some_and(|state| !state.started_at.is_never())
    }

    fn failed(&self, task: &Task) -> bool {
        self.states.get(&task.name).is_some_and(|state| state.state == TaskPhase::Dead && state.failed)
    }

    fn of(&self, wanted: &'static [Turn]) -> impl Iterator<Item = &'a Task> + use<'a> {
        self.group.tasks.iter().filter(move |task| wanted.contains(&turn(task)))
    }

    fn all_dead(&self, wanted: &'static [Turn]) -> bool {
        self.of(wanted).all(|task| self.phase(task) == TaskPhase::Dead)
    }

    /// Whether a task's turn has come. Once it has, it does not go away.
    pub(crate) fn may_start(&self, task: &Task) -> bool {
        let prepared = || self.of(&[Turn::Before]).all(|task| self.phase(task) == TaskPhase::Dead && !self.failed(task));
        let sidecars_up = || self.of(&[Turn::Sidecar]).all(|task| self.has_run(task));
        match turn(task) {
            Turn::Before | Turn::Sidecar => true,
            Turn::Main => prepared() && sidecars_up(),
            Turn::After | Turn::AfterSidecar => self.of(&[Turn::Main]).all(|task| self.has_run(task)),
            Turn::Last => self.all_dead(&[Turn::Before, Turn::Sidecar, Turn::Main, Turn::After, Turn::AfterSidecar]),
        }
    }

    /// Tasks that their siblings' fate ends, each with the reason.
    pub(crate) fn condemned(&self) -> Vec<(String, Cause)> {
        let living = |task: &&Task| turn(task) != Turn::Last && self.phase(task) != TaskPhase::Dead;
        let others = |cause: &Cause| self.group.tasks.iter().filter(living).map(|task| (task.name.clone(), cause.clone())).collect();
        if let Some(failed) = self.group.tasks.iter().find(|task| self.failed(task) && turn(task) != Turn::Last) {
            return others(&Cause::SiblingFailed(failed.name.clone()));
        }
        if self.group.tasks.iter().any(|task| task.leader && self.phase(task) == TaskPhase::Dead) {
            return others(&Cause::LeaderDead);
        }
        let mut main = self.of(&[Turn::Main]).peekable();
        if main.peek().is_some() && self.all_dead(&[Turn::Main]) {
            // What runs between the others and ends by itself is waited for.
            let beside = self.of(&[Turn::Sidecar, Turn::AfterSidecar]).filter(living);
            return beside.map(|task| (task.name.clone(), Cause::MainDead)).collect();
        }
        Vec::new()
    }

    /// The order in which running tasks are stopped: each step waits for the one before.
    pub(crate) fn stop_order(&self) -> Vec<Vec<String>> {
        let names =
            |filter: &dyn Fn(&Task) -> bool| self.group.tasks.iter().filter(|task| filter(task)).map(|task| task.name.clone()).collect();
        let beside = |task: &Task| matches!(turn(task), Turn::Sidecar | Turn::AfterSidecar);
        vec![
            names(&|task| task.leader),
            names(&|task| !task.leader && !beside(task) && turn(task) != Turn::Last),
            names(&|task| !task.leader && beside(task)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use drover_model::{job::Lifecycle, time::UnixNanos};

    use super::*;

    /// `NAME:TURN:STATE`, with turns `b s m a A l` (`M` a leading main one) and states `p r d f` as elsewhere.
    fn case(text: &str) -> (TaskGroup, BTreeMap<String, TaskState>) {
        let (mut tasks, mut states) = (Vec::new(), BTreeMap::new());
        for word in text.split(' ') {
            let parts: Vec<&str> = word.split(':').collect();
            let lifecycle = |hook, sidecar| Some(Lifecycle { hook, sidecar });
            let lifecycle = match parts[1] {
                "b" => lifecycle(LifecycleHook::Prestart, false),
                "s" => lifecycle(LifecycleHook::Prestart, true),
                "a" => lifecycle(LifecycleHook::Poststart, false),
                "A" => lifecycle(LifecycleHook::Poststart, true),
                "l" => lifecycle(LifecycleHook::Poststop, false),
                _ => None,
            };
            tasks.push(Task { name: parts[0].to_owned(), lifecycle, leader: parts[1] == "M", ..Task::default() });
            let (state, failed) = match parts[2] {
                "p" => (TaskPhase::Pending, false),
                "r" => (TaskPhase::Running, false),
                "d" => (TaskPhase::Dead, false),
                _ => (TaskPhase::Dead, true),
            };
            let started_at = if parts[2] == "p" { UnixNanos::NEVER } else { UnixNanos(1) };
            states.insert(parts[0].to_owned(), TaskState { state, failed, started_at: started_at.into(), ..TaskState::default() });
        }
        (TaskGroup { tasks: tasks.into(), ..TaskGroup::default() }, states)
    }

    #[test]
    fn whose_turn_it_is() {
        for (name, tasks, want) in [
            ("alone", "app:m:p", "app"),
            ("first things first", "init:b:p side:s:p app:m:p post:a:p last:l:p", "init side"),
            ("sidecar not up", "init:b:d side:s:p app:m:p", "init side"),
            ("prepared", "init:b:d side:s:r app:m:p post:a:p last:l:p", "init side app"),
            ("failed preparation", "init:b:f app:m:p last:l:p", "init"),
            ("main up", "init:b:d app:m:r post:a:p last:l:p", "init app post"),
            ("main done, sidecar not", "side:s:r app:m:d last:l:p", "side app"),
            ("all done", "side:s:d app:m:d last:l:p", "side app last"),
        ] {
            let (group, states) = case(tasks);
            let view = View::new(&group, &states);
            let may: Vec<&str> = group.tasks.iter().filter(|task| view.may_start(task)).map(|task| task.name.as_str()).collect();
            assert_eq!(may.join(" "), want, "{name}");
        }
    }

    #[test]
    fn who_must_end() {
        let failed = |name: &str| Cause::SiblingFailed(name.to_owned());
        for (name, tasks, want) in [
            ("all is well", "a:m:r b:m:r", vec![]),
            ("a sibling failed", "a:m:f b:m:r c:s:r d:l:p", vec![("b", failed("a")), ("c", failed("a"))]),
            ("one is done, the other goes on", "a:m:d b:m:r", vec![]),
            ("the leader is done", "a:M:d b:m:r c:m:p", vec![("b", Cause::LeaderDead), ("c", Cause::LeaderDead)]),
            ("the main ones are done", "a:m:d s:s:r A:A:r x:a:r l:l:p", vec![("s", Cause::MainDead), ("A", Cause::MainDead)]),
            ("a preparation failed", "i:b:f a:m:p l:l:p", vec![("a", failed("i"))]),
            ("the last one failed", "a:m:d l:l:f", vec![]),
        ] {
            let (group, states) = case(tasks);
            let want: Vec<_> = want.into_iter().map(|(name, cause)| (name.to_owned(), cause)).collect();
            assert_eq!(View::new(&group, &states).condemned(), want, "{name}");
        }
    }

    #[test]
    fn stopping_takes_the_leader_first_and_sidecars_last() {
        let (group, states) = case("s:s:r a:m:r lead:M:r l:l:p");
        assert_eq!(View::new(&group, &states).stop_order(), [vec!["lead"], vec!["a"], vec!["s"]]);
    }
}
