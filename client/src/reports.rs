//! What became of allocations, on its way to the servers.
//!
//! A report leaves at once when none is under way; what changes meanwhile is gathered and leaves together, the newest of each allocation.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::{
    allocation::AllocationReport,
    ids::AllocId,
    rpc::node::{NodeAuth, NodeReport},
};
use drover_runtime::Random;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{limits, servers::Servers};

#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// One per allocation, so it is bounded by what the node runs.
    waiting: Mutex<BTreeMap<AllocId, AllocationReport>>,
    ready: Notify,
    idle: watch::Sender<bool>,
}

impl Reports {
    pub(crate) fn push(&self, alloc: AllocId, report: AllocationReport) {
        self.lock().insert(alloc, report);
        self.ready.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AllocId, AllocationReport>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<(AllocId, AllocationReport)> {
        let mut waiting = self.lock();
        let mut taken = Vec::new();
        while taken.len() < limits::REPORT_ALLOCATIONS {
            let Some(first) = waiting.pop_first() else { break };
            taken.push(first);
        }
        taken
    }

    /// What could not be delivered waits again, unless something newer does.
    fn put_back(&self, reports: Vec<(AllocId, AllocationReport)>) {
        let mut waiting = self.lock();
        for (alloc, report) in reports {
            waiting.entry(alloc).or_insert(report);
        }
    }

    /// Resolves once nothing waits, or after `limit`.
    pub(crate) async fn flushed(&self, limit: Duration) {
        let mut idle = self.idle.subscribe();
        let empty = async {
            while !(self.lock().is_empty() && *idle.borrow_and_update()) {
                if idle.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(limit, empty).await;
    }

    /// Delivers, once the node is registered, for as long as it is polled. A servers' answer to anything else (`contact`) ends the wait after a failure.
    pub(crate) async fn run(
        &self,
        servers: &dyn Servers,
        auth: &NodeAuth,
        random: &dyn Random,
        mut registered: watch::Receiver<u64>,
        mut contact: watch::Receiver<Instant>,
    ) {
        if registered.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        let mut pause = limits::RETRY_FIRST;
        loop {
            let reports = self.take();
            if reports.is_empty() {
                self.idle.send_replace(true);
                self.ready.notified().await;
                continue;
            }
            self.idle.send_replace(false);
            let request = NodeReport { auth: auth.clone(), allocations: reports.iter().map(|(_, report)| report.clone()).collect() };
            let error = match tokio::time::timeout(limits::SERVER_CALL, servers.report(request)).await {
                Ok(Ok(_)) => {
                    pause = limits::RETRY_FIRST;
                    // What changes in a burst goes together.
                    tokio::time::sleep(limits::REPORT_PAUSE).await;
                    continue;
                }
                Ok(Err(error)) => error.message,
                Err(_) => "no answer".to_owned(),
            };
            tracing::warn!(error, allocations = reports.len(), "a report could not be delivered; it is kept");
            self.put_back(reports);
            contact.mark_unchanged();
            tokio::select! {
                biased;
                () = tokio::time::sleep(pause + random.jitter(pause)) => {}
                Ok(()) = contact.changed() => {}
            }
            pause = (pause * 2).min(limits::RETRY_MOST);
        }
    }
}
