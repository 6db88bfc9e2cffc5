//! What a task is told when its rendered files have changed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use drover_model::{
    allocation::TaskPhase,
    job::{ChangeMode, ChangeScript, Template},
};
use drover_runtime::Random;
use tokio::time::Instant;

use super::Prepared;
use crate::tasks::{Control, Scope, events};

/// The `splay` of a job that does not say. It keeps many tasks from restarting together; a signal or a script is no reason to wait, so there it counts only
/// when the job asks for another one.
const DEFAULT_SPLAY: Duration = Duration::from_secs(5);
const DEFAULT_SIGNAL: &str = "SIGHUP";
const DEFAULT_SCRIPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The changes since the task was last told, put together: one restart counts for everything.
#[derive(Debug, Default)]
pub(super) struct Change {
    restart: bool,
    signals: BTreeSet<String>,
    scripts: Vec<ChangeScript>,
    splay: Duration,
    at: Option<Instant>,
}

impl Change {
    pub(super) fn add(&mut self, template: &Template) {
        let quick = template.change_mode != ChangeMode::Restart && template.splay == DEFAULT_SPLAY;
        match template.change_mode {
            ChangeMode::Restart => self.restart = true,
            ChangeMode::Signal => {
                let signal = if template.change_signal.is_empty() { DEFAULT_SIGNAL } else { &template.change_signal };
                self.signals.insert(signal.to_ascii_uppercase());
            }
            ChangeMode::Script => self.scripts.extend(template.change_script.clone().filter(|script| !self.scripts.contains(script))),
            // A change that rolls is acted on in its turn.
            ChangeMode::Noop | ChangeMode::Rolling | ChangeMode::Unset => return,
        }
        if !quick {
            self.splay = self.splay.max(template.splay);
        }
    }

    fn is_empty(&self) -> bool {
        !self.restart && self.signals.is_empty() && self.scripts.is_empty()
    }

    /// Draws when to act, unless that has been drawn already.
    pub(super) fn schedule(&mut self, random: &dyn Random) {
        if !self.is_empty() && self.at.is_none() {
            self.at = Some(Instant::now() + random.jitter(self.splay));
        }
    }

    /// Resolves when it is time to act; never when there is nothing to do.
    pub(super) async fn due(&self) {
        match self.at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn act(self, scope: &Arc<Scope>) {
        if self.restart {
            let event = events::restart_signaled(scope.now(), "Template with change_mode restart re-rendered");
            let _ = scope.control.send(Control::Restart { event, reply: None }).await;
            return;
        }
        for signal in self.signals {
            if scope.running().is_none() {
                let text = format!("Template skipped signal {signal}: task is not running");
                scope.event(events::hook_message(scope.now(), &text));
                continue;
            }
            let event = events::signaling(scope.now(), &signal, "Template re-rendered");
            let _ = scope.control.send(Control::Signal { signal, event, reply: None }).await;
        }
        futures::future::join_all(self.scripts.iter().map(|script| run_script(scope, script))).await;
    }
}

/// Scripts that the job wants to run after the first start too.
pub(super) fn run_first_scripts(scope: &Arc<Scope>, templates: &[Prepared]) {
    let scripts = templates.iter().filter(|prepared| prepared.template.change_mode == ChangeMode::Script);
    let scripts: Vec<ChangeScript> =
        scripts.filter_map(|prepared| prepared.template.change_script.clone()).filter(|script| script.run_on_first_render).collect();
    if scripts.is_empty() {
        return;
    }
    let waiting = Arc::clone(scope);
    scope.beside(async move {
        let mut changes = waiting.board.changes();
        while waiting.board.get(&waiting.name).is_none_or(|state| state.state != TaskPhase::Running) {
            if changes.changed().await.is_err() {
                return;
            }
        }
        futures::future::join_all(scripts.iter().map(|script| run_script(&waiting, script))).await;
    });
}

async fn run_script(scope: &Arc<Scope>, script: &ChangeScript) {
    let (Some((task, handle)), Some(driver)) = (scope.running(), scope.driver.clone()) else { return };
    let environment = scope.environment();
    let command: Vec<String> =
        std::iter::once(&script.command).chain(script.args.iter()).map(|word| environment.interpolate(word)).collect();
    let (name, arguments) = (&command[0], command[1..].join(" "));
    let limit = if script.timeout.is_zero() { DEFAULT_SCRIPT_TIMEOUT } else { script.timeout };
    let problem = match driver.exec(&task, &handle, &command, limit).await {
        Ok(output) if output.code == 0 => {
            let text = format!("Template successfully ran script {name} with arguments: [{arguments}]. Exit code: 0");
            return scope.event(events::hook_message(scope.now(), &text));
        }
        Ok(output) => format!("Template ran script {name} with arguments [{arguments}] on change but it exited with code: {}", output.code),
        Err(error) => format!("Template failed to run script {name} with arguments [{arguments}] on change: {error}. Exit code: 0"),
    };
    scope.event(events::hook_failed(scope.now(), &problem));
    if script.fail_on_error {
        let event = events::killing_because(scope.now(), "Template script failed, task is being killed");
        let _ = scope.control.send(Control::Doom { event }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_put_together() {
        let template = |mode, signal: &str, splay| {
            let (change_signal, splay) = (signal.to_owned(), Duration::from_secs(splay));
            Template { change_mode: mode, change_signal, splay, ..Template::default() }
        };
        for (name, templates, want) in [
            ("nothing to do", vec![template(ChangeMode::Noop, "", 5)], (false, vec![], 0)),
            ("a signal does not wait", vec![template(ChangeMode::Signal, "", 5)], (false, vec!["SIGHUP"], 0)),
            ("a signal with a splay of its own", vec![template(ChangeMode::Signal, "sigusr1", 7)], (false, vec!["SIGUSR1"], 7)),
            ("the largest splay", vec![template(ChangeMode::Restart, "", 5), template(ChangeMode::Restart, "", 9)], (true, vec![], 9)),
            (
                "each signal once",
                vec![template(ChangeMode::Signal, "", 5), template(ChangeMode::Signal, "SIGHUP", 5)],
                (false, vec!["SIGHUP"], 0),
            ),
        ] {
            let mut change = Change::default();
            templates.iter().for_each(|template| change.add(template));
            let signals: Vec<&str> = change.signals.iter().map(String::as_str).collect();
            assert_eq!((change.restart, signals, change.splay.as_secs()), want, "{name}");
        }
    }
}
