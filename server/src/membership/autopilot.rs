//! The leader's care for the cluster: votes for those who have caught up, an end to those who have died.

use std::{sync::Arc, time::Duration};

use drover_model::rpc::autopilot::{AutopilotConfig, AutopilotHealth, ServerHealth};
use tracing::{info, warn};

use super::{PAUSE, room::RoomWatch, roster::Standing, show};
use crate::{Server, consensus::Peer};

/// A server that has not answered for so long has died, and will not come back as it was.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// What autopilot knows of one server.
#[derive(Clone, Debug)]
struct Observed {
    peer: Peer,
    standing: Standing,
    /// For how long it has been alive, or failed.
    lasts: Duration,
    healthy: bool,
}

/// What is to be done. One change of members at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Promote(Peer),
    Remove(Peer),
}

/// Looks after the servers while this one leads.
pub(super) async fn run(server: Arc<Server>) {
    let mut room = RoomWatch::default();
    loop {
        tokio::time::sleep(PAUSE).await;
        if !server.is_leader() {
            continue;
        }
        room.look(&server).await;
        if let Err(error) = server.consensus().settle().await {
            warn!(%error, "cannot finish an earlier change of who takes part yet");
            continue;
        }
        let config = server.autopilot_config();
        let Some(step) = decide(&config, &server.observe(&config)) else { continue };
        let result = match &step {
            Step::Promote(peer) => {
                info!(name = peer.name, address = peer.address, "a server has caught up and gets a vote");
                server.consensus().promote(peer.id).await.map_err(Into::into)
            }
            Step::Remove(peer) => {
                warn!(name = peer.name, address = peer.address, "a server has not answered for {DEAD_AFTER:?}");
                server.let_go(peer.id).await
            }
        };
        if let Err(error) = result {
            warn!(%error, ?step, "cannot change who takes part yet");
        }
    }
}

/// The next change, when one is due.
fn decide(config: &AutopilotConfig, servers: &[Observed]) -> Option<Step> {
    let dead = |seen: &&Observed| seen.standing == Standing::Failed && seen.lasts >= DEAD_AFTER;
    let voters = servers.iter().filter(|seen| seen.peer.voter);
    let (voting, failed) = (voters.clone().count(), voters.clone().filter(|seen| seen.standing == Standing::Failed).count());
    if config.cleanup_dead_servers {
        let enough = voting > config.min_quorum as usize;
        // Those who are left must be a majority of those who were there: else it may be this server that is cut off.
        let minority = failed * 2 < voting;
        if let Some(gone) = servers.iter().find(|seen| dead(seen) && (!seen.peer.voter || (enough && minority))) {
            return Some(Step::Remove(gone.peer.clone()));
        }
    }
    let ready =
        |seen: &&Observed| !seen.peer.voter && !seen.peer.non_voting && seen.healthy && seen.lasts >= config.server_stabilization_time;
    servers.iter().find(ready).map(|seen| Step::Promote(seen.peer.clone()))
}

impl Server {
    pub(crate) fn autopilot_config(&self) -> AutopilotConfig {
        let config = self.store().snapshot().autopilot_config().clone();
        if config.create_index == 0 { self.config().autopilot.clone() } else { (*config).clone() }
    }

    fn observe(&self, config: &AutopilotConfig) -> Vec<Observed> {
        self.health(config).into_iter().map(|(observed, _)| observed).collect()
    }

    /// How the servers are, with what people are told of each.
    fn health(&self, config: &AutopilotConfig) -> Vec<(Observed, ServerHealth)> {
        let (own, status) = (self.consensus().id(), self.consensus().status());
        let look = |peer: Peer| {
            let mut shown = ServerHealth {
                id: show(peer.id),
                name: format!("{}.{}", self.server_name(&peer), self.config().region),
                address: peer.address.clone(),
                voter: peer.voter,
                ..ServerHealth::default()
            };
            if peer.id == own {
                (shown.last_term, shown.last_index) = (status.last_log_term, status.last_log_index);
                shown.version = env!("CARGO_PKG_VERSION").to_owned();
                (shown.leader, shown.healthy) = (self.is_leader(), status.failure.is_none() && !self.consensus().is_short_of_room());
                shown.serf_status = Standing::Alive.word().to_owned();
                shown.stable_since = self.started().into();
                let lasts = self.now().since(self.started());
                return (Observed { peer, standing: Standing::Alive, lasts, healthy: shown.healthy }, shown);
            }
            let seen = self.roster().get(peer.id);
            let standing = seen.as_ref().map_or(Standing::Alive, |seen| seen.standing());
            let lasts = seen.as_ref().map_or(Duration::ZERO, |seen| seen.lasts());
            shown.serf_status = standing.word().to_owned();
            shown.last_contact = self.consensus().follower_contact(peer.id).unwrap_or(lasts);
            if let Some(seen) = &seen {
                shown.stable_since = seen.since_time.into();
                let told = seen.introduction.clone().unwrap_or_default();
                (shown.version, shown.last_term, shown.last_index) = (told.version, told.last_term, told.last_index);
            }
            // What was told is up to a round old, as is the index that it is compared with in the next one.
            let trails = status.last_log_index.saturating_sub(shown.last_index);
            let full = seen.and_then(|seen| seen.introduction).is_some_and(|told| told.full);
            let in_contact = shown.last_contact <= config.last_contact_threshold + self.consensus().lease();
            shown.healthy = standing == Standing::Alive && !full && in_contact && trails <= config.max_trailing_logs.max(1);
            (Observed { peer, standing, lasts, healthy: shown.healthy }, shown)
        };
        self.consensus().peers().into_iter().map(look).collect()
    }

