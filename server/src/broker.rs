//! Hands evaluations to workers: per job one at a time, by priority, each until it was acknowledged or was given back too often.
//!
//! All in memory: the state has every evaluation, and a new leader fills its broker from there.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::{
    evaluation::Evaluation,
    ids::{EvalId, JobKey},
    time::UnixNanos,
};
use tokio::sync::Notify;

use queue::{Order, Ready};

mod queue;
#[cfg(test)]
mod tests;

/// How often an evaluation is given to a worker before it counts as failed.
pub const DELIVERY_LIMIT: u32 = 3;
/// How long one that was given back waits for its next worker: the first time, and later.
pub const NACK_DELAYS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(20)];
/// Evaluations in memory. What comes beyond stays in the state alone and is fetched from there when half of these are done.
pub const MAX_QUEUED: usize = 200_000;

/// The queue between those who make evaluations and those who schedule.
#[derive(Debug, Default)]
pub struct Broker {
    inner: Mutex<Inner>,
    /// Something is ready for a worker.
    ready: Notify,
    /// The earliest delay changed.
    delays: Notify,
    /// Something is there for [`Broker::leftovers`].
    leftovers: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    enabled: bool,
    paused: bool,
    ready: Ready,
    /// Jobs of which an evaluation is ready or with a worker.
    busy: BTreeMap<JobKey, EvalId>,
    /// Evaluations of busy jobs.
    waiting: BTreeMap<JobKey, BTreeMap<Order, Arc<Evaluation>>>,
    delayed: BTreeMap<(UnixNanos, EvalId), Arc<Evaluation>>,
    delayed_until: BTreeMap<EvalId, UnixNanos>,
    outstanding: BTreeMap<EvalId, Outstanding>,
    deliveries: BTreeMap<EvalId, u32>,
    /// Every evaluation that is in any of these.
    known: BTreeSet<EvalId>,
    leftovers: Leftovers,
    overflowed: bool,
    next_token: u64,
}

#[derive(Debug)]
struct Outstanding {
    evaluation: Arc<Evaluation>,
    token: u64,
    /// What became of it while the worker had it, when that is to be scheduled again: a blocked one for which room came.
    again: Option<Arc<Evaluation>>,
}

/// What somebody has to write into the state.
#[derive(Debug, Default, PartialEq)]
pub struct Leftovers {
    /// Not needed any more, because a newer one of the same job was scheduled.
    pub superseded: Vec<Arc<Evaluation>>,
    /// Given back too often.
    pub failed: Vec<Arc<Evaluation>>,
    /// There is room again for what the broker could not hold.
    pub reload: bool,
}

impl Leftovers {
    fn is_empty(&self) -> bool {
        self.superseded.is_empty() && self.failed.is_empty() && !self.reload
    }
}

/// An evaluation in the hands of a worker. Dropped without [`Delivery::ack`], it is given back.
#[derive(Debug)]
pub struct Delivery {
    pub evaluation: Arc<Evaluation>,
    token: u64,
    broker: Arc<Broker>,
    acked: bool,
}

impl Delivery {
    /// It was scheduled.
    pub fn ack(mut self) {
        self.acked = true;
        self.broker.ack(self.evaluation.id, self.token);
    }

    /// Names this delivery: a plan is only taken from the worker that still has its evaluation.
    pub fn token(&self) -> u64 {
        self.token
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.acked {
            self.broker.nack(self.evaluation.id, self.token);
        }
    }
}

/// How much is where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    pub ready: usize,
    pub outstanding: usize,
    pub waiting: usize,
    pub delayed: usize,
}

impl Broker {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code panics while it holds the lock in a way that leaves half a change; going on is better than taking every worker down.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaders have an enabled broker. Disabling forgets everything.
    pub fn set_enabled(&self, enabled: bool) {
        let mut inner = self.lock();
        let (paused, next_token) = (inner.paused, inner.next_token);
        *inner = Inner { enabled, paused, next_token, ..Inner::default() };
        drop(inner);
        self.delays.notify_one();
        self.ready.notify_waiters();
    }

    /// A paused broker takes evaluations but gives none out.
    pub fn set_paused(&self, paused: bool) {
        self.lock().paused = paused;
        if !paused {
            self.ready.notify_waiters();
        }
    }

