//! What is ready for workers, in the order in which they get it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{evaluation::Evaluation, ids::EvalId};
use tokio::time::Instant;

/// The higher priority first, then the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    priority: Reverse<u8>,
    create_index: u64,
    id: EvalId,
}

impl Order {
    pub(super) fn of(evaluation: &Evaluation) -> Self {
        Self { priority: Reverse(evaluation.priority), create_index: evaluation.create_index, id: evaluation.id }
    }

    pub(super) fn id(&self) -> EvalId {
        self.id
    }
}

#[derive(Debug, Default)]
pub(super) struct Ready {
    queue: BTreeMap<Order, Arc<Evaluation>>,
    orders: BTreeMap<EvalId, Order>,
    /// Given back by a worker: ready after a pause.
    later: BTreeMap<EvalId, Arc<Evaluation>>,
    later_at: BTreeSet<(Instant, EvalId)>,
}

impl Ready {
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.later.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(&mut self, evaluation: Arc<Evaluation>) {
        let order = Order::of(&evaluation);
        self.orders.insert(evaluation.id, order);
        self.queue.insert(order, evaluation);
    }

    pub(super) fn push_later(&mut self, evaluation: Arc<Evaluation>, delay: Duration) {
        self.later_at.insert((Instant::now() + delay, evaluation.id));
        self.later.insert(evaluation.id, evaluation);
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Evaluation>> {
        let (order, evaluation) = self.queue.pop_first()?;
        self.orders.remove(&order.id);
        Some(evaluation)
    }

    pub(super) fn remove(&mut self, id: EvalId) -> Option<Arc<Evaluation>> {
        match self.orders.remove(&id) {
            Some(order) => self.queue.remove(&order),
            None => self.later.remove(&id),
        }
    }

    /// Moves what has paused long enough; whether there was anything.
    pub(super) fn release(&mut self, now: Instant) -> bool {
        let mut released = false;
        while self.later_at.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.later_at.pop_first() else { break };
            if let Some(evaluation) = self.later.remove(&id) {
                self.push(evaluation);
                released = true;
            }
        }
        released
    }

    pub(super) fn next_release(&self) -> Option<Instant> {
        self.later_at.first().map(|(at, _)| *at)
    }
}
