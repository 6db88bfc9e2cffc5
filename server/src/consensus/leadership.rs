//! Who leads.

use std::{pin::pin, time::Duration};

use openraft::{BasicNode, Raft, RaftMetrics, ServerState, error::ForwardToLeader};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Error, types::TypeConfig};

/// Before a new leader asks again whether the majority follows it.
const CONFIRM_PAUSE: Duration = Duration::from_millis(50);

/// A server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: u64,
    /// Its RPC address.
    pub address: String,
    pub voter: bool,
}

/// Who leads, as far as this server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    pub term: u64,
    pub leader: Option<Peer>,
    /// This server leads, and its state has everything that earlier leaders committed.
    pub is_self: bool,
}

type Metrics = RaftMetrics<u64, BasicNode>;

/// Follows who leads until `stop`.
pub(super) fn watch(
    raft: Raft<TypeConfig>,
    id: u64,
    address: String,
    stop: CancellationToken,
) -> (watch::Receiver<Leadership>, JoinHandle<()>) {
    let (sender, receiver) = watch::channel(Leadership::default());
    let task = tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow(&raft, id, &address, &sender) => {}
        }
        // Whoever works for the leader alone must stop.
        sender.send_modify(|leadership| *leadership = Leadership { term: leadership.term, ..Leadership::default() });
    });
    (receiver, task)
}

async fn follow(raft: &Raft<TypeConfig>, id: u64, address: &str, sender: &watch::Sender<Leadership>) {
    let mut metrics = raft.metrics();
    let mut confirmed = None;
    loop {
        let (mut now, leads) = {
            let metrics = metrics.borrow_and_update();
            (read(&metrics, id, address), leads(&metrics, id))
        };
        now.is_self = leads && confirmed == Some(now.term);
        let term = now.term;
        sender.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                *before = now;
            }
            changed
        });
        if leads && confirmed != Some(term) {
            if confirm(raft, &mut metrics, id, term).await {
                confirmed = Some(term);
            }
        } else if metrics.changed().await.is_err() {
            return;
        }
    }
}

fn leads(metrics: &Metrics, id: u64) -> bool {
    metrics.state == ServerState::Leader && metrics.current_leader == Some(id) && metrics.running_state.is_ok()
}

fn read(metrics: &Metrics, id: u64, address: &str) -> Leadership {
    let membership = metrics.membership_config.membership();
    let leader = metrics.current_leader.map(|leader| Peer {
        id: leader,
        // The log may still have the address that this server had before its last restart.
        address: match membership.get_node(&leader) {
            _ if leader == id => address.to_owned(),
            Some(node) => node.addr.clone(),
            None => String::new(),
        },
        voter: true,
    });
    Leadership { term: metrics.current_term, leader, is_self: false }
}

/// Waits until everything that earlier leaders committed is applied here. False when this server leads no more, or must ask again.
async fn confirm(raft: &Raft<TypeConfig>, metrics: &mut watch::Receiver<Metrics>, id: u64, term: u64) -> bool {
    let mut caught_up = pin!(raft.ensure_linearizable());
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
                if changed.is_err() || metrics.current_term != term || !leads(&metrics, id) {
                    return false;
                }
            }
        }
    }
}

pub(super) fn not_leader(forward: Option<&ForwardToLeader<u64, BasicNode>>) -> Error {
    match forward {
        Some(ForwardToLeader { leader_id: Some(id), leader_node: Some(node) }) => Error::NotLeader { id: *id, address: node.addr.clone() },
        _ => Error::NoLeader,
    }
}
