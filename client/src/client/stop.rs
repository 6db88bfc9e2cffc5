//! Stopping the client. On a node that stays, tasks live on; a throw-away one takes them along.

use super::{AllocCommand, DEV_STOP, Handle, LAST_REPORTS};

impl Handle {
    /// Stops the client. In dev mode every task is stopped first, as somebody at a laptop expects; otherwise all of them go on running, and the next agent
    /// finds them again.
    pub async fn shutdown(&self) {
        let shared = &self.inner.shared;
        if shared.config.dev {
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

    async fn stop_all(&self) {
        let held: Vec<_> =
            self.inner.lock().values().filter(|held| !held.has_ended()).map(|held| (held.commands(), held.ended.clone())).collect();
        for (commands, _) in &held {
            let _ = commands.send(AllocCommand::Stop).await;
        }
        let all = held.into_iter().map(|(_, mut ended)| async move { ended.wait_for(|ended| *ended).await.map(drop) });
        if tokio::time::timeout(DEV_STOP, futures::future::join_all(all)).await.is_err() {
            tracing::warn!("not every task has ended in time; what is left goes on running");
        }
    }

    /// Nothing of a throw-away node is of use to the next one.
    fn remove_state(&self) {
        let ended: Vec<_> = self.inner.lock().iter().filter(|(_, held)| held.has_ended()).map(|(id, _)| *id).collect();
        for id in ended {
            let _ = std::fs::remove_dir_all(self.inner.shared.alloc_root(id));
        }
    }
}
