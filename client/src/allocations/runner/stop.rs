//! Ending an allocation: out of the catalogues first, then the tasks, in order.

use std::{sync::Arc, time::Duration};

use drover_model::allocation::TaskPhase;
use futures::FutureExt;
use tokio::{sync::watch, time::Instant};

use super::{Kill, Runner, Stopping, View};
use crate::{
    limits,
    tasks::{Board, events},
};

/// One task and how to end it.
type Sender = (String, watch::Sender<Option<Kill>>);

pub(super) async fn proceed(stopping: &mut Stopping) {
    match stopping {
        Stopping::Yes(work) => work.await,
        Stopping::No | Stopping::Told => std::future::pending().await,
    }
}

impl Runner {
    /// Sets the stop going, once.
    pub(super) fn begin_stop(&mut self) {
        if !matches!(self.stopping, Stopping::No) {
            return;
        }
        let allocation = self.current();
        let Some(group) = allocation.group() else { return };
        self.scripts.abort_all();
        self.health = None;
        let skip = allocation.desired_transition.no_shutdown_delay == Some(true);
        let delay = group.shutdown_delay.filter(|delay| !delay.is_zero());
        let had_services = !std::mem::take(&mut self.placed).is_empty();
        self.checks.clear();
        let removal = self.shared.registries.remove(allocation.id);
        let order = View::new(group, &self.board.all()).stop_order();
        let step = |names: &Vec<String>| -> Vec<Sender> {
            names.iter().filter_map(|name| Some((name.clone(), self.tasks.get(name)?.kill.clone()))).collect()
        };
        let steps: Vec<Vec<Sender>> = order.iter().map(step).collect();
        let (board, shared) = (Arc::clone(&self.board), Arc::clone(&self.shared));
        let work = async move {
            if had_services {
                let _ = tokio::time::timeout(limits::DEREGISTER, removal).await;
            }
            if let Some(delay) = delay.filter(|_| any_running(&board)) {
                for (name, _) in steps.iter().flatten() {
                    let event = if skip { events::skipping_delay(shared.now()) } else { events::waiting_for_delay(shared.now(), delay) };
                    board.update(name, |state| {
                        if state.state == TaskPhase::Running {
                            state.push(event)
                        }
                    });
                }
                if !skip {
                    wait_while_running(&board, delay).await;
                }
            }
            for step in steps {
                for (_, kill) in &step {
                    let wanted = Kill { without_delay: skip, ..Kill::default() };
                    kill.send_if_modified(|present| {
                        present.is_none() && {
                            *present = Some(wanted);
                            true
                        }
                    });
                }
                let names: Vec<String> = step.into_iter().map(|(name, _)| name).collect();
                until_dead(&board, &names).await;
            }
        };
        self.stopping = Stopping::Yes(work.boxed());
    }

    /// Ends it now: no order, no delays, no patience. What it offers leaves the catalogues afterwards.
    pub(super) fn kill_all(&mut self) {
        self.begin_stop();
        self.stopping = Stopping::Told;
        for hold in self.tasks.values() {
            hold.kill.send_modify(|kill| {
                let known = kill.take().unwrap_or_default();
                *kill = Some(Kill { without_delay: true, at_once: true, ..known });
            });
        }
    }

    /// When the servers have been silent for longer than the group allows its tasks to go on.
    pub(super) fn disconnect_deadline(&self) -> Option<Instant> {
        if !matches!(self.stopping, Stopping::No) {
            return None;
        }
        let allocation = self.allocation.borrow();
        let group = allocation.group()?;
        let own = group.disconnect.as_ref().and_then(|disconnect| disconnect.stop_on_client_after);
        let patience = own.or(group.stop_after_client_disconnect)?;
        Some(*self.shared.contact.borrow() + patience)
    }
}

fn any_running(board: &Board) -> bool {
    board.all().values().any(|state| state.state == TaskPhase::Running)
}

async fn wait_while_running(board: &Board, most: Duration) {
    let mut changes = board.changes();
    let ended = async {
        while any_running(board) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(most, ended).await;
}

async fn until_dead(board: &Board, names: &[String]) {
    let mut changes = board.changes();
    while names.iter().any(|name| board.get(name).is_some_and(|state| state.state != TaskPhase::Dead)) {
        if changes.changed().await.is_err() {
            return;
        }
    }
}