    pub fn stats(&self) -> BrokerStats {
        let inner = self.lock();
        BrokerStats {
            ready: inner.ready.len(),
            outstanding: inner.outstanding.len(),
            waiting: inner.waiting.values().map(BTreeMap::len).sum(),
            delayed: inner.delayed.len(),
        }
    }

    /// Takes an evaluation. One that is known already is not taken twice. `now` decides whether its time has come.
    pub fn enqueue(&self, evaluation: Arc<Evaluation>, now: UnixNanos) {
        let mut inner = self.lock();
        if !inner.enabled || inner.note_again(&evaluation) || inner.known.contains(&evaluation.id) {
            return;
        }
        if inner.known.len() >= MAX_QUEUED {
            inner.overflowed = true;
            return;
        }
        inner.known.insert(evaluation.id);
        let due = due(&evaluation);
        if due > now {
            inner.delay(evaluation, due);
            drop(inner);
            self.delays.notify_one();
        } else {
            inner.admit(evaluation);
            drop(inner);
            self.ready.notify_one();
        }
    }

    /// Forgets an evaluation that has ended otherwise; one that a worker has stays with it.
    pub fn forget(&self, id: EvalId) {
        let mut inner = self.lock();
        if inner.known.contains(&id) && !inner.outstanding.contains_key(&id) {
            inner.remove_queued(id);
        }
    }

    /// The next evaluation for a worker; waits until there is one.
    pub async fn dequeue(self: &Arc<Self>) -> Delivery {
        loop {
            let notified = self.ready.notified();
            if let Some(delivery) = self.try_dequeue() {
                return delivery;
            }
            notified.await;
        }
    }

    fn try_dequeue(self: &Arc<Self>) -> Option<Delivery> {
        let mut inner = self.lock();
        if inner.paused {
            return None;
        }
        let evaluation = inner.ready.pop()?;
        inner.next_token += 1;
        let token = inner.next_token;
        inner.outstanding.insert(evaluation.id, Outstanding { evaluation: Arc::clone(&evaluation), token, again: None });
        let more = !inner.ready.is_empty();
        drop(inner);
        if more {
            self.ready.notify_one();
        }
        Some(Delivery { evaluation, token, broker: Arc::clone(self), acked: false })
    }

    /// Whether the worker with this token still has the evaluation.
    pub fn is_outstanding(&self, id: EvalId, token: u64) -> bool {
        self.lock().outstanding.get(&id).is_some_and(|outstanding| outstanding.token == token)
    }

    fn ack(&self, id: EvalId, token: u64) {
        let mut inner = self.lock();
        let Some(Outstanding { evaluation, again, .. }) = inner.take_outstanding(id, token) else { return };
        inner.known.remove(&id);
        inner.deliveries.remove(&id);
        inner.release(&evaluation.job_key());
        if let Some(again) = again {
            inner.known.insert(id);
            inner.admit(again);
        }
        let room = inner.overflowed && inner.known.len() < MAX_QUEUED / 2;
        if room {
            inner.overflowed = false;
            inner.leftovers.reload = true;
        }
        let leftovers = !inner.leftovers.is_empty();
        drop(inner);
        self.ready.notify_one();
        if leftovers {
            self.leftovers.notify_one();
        }
    }

    fn nack(&self, id: EvalId, token: u64) {
        let mut inner = self.lock();
        let Some(Outstanding { evaluation, again, .. }) = inner.take_outstanding(id, token) else { return };
        let evaluation = again.unwrap_or(evaluation);
        let deliveries = inner.deliveries.entry(id).or_default();
        *deliveries += 1;
        let deliveries = *deliveries;
        if deliveries >= DELIVERY_LIMIT {
            inner.deliveries.remove(&id);
            inner.known.remove(&id);
            inner.leftovers.failed.push(Arc::clone(&evaluation));
            inner.release(&evaluation.job_key());
            drop(inner);
            self.leftovers.notify_one();
        } else {
            // The job stays busy: no other evaluation of it overtakes this one.
            let delay = NACK_DELAYS[(deliveries as usize - 1).min(NACK_DELAYS.len() - 1)];
            inner.ready.push_later(evaluation, delay);
            drop(inner);
            self.delays.notify_one();
        }
        self.ready.notify_one();
    }

    /// What has to be written into the state; waits until there is something.
    pub async fn leftovers(&self) -> Leftovers {
        loop {
            let notified = self.leftovers.notified();
            let found = std::mem::take(&mut self.lock().leftovers);
            if !found.is_empty() {
                return found;
            }
            notified.await;
        }
    }

