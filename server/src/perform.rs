//! Effects performed: what changes of the state mean to the services of this server.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use drover_model::ids::{DeploymentId, JobKey, NodeId};
use drover_runtime::Runtime;
use tokio::sync::Notify;

use crate::{
    blocked::Blocked,
    broker::Broker,
    dirty::Dirty,
    fsm::Effect,
    heartbeats::Heartbeats,
    rolls,
    state::{State, StateStore},
};

/// The in-memory services that effects go to. All of their methods return at once, because the state machine waits for them.
#[derive(Debug)]
pub struct Services {
    pub broker: Arc<Broker>,
    pub blocked: Arc<Blocked>,
    pub heartbeats: Arc<Heartbeats>,
    pub deployments: Arc<Dirty<DeploymentId>>,
    pub jobs: Arc<Dirty<JobKey>>,
    /// Jobs whose changed templates may go on.
    pub rolls: Arc<Dirty<JobKey>>,
    pub drains: Arc<Notify>,
    /// Another state has taken this one's place: the leader's services begin anew.
    pub restored: Notify,
    pub node_watches: NodeWatches,
    runtime: Runtime,
    leading: AtomicBool,
}

impl Services {
    pub fn new(runtime: Runtime, heartbeats: Heartbeats) -> Self {
        Self {
            broker: Arc::default(),
            blocked: Arc::default(),
            heartbeats: Arc::new(heartbeats),
            deployments: Arc::default(),
            jobs: Arc::default(),
            rolls: Arc::default(),
            drains: Arc::default(),
            restored: Notify::new(),
            node_watches: NodeWatches::default(),
            runtime,
            leading: AtomicBool::new(false),
        }
    }

    /// From now on effects are performed. Called before the state is looked through for what is to be done, so that nothing falls between the two.
    pub fn begin_leading(&self) {
        self.broker.set_enabled(true);
        self.blocked.set_enabled(true);
        self.leading.store(true, Ordering::SeqCst);
    }

    pub fn stop_leading(&self) {
        self.leading.store(false, Ordering::SeqCst);
        self.broker.set_enabled(false);
        self.blocked.set_enabled(false);
        self.deployments.take();
        self.jobs.take();
        self.rolls.take();
    }

    /// Performs what followed from commands, which readers of `store` see already.
    pub fn perform(&self, store: &StateStore, effects: Vec<Effect>) {
        let leading = self.leading.load(Ordering::SeqCst).then(|| store.snapshot());
        for effect in effects {
            match effect {
                Effect::AllocationsChanged { nodes } => nodes.into_iter().for_each(|node| self.node_watches.wake(node)),
                Effect::Restored => {
                    self.node_watches.wake_all();
                    self.restored.notify_one();
                }
                effect => {
                    if let Some(state) = &leading {
                        self.lead(state, effect);
                    }
                }
            }
        }
    }

    /// Nodes of `class` may take more since `index`: whom that may help is scheduled again.
    pub fn wake_blocked(&self, class: &str, index: u64) {
        let now = self.runtime.clock.now();
        self.blocked.unblock(class, index).into_iter().for_each(|evaluation| self.broker.enqueue(evaluation, now));
    }

    /// A quota may allow more since `index`.
    pub fn wake_blocked_by_quota(&self, quota: &str, index: u64) {
        let now = self.runtime.clock.now();
        self.blocked.unblock_quota(quota, index).into_iter().for_each(|evaluation| self.broker.enqueue(evaluation, now));
    }

    fn lead(&self, state: &State, effect: Effect) {
        let now = self.runtime.clock.now();
        match effect {
            Effect::Evaluate(evaluation) => self.broker.enqueue(evaluation, now),
            Effect::Block(evaluation) => {
                if let Some(again) = self.blocked.block(evaluation) {
                    self.broker.enqueue(again, now);
                }
            }
            Effect::Settled(evaluation) => {
                self.broker.forget(evaluation.id);
                self.blocked.forget(evaluation.id);
            }
            Effect::Unblock { class, index } => self.wake_blocked(&class, index),
            Effect::UnblockQuota { quota, index } => self.wake_blocked_by_quota(&quota, index),
            Effect::DeploymentChanged(id) => {
                // What rolls next to it, or has waited for its end.
                self.rolls.extend(state.deployment(id).map(|deployment| deployment.job_key()).filter(|key| rolls::concerns(state, key)));
                self.deployments.add(id);
            }
            Effect::TemplatesWait(key) => self.rolls.add(key),
            Effect::JobChanged(key) => {
                if rolls::concerns(state, &key) {
                    self.rolls.add(key.clone());
                }
                self.jobs.add(key);
            }
            Effect::NodeChanged(id) => {
                if state.node(id).is_none() {
                    self.heartbeats.forget(id);
                }
                self.drains.notify_one();
            }
            Effect::SchedulerConfigChanged => self.broker.set_paused(state.scheduler_config().pause_eval_broker),
            Effect::AllocationsChanged { nodes } => nodes.into_iter().for_each(|node| self.node_watches.wake(node)),
            Effect::Restored => self.restored.notify_one(),
        }
    }
}

/// Who waits for changes of which node's allocations.
#[derive(Debug, Default)]
pub struct NodeWatches {
    waiting: Mutex<BTreeMap<NodeId, Vec<Weak<Notify>>>>,
}

impl NodeWatches {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Vec<Weak<Notify>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notified with every change, until it is dropped.
    pub fn watch(&self, node: NodeId) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.lock();
        let watches = waiting.entry(node).or_default();
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(&notify));
        notify
    }

    fn wake(&self, node: NodeId) {
        let mut waiting = self.lock();
        if let Some(watches) = waiting.get_mut(&node) {
            watches.retain(|watch| watch.upgrade().inspect(|notify| notify.notify_one()).is_some());
            if watches.is_empty() {
                waiting.remove(&node);
            }
        }
    }

    /// After a snapshot took the state's place nobody knows what changed.
    pub fn wake_all(&self) {
        let nodes: Vec<NodeId> = self.lock().keys().copied().collect();
        nodes.into_iter().for_each(|node| self.wake(node));
    }
}
