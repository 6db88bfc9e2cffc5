//! Who leads.

use std::{pin::pin, sync::Arc, time::Duration};

use drover_runtime::rpc::Silence;
use openraft::{
    Raft, ServerState,
    error::{Fatal, ForwardToLeader},
    metrics::RaftServerMetrics,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    contact::Lease,
    types::{ServerNode, TypeConfig},
};

/// Before a new leader asks again whether the majority follows it.
const CONFIRM_PAUSE: Duration = Duration::from_millis(50);
/// How often a server looks whether it is to be said that nobody leads.
const LEADERLESS_PAUSE: Duration = Duration::from_secs(1);

/// A server of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    pub id: u64,
    /// Its RPC address.
    pub address: String,
    /// Empty where the log does not say it.
    pub name: String,
    pub datacenter: String,
    pub voter: bool,
    /// It shall not become a voter.
    pub non_voting: bool,
}

impl Peer {
    pub(super) fn new(id: u64, node: &ServerNode, voter: bool) -> Self {
        let ServerNode { addr, name, datacenter, non_voting } = node.clone();
        Self { id, address: addr, name, datacenter, voter, non_voting }
    }
}

/// Who leads, as far as this server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    pub term: u64,
    pub leader: Option<Peer>,
    /// This server leads, the majority follows it, and its state has everything that earlier leaders committed.
    pub is_self: bool,
}

/// They change with who leads and who takes part, not with every entry.
pub(super) type Metrics = RaftServerMetrics<u64, ServerNode>;

/// Follows who leads.
pub(super) struct Watch {
    pub(super) raft: Raft<TypeConfig>,
    pub(super) id: u64,
    /// This server's RPC address: the log may still have the one from before its last restart.
    pub(super) address: String,
    pub(super) lease: Arc<Lease>,
}

impl Watch {
    /// Follows until `stop`.
    pub(super) fn start(self, stop: CancellationToken) -> (watch::Receiver<Leadership>, JoinHandle<()>) {
        let (sender, receiver) = watch::channel(Leadership::default());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.follow(&sender) => {}
            }
            // Whoever works for the leader alone must stop.
            sender.send_modify(|leadership| *leadership = Leadership { term: leadership.term, ..Leadership::default() });
        });
        (receiver, task)
    }

    async fn follow(&self, sender: &watch::Sender<Leadership>) {
        let mut metrics = self.raft.server_metrics();
        let (mut confirmed, mut leaderless) = (None, Silence::default());
        loop {
            let (mut now, leads) = {
                let metrics = metrics.borrow_and_update();
                (self.read(&metrics), leads(&metrics, self.id))
            };
            let term = now.term;
            if confirmed == Some(term) && leads && self.lease.is_lost(&metrics.borrow()) {
                // Cut off from the majority, which may follow another by now: nobody is to be told that this server leads.
                tracing::warn!(term, "the majority of servers does not answer this leader any more");
                confirmed = None;
            }
            now.is_self = leads && confirmed == Some(term);
            if leads && !now.is_self {
                now.leader = None;
            }
            let nobody_leads = now.leader.is_none();
            self.say(&sender.borrow(), &now, &mut leaderless);
            sender.send_if_modified(|before| {
                let changed = *before != now;
                if changed {
                    *before = now;
                }
                changed
            });
            if leads && confirmed != Some(term) {
                if self.confirm(&mut metrics, term).await {
                    confirmed = Some(term);
                }
            } else if leads {
                let _ = tokio::time::timeout(self.lease.duration(), metrics.changed()).await;
            } else if nobody_leads {
                let _ = tokio::time::timeout(LEADERLESS_PAUSE, metrics.changed()).await;
            } else {
                let _ = metrics.changed().await;
            }
            if metrics.has_changed().is_err() {
                self.say_why_it_ended();
                return;
            }
        }
    }

    /// openraft has ended; perhaps it was told to.
    fn say_why_it_ended(&self) {
        let error = match &self.raft.metrics().borrow().running_state {
            Err(Fatal::Stopped) => return,
            Err(error) => error.to_string(),
            Ok(()) => "it panicked".to_owned(),
        };
        tracing::error!(error, "this server takes no part in its cluster any more, until it is started again");
    }

    /// Tells the log who leads, and for how long nobody has. What this server does as the leader, `leader` tells.
    fn say(&self, before: &Leadership, now: &Leadership, leaderless: &mut Silence) {
        let id = |leadership: &Leadership| leadership.leader.as_ref().map(|leader| leader.id);
        let Some(leader) = &now.leader else {
            if let Some((lasts, _)) = leaderless.asked() {
                tracing::warn!(term = now.term, ?lasts, "nobody leads whom a majority of the servers follows; nothing can be written");
            }
            return;
        };
        leaderless.answered();
        if leader.id != self.id && id(before) != id(now) {
            tracing::info!(name = leader.name, address = leader.address, term = now.term, "another server leads");
        }
    }

    /// Waits until everything that was committed before is applied here. False when this server leads no more, or must ask again.
    async fn confirm(&self, metrics: &mut watch::Receiver<Metrics>, term: u64) -> bool {
        let mut caught_up = pin!(self.raft.ensure_linearizable());
        loop {
            tokio::select! {
                result = &mut caught_up => match result {
                    Ok(_) => return true,
                    Err(error) => {
                        tracing::debug!(%error, term, "a new leader cannot confirm its lead yet");
                        tokio::time::sleep(CONFIRM_PAUSE).await;
                        return false;
                    }
                },
                changed = metrics.changed() => {
                    let metrics = metrics.borrow();
                    if changed.is_err() || metrics.vote.leader_id.term != term || !leads(&metrics, self.id) {
                        return false;
                    }
                }
            }
        }
    }

    fn read(&self, metrics: &Metrics) -> Leadership {
        let membership = metrics.membership_config.membership();
        let leader = metrics.current_leader.map(|leader| {
            let node = membership.get_node(&leader).cloned().unwrap_or_default();
            let address = if leader == self.id { self.address.clone() } else { node.addr.clone() };
            Peer::new(leader, &ServerNode { addr: address, ..node }, true)
        });
        Leadership { term: metrics.vote.leader_id.term, leader, is_self: false }
    }
}

fn leads(metrics: &Metrics, id: u64) -> bool {
    metrics.state == ServerState::Leader && metrics.current_leader == Some(id)
}

pub(super) fn not_leader(forward: Option<&ForwardToLeader<u64, ServerNode>>) -> Error {
    match forward {
        Some(ForwardToLeader { leader_id: Some(id), leader_node: Some(node) }) => Error::NotLeader { id: *id, address: node.addr.clone() },
        _ => Error::NoLeader,
    }
}