    /// What people are told. Only the leader can say.
    pub(crate) fn autopilot_health(&self) -> AutopilotHealth {
        let servers: Vec<ServerHealth> = self.health(&self.autopilot_config()).into_iter().map(|(_, shown)| shown).collect();
        let voters: Vec<&ServerHealth> = servers.iter().filter(|server| server.voter).collect();
        let healthy = voters.iter().filter(|server| server.healthy).count();
        let needed = voters.len() / 2 + 1;
        AutopilotHealth {
            healthy: !servers.is_empty() && servers.iter().all(|server| server.healthy),
            failure_tolerance: u32::try_from(healthy.saturating_sub(needed)).unwrap_or(0),
            leader: servers.iter().find(|server| server.leader).map(|server| server.id.clone()).unwrap_or_default(),
            voters: voters.iter().map(|server| server.id.clone()).collect(),
            servers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Duration = Duration::from_secs(3600);

    fn server(id: u64, voter: bool, standing: Standing, lasts: Duration) -> Observed {
        let peer = Peer { id, voter, ..Peer::default() };
        Observed { peer, standing, lasts, healthy: standing == Standing::Alive }
    }

    #[test]
    fn who_gets_a_vote_and_who_goes() {
        use Standing::{Alive, Failed};
        let second = Duration::from_secs(1);
        let voter = |id, standing, lasts| server(id, true, standing, lasts);
        let all = |more: Vec<Observed>| [vec![voter(1, Alive, OLD)], more].concat();
        let standard = AutopilotConfig::default();
        let without = AutopilotConfig { cleanup_dead_servers: false, ..AutopilotConfig::default() };
        let three = AutopilotConfig { min_quorum: 3, ..AutopilotConfig::default() };
        let mut reader = server(4, false, Alive, OLD);
        reader.peer.non_voting = true;
        for (name, config, servers, want) in [
            ("all is well", None, all(vec![voter(2, Alive, OLD), voter(3, Alive, OLD)]), None),
            ("one has died", None, all(vec![voter(2, Alive, OLD), voter(3, Failed, OLD)]), Some(('-', 3))),
            ("one is away for a moment", None, all(vec![voter(2, Alive, OLD), voter(3, Failed, second)]), None),
            ("half has died", None, all(vec![voter(2, Failed, OLD)]), None),
            ("the majority has died", None, all(vec![voter(2, Failed, OLD), voter(3, Failed, OLD)]), None),
            ("one has died, one is away", None, all(vec![voter(2, Failed, second), voter(3, Failed, OLD)]), None),
            ("clean-up is off", Some(&without), all(vec![voter(2, Alive, OLD), voter(3, Failed, OLD)]), None),
            ("three must stay", Some(&three), all(vec![voter(2, Alive, OLD), voter(3, Failed, OLD)]), None),
            ("a new one has caught up", None, all(vec![server(2, false, Alive, second * 10)]), Some(('+', 2))),
            ("a new one is too new", None, all(vec![server(2, false, Alive, second * 9)]), None),
            ("a new one has died", None, all(vec![server(2, false, Failed, OLD)]), Some(('-', 2))),
            ("one that shall not vote", None, all(vec![reader]), None),
        ] {
            let step = decide(config.unwrap_or(&standard), &servers);
            let found = step.map(|step| match step {
                Step::Promote(peer) => ('+', peer.id),
                Step::Remove(peer) => ('-', peer.id),
            });
            assert_eq!(found, want, "{name}");
        }
    }
}
