//! Changed texts of templates with `change_mode = "rolling"`: kept back until the servers give the allocation its turn.
//!
//! The file of the task is what decides whether a text is a change, so that what was kept back is known again after the agent has been restarted. A turn is
//! written down before the files and after the restart: whatever comes between is done again.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{allocation::TaskPhase, ids::DeploymentId, job::Task, secret::SecretText};
use drover_template::Rendered;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{Prepared, apply, origin, rendered_before};
use crate::tasks::{Control, Scope, events, rolls::short};

const KEY_BYTES: usize = 32;

/// The texts of one task that wait.
#[derive(Debug)]
pub(super) struct Kept {
    /// Whether any template of the task can wait.
    rolls: bool,
    /// Whether everything has been rendered once, so that what waits is known.
    complete: bool,
    /// By the template's place in the job.
    texts: BTreeMap<usize, Rendered>,
    /// A turn that could not be taken: it is not tried again before something new has come.
    missed: Option<DeploymentId>,
}

impl Kept {
    /// The task is about to start with the newest texts. That counts for `turn`, if it was its allocation's turn before they were rendered.
    pub(super) fn after_first(scope: &Scope, task: &Task, turn: Option<DeploymentId>) -> Self {
        let kept = Self { rolls: task.rolls_templates(), complete: true, texts: BTreeMap::new(), missed: None };
        if kept.rolls {
            kept.settle(scope, turn);
        }
        kept
    }

    /// The task runs, with texts of an earlier time.
    pub(super) fn after_return(task: &Task) -> Self {
        Self { rolls: task.rolls_templates(), complete: false, texts: BTreeMap::new(), missed: None }
    }

    pub(super) fn rolls(&self) -> bool {
        self.rolls
    }

    /// Keeps a text, unless it says what the task's file says already.
    pub(super) async fn keep(&mut self, scope: &Scope, templates: &[Prepared], rendered: Rendered) {
        let Some((index, prepared)) = origin(templates, &rendered) else { return };
        if rendered_before(scope, prepared).await.as_deref() == Some(&*rendered.text) {
            self.texts.remove(&index);
        } else {
            self.texts.insert(index, rendered);
        }
    }

    /// Says what waits now, after everything that came together has been kept.
    pub(super) fn tell(&mut self, scope: &Scope) {
        if !self.rolls {
            return;
        }
        (self.complete, self.missed) = (true, None);
        let waiting = self.stands_for(scope);
        let known = scope.saved().roll.waiting;
        if waiting == known {
            return;
        }
        if known.is_empty() {
            let text = "Template: a change waits for its turn (change_mode rolling); the last text stays until then";
            scope.event(events::hook_message(scope.now(), text));
        }
        scope.save(|saved| saved.roll.waiting.clone_from(&waiting));
        scope.board.set_waiting(&scope.name, &waiting);
    }

    /// A name for the texts that tells nothing of them: nobody else has the key.
    fn stands_for(&self, scope: &Scope) -> String {
        if self.texts.is_empty() {
            return String::new();
        }
        let key = key(scope);
        let mut inner = Sha256::new_with_prefix(key.expose());
        for (index, rendered) in &self.texts {
            inner.update((*index as u64).to_be_bytes());
            inner.update((rendered.text.len() as u64).to_be_bytes());
            inner.update(&rendered.text);
        }
        // Hashed twice under the key, so that nobody can go on from a hash that was seen.
        short(&Sha256::new_with_prefix(key.expose()).chain_update(inner.finalize()).finalize())
    }

    /// Lets the texts in and restarts the task, if it is its allocation's turn and that has not been done.
    pub(super) async fn take_turn(&mut self, scope: &Arc<Scope>, templates: &[Prepared], turn: Option<DeploymentId>) {
        let Some(turn) = turn.filter(|turn| self.rolls && self.complete && self.missed != Some(*turn)) else { return };
        let saved = scope.saved().roll;
        if saved.done == Some(turn) {
            return;
        }
        let interrupted = saved.begun == Some(turn);
        scope.save(|saved| saved.roll.begun = Some(turn));
        let mut wrote = interrupted;
        while let Some((index, rendered)) = self.texts.pop_first() {
            match apply(scope, templates, &rendered).await {
                Ok(changed) => wrote |= changed.is_some(),
                Err(error) => {
                    scope.event(events::hook_failed(scope.now(), &error.event.display_message));
                    self.texts.insert(index, rendered);
                    self.missed = Some(turn);
                    return;
                }
            }
        }
        if wrote {
            restart(scope).await;
        }
        self.settle(scope, Some(turn));
    }

    /// Nothing waits any more.
    fn settle(&self, scope: &Scope, turn: Option<DeploymentId>) {
        scope.save(|saved| {
            saved.roll.waiting.clear();
            saved.roll.done = turn.or(saved.roll.done);
        });
        scope.board.set_waiting(&scope.name, "");
        if let Some(turn) = turn {
            scope.board.set_taken(&scope.name, turn);
        }
    }
}

/// The task's key, drawn when it is first needed.
fn key(scope: &Scope) -> SecretText {
    let known = scope.saved().roll.key;
    if !known.is_empty() {
        return known;
    }
    let mut bytes = [0; KEY_BYTES];
    scope.shared.runtime.random.fill(&mut bytes);
    let drawn = SecretText::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    scope.save(|saved| saved.roll.key = drawn.clone());
    drawn
}

/// Restarts the task and returns once its new run has been decided on. One that does not run finds the texts when it starts.
async fn restart(scope: &Arc<Scope>) {
    let mut changes = scope.board.changes();
    let Some(before) = scope.board.get(&scope.name).filter(|state| state.state == TaskPhase::Running) else { return };
    let event = events::restart_signaled(scope.now(), "Template with change_mode rolling re-rendered");
    let (reply, answer) = oneshot::channel();
    if scope.control.send(Control::Restart { event, reply: Some(reply) }).await.is_err() || !matches!(answer.await, Ok(Ok(()))) {
        return;
    }
    let ended = |state: &drover_model::allocation::TaskState| state.state == TaskPhase::Dead || state.restarts > before.restarts;
    while scope.board.get(&scope.name).is_some_and(|state| !ended(&state)) {
        if changes.changed().await.is_err() {
            return;
        }
    }
}
