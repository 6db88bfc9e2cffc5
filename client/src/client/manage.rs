//! Bringing what runs here in line with what the servers want to run here.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use drover_model::allocation::{Allocation, AllocationReport, ClientStatus, DesiredStatus, client_description};

use super::{AllocId, Handle, Held, Instant, NodeAllocationsItem, SavedAllocation, mpsc, watch};
use crate::{
    allocations::{Begin, Previous, Runner},
    limits,
};

impl Handle {
    pub(super) async fn manage(self, mut items: mpsc::Receiver<NodeAllocationsItem>) {
        while let Some(item) = items.recv().await {
            let (complete, removed) = (item.complete, item.removed);
            let allocations = item.allocations.into_allocations();
            let named: BTreeSet<AllocId> = allocations.iter().map(|allocation| allocation.id).collect();
            for allocation in allocations {
                self.take(allocation);
            }
            let forgotten: Vec<AllocId> = if complete {
                let held = self.inner.lock();
                held.keys().filter(|id| !named.contains(id)).copied().collect()
            } else {
                removed
            };
            for id in forgotten {
                self.destroy(id);
            }
        }
    }

    /// One allocation as the servers have it now.
    fn take(&self, allocation: Allocation) {
        let allocation = Arc::new(allocation);
        let held = self.inner.lock();
        if let Some(held) = held.get(&allocation.id) {
            let (known, deployment) = {
                let known = held.allocation.borrow();
                (known.alloc_modify_index, known.deployment_id)
            };
            if allocation.alloc_modify_index > known && !held.going {
                if allocation.deployment_id != deployment {
                    self.inner.shared.state.forget_health(allocation.id);
                }
                self.inner.shared.state.put_allocation(&allocation);
                held.allocation.send_replace(allocation);
            }
            return;
        }
        drop(held);
        if allocation.is_client_terminal() || self.inner.is_leaving.load(Ordering::Relaxed) {
            return;
        }
        if allocation.is_server_terminal() {
            // Never begun here, and never will be.
            return self.report_unstarted(&allocation);
        }
        if allocation.group().is_none() {
            return tracing::error!(alloc = %allocation.id, group = %allocation.task_group, "an allocation came without its group");
        }
        tracing::info!(alloc = %allocation.id, name = %allocation.name, "an allocation is started");
        self.inner.shared.state.put_allocation(&allocation);
        let begin = Begin { previous: self.previous_of(&allocation), ..Begin::default() };
        self.begin(allocation, begin);
    }

    /// The allocation on this node that a new one waits for: it takes over its data, or writes a volume that only one of them may write.
    fn previous_of(&self, allocation: &Allocation) -> Option<Previous> {
        let (id, group) = (allocation.previous_allocation?, allocation.group()?);
        let inherits = group.ephemeral_disk.sticky;
        if !inherits && !group.volumes.values().any(|volume| volume.kind == "host" && !volume.read_only) {
            return None;
        }
        let ended = self.inner.lock().get(&id).map(Held::ended)?;
        Some(Previous { ended, root: inherits.then(|| self.inner.shared.alloc_root(id)) })
    }

    fn report_unstarted(&self, allocation: &Allocation) {
        let report = AllocationReport {
            id: Some(allocation.id),
            client_status: ClientStatus::Complete,
            client_description: client_description::COMPLETE.into(),
            task_states: allocation.task_states.clone().into_iter().collect(),
            ..AllocationReport::default()
        };
        self.inner.shared.reports.push(allocation.id, report);
    }

    /// Goes on with an allocation of an earlier agent.
    pub(super) fn resume(&self, saved: SavedAllocation, declared: mpsc::Sender<()>) {
        let begin = Begin {
            tasks: saved.tasks,
            deployment_status: saved.deployment_status,
            restored: true,
            declared: Some(declared),
            previous: None,
        };
        self.begin(Arc::new(saved.allocation), begin);
    }

    fn begin(&self, allocation: Arc<Allocation>, begin: Begin) {
        let id = allocation.id;
        let (allocations, allocation) = watch::channel(allocation);
        let (commands, received) = mpsc::channel(limits::COMMAND_QUEUE);
        let (status, view) = watch::channel(ClientStatus::Pending);
        let (over, ended) = watch::channel(false);
        let runner = Runner::new(Arc::clone(&self.inner.shared), allocation, received, status, &begin);
        let handle = self.clone();
        let mut held = self.inner.lock();
        let task = self.inner.tasks.spawn(async move {
            runner.run(begin).await;
            over.send_replace(true);
            handle.note_end(id);
        });
        let runner = task.abort_handle();
        held.insert(id, Held { allocation: allocations, commands, view, runner, ended, ended_at: None, going: false });
    }

    fn note_end(&self, id: AllocId) {
        if let Some(held) = self.inner.lock().get_mut(&id) {
            held.ended_at = Some(Instant::now());
        }
        self.collect_excess();
    }

    /// Ends an allocation whatever the servers last said, and removes all that is left of it.
    pub(super) fn destroy(&self, id: AllocId) {
        let mut allocations = self.inner.lock();
        let Some(held) = allocations.get_mut(&id) else { return };
        if std::mem::replace(&mut held.going, true) {
            return;
        }
        if !held.has_ended() {
            let stopped = Allocation { desired_status: DesiredStatus::Stop, ..Allocation::clone(&held.allocation.borrow()) };
            held.allocation.send_replace(Arc::new(stopped));
        }
        let mut ended = held.ended.clone();
        drop(allocations);
        let handle = self.clone();
        let work = async move {
            if ended.wait_for(|ended| *ended).await.is_err() {
                return;
            }
            handle.remove(id).await;
        };
        self.inner.tasks.spawn(self.inner.shared.shutdown.clone().run_until_cancelled_owned(work));
    }
}
