//! What the tasks of an allocation keep back until it is its turn, and which turns they have taken.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
};

use drover_model::{
    allocation::TaskPhase,
    ids::{DeploymentId, Name},
    job::TaskGroup,
};
use sha2::{Digest, Sha256};

use super::Board;

#[derive(Debug, Default)]
pub(super) struct Rolls {
    /// What stands for the waiting texts of each task that has some.
    waiting: BTreeMap<String, String>,
    taken: BTreeMap<String, DeploymentId>,
}

impl Board {
    fn rolls(&self) -> MutexGuard<'_, Rolls> {
        self.rolls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Texts of a task wait for their turn; empty: none do any more.
    pub(crate) fn set_waiting(&self, task: &str, waiting: &str) {
        let mut rolls = self.rolls();
        let known = rolls.waiting.remove(task).unwrap_or_default();
        if !waiting.is_empty() {
            rolls.waiting.insert(task.to_owned(), waiting.to_owned());
        }
        drop(rolls);
        if known != waiting {
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// A task has taken its texts in, and runs with them.
    pub(crate) fn set_taken(&self, task: &str, turn: DeploymentId) {
        self.rolls().taken.insert(task.to_owned(), turn);
        self.version.send_modify(|version| *version += 1);
    }

    /// What stands for all that waits in the allocation; empty when nothing does.
    pub(crate) fn waiting(&self) -> Name {
        let rolls = self.rolls();
        let mut all = rolls.waiting.iter();
        match (all.next(), all.next()) {
            (None, _) => Name::default(),
            (Some((_, only)), None) => only.as_str().into(),
            _ => {
                let mut hash = Sha256::new();
                rolls.waiting.iter().for_each(|(task, waiting)| hash.update(format!("{task}={waiting};")));
                short(&hash.finalize()).into()
            }
        }
    }

    /// Whether every task that still lives has taken its part of a turn.
    pub(crate) fn has_taken(&self, group: &TaskGroup, turn: DeploymentId) -> bool {
        let states = self.all();
        let rolls = self.rolls();
        let dead = |name: &str| states.get(name).is_some_and(|state| state.state == TaskPhase::Dead);
        let mut rolling = group.tasks.iter().filter(|task| task.rolls_templates());
        rolling.all(|task| dead(&task.name) || rolls.taken.get(&task.name) == Some(&turn))
    }
}

/// The first half of a hash, in hex: enough to tell two apart.
pub(super) fn short(hash: &[u8]) -> String {
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use drover_model::{
        allocation::TaskState,
        job::{ChangeMode, Task, Template},
    };

    use super::*;

    #[test]
    fn a_turn_is_taken_when_all_that_live_have_taken_it() {
        let rolling = |name: &str| {
            let template = Template { change_mode: ChangeMode::Rolling, ..Template::default() };
            Task { name: name.to_owned(), templates: vec![template].into(), ..Task::default() }
        };
        let plain = Task { name: "plain".to_owned(), ..Task::default() };
        let group = TaskGroup { tasks: vec![rolling("a"), rolling("b"), plain].into(), ..TaskGroup::default() };
        let turn = |number| DeploymentId::from_random([number; 16]);
        let board = Board::new(BTreeMap::new());
        assert!(!board.has_taken(&group, turn(1)));
        board.set_taken("a", turn(1));
        assert!(!board.has_taken(&group, turn(1)), "one is missing");
        board.set_taken("b", turn(1));
        assert!(board.has_taken(&group, turn(1)));
        assert!(!board.has_taken(&group, turn(2)), "an earlier turn is none of this one");
        board.set_taken("a", turn(2));
        board.update("b", |state: &mut TaskState| state.state = TaskPhase::Dead);
        assert!(board.has_taken(&group, turn(2)), "a dead one is not waited for");
    }

    #[test]
    fn what_waits_is_one_name_for_all_tasks() {
        let board = Board::new(BTreeMap::new());
        assert_eq!(&*board.waiting(), "");
        board.set_waiting("a", "11");
        assert_eq!(&*board.waiting(), "11");
        board.set_waiting("b", "22");
        let both = board.waiting();
        assert_eq!(both.len(), 32);
        board.set_waiting("b", "23");
        assert_ne!(board.waiting(), both);
        board.set_waiting("a", "");
        assert_eq!(&*board.waiting(), "23");
    }
}
