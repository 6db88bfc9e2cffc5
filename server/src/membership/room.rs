//! What the leader does about disks that are full: it lets a server lead that has room, and takes no writes that a majority could not keep.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::roster::Standing;
use crate::{Server, consensus::Peer};

/// After a try to let another one lead that failed. Writes wait during a try, so they are not to be made all the time.
const RETRY: Duration = Duration::from_secs(30);

/// Looks after room while this server leads.
#[derive(Debug, Default)]
pub(super) struct RoomWatch {
    not_before: Option<Instant>,
}

impl RoomWatch {
    pub(super) async fn look(&mut self, server: &Server) {
        let own = server.consensus().id();
        let (full, roomy): (Vec<Peer>, Vec<Peer>) =
            server.consensus().peers().into_iter().filter(|peer| peer.voter).partition(|peer| server.is_full(peer));
        let (voters, short) = (full.len() + roomy.len(), full.iter().any(|peer| peer.id == own));
        let majority = roomy.len() > voters / 2;
        server.consensus().set_room_elsewhere((!majority && !short).then(|| {
            let names: Vec<String> = full.iter().map(|peer| server.server_name(peer)).collect();
            format!(
                "disk full: on {} of the {voters} servers ({}). Writes are refused until they have room, reads go on",
                names.len(),
                names.join(", ")
            )
        }));
        let due = self.not_before.is_none_or(|not_before| Instant::now() >= not_before);
        let alive = |peer: &Peer| server.roster().standing(peer.id) == Standing::Alive;
        if !(short && majority && due) {
            return;
        }
        let Some(to) = roomy.into_iter().filter(alive).max_by_key(|peer| server.progress(peer)) else { return };
        warn!(to = to.name, address = to.address, "the disk of this server is full; another one is to lead");
        self.not_before = match server.hand_over(Some(to)).await {
            Ok(done) => {
                info!(address = done.to.address, "another server leads, whose disk has room");
                None
            }
            Err(error) => {
                warn!(%error, "cannot let another server lead yet");
                Some(Instant::now() + RETRY)
            }
        };
    }
}

impl Server {
    /// The server that says of itself that it leads.
    pub(crate) fn leader_by_its_word(&self) -> Option<Peer> {
        let told = |peer: &Peer| self.roster().get(peer.id).filter(|seen| seen.standing() == Standing::Alive)?.introduction;
        self.others().into_iter().find(|peer| told(peer).is_some_and(|told| told.leader == Some(peer.id)))
    }

    /// Whether a server's disk is full, as far as it has said.
    fn is_full(&self, peer: &Peer) -> bool {
        if peer.id == self.consensus().id() {
            return self.consensus().is_short_of_room();
        }
        let told = self.roster().get(peer.id).filter(|seen| seen.standing() == Standing::Alive);
        told.and_then(|seen| seen.introduction).is_some_and(|told| told.full)
    }
}
