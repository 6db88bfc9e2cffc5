//! Standing for election sooner when the leader's process has ended.
//!
//! Followers wait for the lease that they gave their leader, and then a random time longer, before they stand for election: the leader may only be slow. A
//! process that has ended is not slow. Its connections are closed by its system, and nobody accepts another one at its address; then the lease alone is
//! waited for, which other followers insist on before they grant their vote. When anything about it is doubtful, the usual time decides.

use std::{io, sync::Arc, time::Duration};

use drover_runtime::Network;
use openraft::Raft;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    contact::{Contact, Heard},
    types::TypeConfig,
};

/// How long a system may take to say that nobody listens.
const PROBE_WITHIN: Duration = Duration::from_millis(250);
/// Before it is asked again. A process that ends closes what it listens with and its connections one after another, and may be caught amid that.
const PROBE_PAUSE: Duration = Duration::from_millis(100);
/// Beyond the lease, since the other followers heard the leader at other moments.
const MARGIN: Duration = Duration::from_millis(20);
/// Between the followers, so that they do not stand against each other.
const STAGGER: Duration = Duration::from_millis(150);

pub(super) struct Failover {
    pub(super) raft: Raft<TypeConfig>,
    pub(super) id: u64,
    pub(super) contact: Arc<Contact>,
    pub(super) network: Arc<dyn Network>,
    pub(super) lease: Duration,
}

impl Failover {
    pub(super) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&self) {
        let mut connections = self.contact.connections();
        loop {
            let heard = connections.borrow_and_update().clone();
            let Some(Heard { leader, connection }) = heard else {
                if connections.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let closed = tokio::select! {
                _ = connection.closed() => Instant::now(),
                changed = connections.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            drop(connection);
            tokio::select! {
                () = self.stand_in_for(leader, closed) => {}
                _ = connections.changed() => continue,
            }
            if connections.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stands for election in place of a leader whose connection has closed, when that has ended for good.
    async fn stand_in_for(&self, leader: u64, closed: Instant) {
        let (term, address, rank) = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow();
            let membership = metrics.membership_config.membership();
            let Some(node) = membership.get_node(&leader) else { return };
            let before = membership.voter_ids().filter(|voter| *voter != leader && *voter < self.id).count();
            (metrics.current_term, node.addr.clone(), u32::try_from(before).unwrap_or(u32::MAX))
        };
        if !nobody_listens(&*self.network, &address, closed + self.lease).await {
            return;
        }
        tokio::time::sleep_until(closed + self.lease + MARGIN + STAGGER.saturating_mul(rank)).await;
        let still = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow();
            metrics.current_term == term && metrics.current_leader == Some(leader)
        };
        if still && self.contact.last().is_none_or(|last| last <= closed) {
            tracing::info!(term, "the leader's process has ended; standing for election");
            // It fails only when this server stops.
            let _ = self.raft.trigger().elect().await;
        }
    }
}

/// Whether a system says before `limit` that no process listens there.
async fn nobody_listens(network: &dyn Network, address: &str, limit: Instant) -> bool {
    loop {
        match tokio::time::timeout(PROBE_WITHIN, network.connect(address)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return true,
            _ if Instant::now() + PROBE_PAUSE > limit => return false,
            _ => tokio::time::sleep(PROBE_PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_runtime::TcpNetwork;

    use super::*;

    #[tokio::test]
    async fn a_process_that_still_listens_when_its_connections_end_is_asked_again() {
        let mut listener = TcpNetwork.listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_address().unwrap().to_string();
        assert!(
            !nobody_listens(&TcpNetwork, &address, Instant::now() + PROBE_PAUSE / 2).await,
            "it listens, and there is no time to ask again"
        );
        let ending = async {
            for _ in 0..2 {
                listener.accept().await.unwrap();
            }
            drop(listener);
        };
        let (ended, ()) = tokio::join!(nobody_listens(&TcpNetwork, &address, Instant::now() + Duration::from_secs(30)), ending);
        assert!(ended);
    }
}
