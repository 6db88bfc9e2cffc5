//! Stopping the client. On a node that stays, tasks live on; a throw-away one takes them along.

use std::sync::atomic::Ordering;

use super::{AllocCommand, DEV_KILL, DEV_STOP, Handle, Held, LAST_REPORTS};

impl Handle {
    /// Stops the client. In dev mode every task is stopped first, as somebody at a laptop expects; otherwise all of them go on running, and the next agent
    /// finds them again.
    pub async fn shutdown(&self) {
        let shared = &self.inner.shared;
        if shared.config.dev {
            // What the servers place here from now on would outlive the node.
            self.inner.is_leaving.store(true, Ordering::Relaxed);
            self.stop_all().await;
            self.remove_state();
        }
        shared.reports.flushed(LAST_REPORTS).await;
        shared.shutdown.cancel();
        for held in self.inner.lock().values() {
            held.runner.abort();
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.lock().clear();
    }

    /// Kills every task of a throw-away node, without the patience that [`Handle::shutdown`] has with them. Tasks of other nodes are left alone.
    pub async fn kill_tasks(&self) {
        if self.inner.shared.config.dev {
            self.tell_all(|| AllocCommand::Kill).await;
        }
    }

    /// How many allocations have not ended.
    pub fn live_allocations(&self) -> usize {
        self.inner.lock().values().filter(|held| !held.has_ended()).count()
    }

    async fn stop_all(&self) {
        self.tell_all(|| AllocCommand::Stop).await;
        if tokio::time::timeout(DEV_STOP, self.all_ended()).await.is_ok() {
            return;
        }
        tracing::warn!(allocations = self.live_allocations(), "not every task has ended in time; what is left is killed");
        self.tell_all(|| AllocCommand::Kill).await;
        if tokio::time::timeout(DEV_KILL, self.all_ended()).await.is_err() {
            tracing::error!(allocations = self.live_allocations(), "not every task could be killed; what is left goes on running");
        }
    }

    async fn tell_all(&self, command: impl Fn() -> AllocCommand) {
        let all: Vec<_> = self.inner.lock().values().filter(|held| !held.has_ended()).map(Held::commands).collect();
        let told = all.into_iter().map(|commands| {
            let command = command();
            async move { commands.send(command).await.is_ok() }
        });
        futures::future::join_all(told).await;
    }

    async fn all_ended(&self) {
        let all: Vec<_> = self.inner.lock().values().map(|held| held.ended.clone()).collect();
        let ended = all.into_iter().map(|mut ended| async move { ended.wait_for(|ended| *ended).await.is_ok() });
        futures::future::join_all(ended).await;
    }

    /// Nothing of a throw-away node is of use to the next one.
    fn remove_state(&self) {
        let ended: Vec<_> = self.inner.lock().iter().filter(|(_, held)| held.has_ended()).map(|(id, _)| *id).collect();
        for id in ended {
            let _ = std::fs::remove_dir_all(self.inner.shared.alloc_root(id));
        }
    }
}
