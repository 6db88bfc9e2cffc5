//! Nodes have to say that they are there. One that does not is down, or disconnected where its jobs allow for that.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::{
    evaluation::Trigger,
    ids::NodeId,
    node::{NodeEvent, NodeStatus},
};
use drover_runtime::Runtime;
use futures::future::join_all;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::HeartbeatConfig,
    evaluations,
    fsm::command::Command,
    propose::Propose,
    state::{State, StateStore},
    timers::Timers,
};

/// After a command that failed.
const RETRY: Duration = Duration::from_secs(5);
/// Nodes that are declared missing in one go.
const MISSED_AT_A_TIME: usize = 256;

/// When the next heartbeat of each node is due. In the leader's memory alone: heartbeats are too many for the log.
#[derive(Debug)]
pub struct Heartbeats {
    config: HeartbeatConfig,
    inner: Mutex<Timers<NodeId, Instant>>,
    changed: Notify,
}

impl Heartbeats {
    pub fn new(config: HeartbeatConfig) -> Self {
        Self { config, inner: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Timers<NodeId, Instant>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a heartbeat. Returns how long the node may take for the next one: spread, so that nodes that came together do not stay together.
    pub fn reset(&self, id: NodeId, runtime: &Runtime) -> Duration {
        let mut timers = self.lock();
        let nodes = timers.len().max(1) as u64;
        let by_rate = Duration::from_millis(nodes.saturating_mul(1000) / u64::from(self.config.max_per_second.max(1)));
        let least = self.config.min_ttl.max(by_rate);
        let ttl = least + runtime.random.jitter(least);
        timers.set(id, Instant::now() + ttl + self.config.grace);
        // Who sleeps until the earliest one has to hear of one that is earlier still.
        let first = timers.first().is_some_and(|(_, earliest)| *earliest == id);
        drop(timers);
        if first {
            self.changed.notify_one();
        }
        ttl
    }

    /// No longer waits for a node.
    pub fn forget(&self, id: NodeId) {
        self.lock().remove(&id);
    }

    pub fn clear(&self) {
        *self.lock() = Timers::default();
    }

    /// A new leader does not know when nodes were last heard: each gets a long time to find it.
    fn restore(&self, state: &State) {
        let at = Instant::now() + self.config.failover_ttl;
        let mut timers = self.lock();
        for node in state.nodes().filter(|node| matches!(node.status, NodeStatus::Ready | NodeStatus::Initializing)) {
            if !timers.contains(&node.id) {
                timers.set(node.id, at);
            }
        }
    }

    /// Declares nodes missing until `stop`.
    pub async fn run(self: Arc<Self>, store: Arc<StateStore>, proposer: Arc<dyn Propose>, runtime: Runtime, stop: CancellationToken) {
        self.restore(&store.snapshot());
        loop {
            let next = self.lock().first().map(|(at, _)| *at);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => continue,
                () = sleep_until(next) => {}
            }
            let missed = self.take_missed();
            let commands: Vec<_> = {
                let state = store.snapshot();
                missed.into_iter().filter_map(|id| missing(&state, id, &runtime).map(|command| (id, command))).collect()
            };
            let results = join_all(commands.into_iter().map(|(id, command)| {
                let proposer = &proposer;
                async move { (id, proposer.propose(command).await) }
            }));
            for (id, result) in results.await {
                match result {
                    Ok(_) => info!(node = %id, "a node missed its heartbeat"),
                    Err(error) => {
                        warn!(node = %id, %error, "cannot note that a node missed its heartbeat; trying again");
                        self.lock().set(id, Instant::now() + RETRY);
                    }
                }
            }
        }
        self.clear();
    }

    fn take_missed(&self) -> Vec<NodeId> {
        let (now, mut timers) = (Instant::now(), self.lock());
        let missed: Vec<NodeId> = timers.due_at(now).take(MISSED_AT_A_TIME).copied().collect();
        missed.iter().for_each(|id| timers.remove(id));
        missed
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What to do about a node that was not heard in time; none when it was away already.
fn missing(state: &State, id: NodeId, runtime: &Runtime) -> Option<Command> {
    let node = state.node(id).filter(|node| matches!(node.status, NodeStatus::Ready | NodeStatus::Initializing))?;
    let status = if tolerates_disconnect(state, id) { NodeStatus::Disconnected } else { NodeStatus::Down };
    let event = NodeEvent {
        message: "Node heartbeat missed".to_owned(),
        subsystem: "Cluster".to_owned(),
        timestamp: runtime.clock.now().into(),
        ..NodeEvent::default()
    };
    let evaluations = evaluations::for_node(state, node.id, Trigger::NodeUpdate, &*runtime.random);
    Some(Command::NodeStatus { id, status, event: Some(event), evaluations })
}

/// Whether something on the node may go on without the servers.
pub(crate) fn tolerates_disconnect(state: &State, id: NodeId) -> bool {
    state.allocations_of_node(id).filter(|allocation| !allocation.is_terminal()).any(|allocation| {
        allocation.group().is_some_and(|group| {
            let by_strategy = group.disconnect.as_ref().is_some_and(|disconnect| !disconnect.lost_after.is_zero());
            by_strategy || group.max_client_disconnect.is_some_and(|most| !most.is_zero())
        })
    })
}