    /// Makes delayed evaluations ready when their time comes. Sleeps until the earliest; never returns.
    pub async fn run_delays(&self, now: impl Fn() -> UnixNanos) {
        loop {
            let notified = self.delays.notified();
            let wait = self.release_due(now());
            match wait {
                Some(wait) => {
                    let _ = tokio::time::timeout(wait, notified).await;
                }
                None => notified.await,
            }
        }
    }

    /// Makes ready what is due, and says how long nothing else will be.
    fn release_due(&self, now: UnixNanos) -> Option<Duration> {
        let mut inner = self.lock();
        let mut released = inner.ready.release(tokio::time::Instant::now());
        while let Some(entry) = inner.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let evaluation = entry.remove();
            inner.delayed_until.remove(&evaluation.id);
            inner.admit(evaluation);
            released = true;
        }
        let by_clock = inner.delayed.first_key_value().map(|((due, _), _)| due.since(now).max(MIN_SLEEP));
        let by_nack = inner.ready.next_release().map(|at| at.saturating_duration_since(tokio::time::Instant::now()));
        drop(inner);
        if released {
            self.ready.notify_one();
        }
        [by_clock, by_nack].into_iter().flatten().min()
    }
}

/// Timers round down; without a least sleep the last microseconds would be spent spinning.
const MIN_SLEEP: Duration = Duration::from_millis(1);

/// When an evaluation may be scheduled.
fn due(evaluation: &Evaluation) -> UnixNanos {
    let waited = if evaluation.wait.is_zero() { UnixNanos::NEVER } else { evaluation.create_time.plus(evaluation.wait) };
    waited.max(evaluation.wait_until.0)
}

impl Inner {
    fn delay(&mut self, evaluation: Arc<Evaluation>, until: UnixNanos) {
        self.delayed_until.insert(evaluation.id, until);
        self.delayed.insert((until, evaluation.id), evaluation);
    }

    /// Makes an evaluation ready, or lets it wait for the one of the same job.
    fn admit(&mut self, evaluation: Arc<Evaluation>) {
        let key = evaluation.job_key();
        match self.busy.entry(key) {
            Entry::Occupied(busy) => {
                self.waiting.entry(busy.key().clone()).or_default().insert(Order::of(&evaluation), evaluation);
            }
            Entry::Vacant(free) => {
                free.insert(evaluation.id);
                self.ready.push(evaluation);
            }
        }
    }

    /// A job's evaluation is done: the newest of those that waited is next, and it stands for the others, because each brings the job to what it asks for now.
    fn release(&mut self, key: &JobKey) {
        self.busy.remove(key);
        let Some(waiting) = self.waiting.remove(key) else { return };
        let Some(newest) = waiting.values().max_by_key(|evaluation| (evaluation.create_index, evaluation.id)).cloned() else { return };
        for superseded in waiting.into_values().filter(|evaluation| evaluation.id != newest.id) {
            self.known.remove(&superseded.id);
            self.leftovers.superseded.push(superseded);
        }
        self.admit(newest);
    }

    fn take_outstanding(&mut self, id: EvalId, token: u64) -> Option<Outstanding> {
        if self.outstanding.get(&id)?.token != token {
            return None;
        }
        self.outstanding.remove(&id)
    }

    /// Keeps a newer form of what a worker has for when that is done with it. Whether a worker has it.
    fn note_again(&mut self, evaluation: &Arc<Evaluation>) -> bool {
        let Some(outstanding) = self.outstanding.get_mut(&evaluation.id) else { return false };
        if evaluation.modify_index > outstanding.evaluation.modify_index {
            outstanding.again = Some(Arc::clone(evaluation));
        }
        true
    }

    fn remove_queued(&mut self, id: EvalId) {
        self.known.remove(&id);
        self.deliveries.remove(&id);
        if let Some(until) = self.delayed_until.remove(&id) {
            self.delayed.remove(&(until, id));
            return;
        }
        if let Some(evaluation) = self.ready.remove(id) {
            self.release(&evaluation.job_key());
            return;
        }
        self.waiting.retain(|_, evaluations| {
            evaluations.retain(|order, _| order.id() != id);
            !evaluations.is_empty()
        });
    }
}
