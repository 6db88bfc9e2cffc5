//! Which servers make up the cluster: how they find each other, join, notice that one is gone, and leave.
//!
//! Who takes part is decided in the log of consensus, by the leader ([`autopilot`], [`handlers`]). What each server sees of the others for itself is the
//! [`Roster`]: gossip says who is there ([`crate::gossip`]), and all ask each other every second how they are, over the same connections as everything else.

use std::{sync::Arc, time::Duration};

use drover_model::rpc::Error;
use drover_runtime::rpc::{Caller, Router};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use self::roster::Roster;
use self::{
    messages::{Introduce, Introduction, Join, KeyChange, Leave},
    roster::Standing,
};
use crate::{Server, consensus::Peer, gossip::Pool};

pub(crate) mod autopilot;
mod handlers;
mod joining;
mod keys;
mod messages;
mod room;
mod roster;

#[cfg(test)]
mod tests;

/// Between two rounds of asking.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a server may take to say who it is.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long the leader may take to take a server in, or to let it go.
const CHANGE_WITHIN: Duration = Duration::from_secs(20);

/// The id as people and tools know ids of servers: as a UUID.
pub(crate) fn show(id: u64) -> String {
    let digits = format!("{id:016x}");
    format!("{}-{}-{}-0000-000000000000", &digits[..8], &digits[8..12], &digits[12..])
}

/// The id that [`show`] wrote.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let zeros = digits.len() == 32 && digits.get(16..)?.chars().all(|c| c == '0');
    if zeros { u64::from_str_radix(digits.get(..16)?, 16).ok() } else { None }
}

/// The handlers of this folder.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let asked = Arc::clone(server);
    let router = Router::new().method(move |caller: Caller, Introduce { proof }: Introduce| {
        let introduction = asked.check_proof(&caller, &proof).map(|()| asked.introduction());
        async move { introduction }
    });
    keys::add(handlers::add(router, server), server)
}

/// Starts what runs as long as the server does.
pub(crate) fn start(server: &Arc<Server>, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    tasks.spawn(stop.clone().run_until_cancelled_owned(watch(Arc::clone(server))).map_done());
    tasks.spawn(stop.clone().run_until_cancelled_owned(joining::run(Arc::clone(server))).map_done());
    tasks.spawn(stop.clone().run_until_cancelled_owned(autopilot::run(Arc::clone(server))).map_done());
}

/// Whether it ended or was stopped is all the same.
trait MapDone: Future<Output = Option<()>> + Sized {
    fn map_done(self) -> impl Future<Output = ()> {
        async move {
            let _ = self.await;
        }
    }
}

impl<F: Future<Output = Option<()>>> MapDone for F {}

/// Asks all other servers of the cluster who they are, again and again, and at once when there is a leader where there was none: a cluster may have begun.
async fn watch(server: Arc<Server>) {
    let mut leaders = server.consensus().leader_changes();
    loop {
        let leaderless = leaders.borrow().leader.is_none();
        let others = server.others();
        let server = &server;
        let asked = others.iter().map(|peer| async move { (peer, server.ask(&peer.address).await) });
        for (peer, answer) in futures::future::join_all(asked).await {
            let id = peer.id;
            // Another server may be at the address by now: then the one that was there is gone.
            let answer = answer.ok().filter(|introduction| introduction.id == id);
            let verdict = server.gossip().and_then(|pool| pool.verdict(id));
            server.roster().note(id, answer, verdict, server.now());
            if server.roster().standing(id) == Standing::Failed {
                server.peers().forget(&peer.address);
            }
        }
        server.roster().keep(&server.consensus().peers());
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            Ok(_) = leaders.wait_for(|now| now.leader.is_some()), if leaderless => {}
        }
    }
}

impl Server {
    /// The other servers of the cluster, as far as this one knows.
    pub(crate) fn others(&self) -> Vec<Peer> {
        let own = self.consensus().id();
        self.consensus().peers().into_iter().filter(|peer| peer.id != own).collect()
    }

    /// What this server says of itself.
    fn introduction(&self) -> Introduction {
        let (status, leadership) = (self.consensus().status(), self.consensus().leadership());
        let node = self.consensus().node().clone();
        Introduction {
            id: self.consensus().id(),
            address: node.addr,
            expect: self.config().bootstrap_expect,
            name: node.name,
            region: self.config().region.clone(),
            datacenter: node.datacenter,
            non_voting: node.non_voting,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            // A vote from before a restart also names somebody; whoever is asked by one that has lost its cluster must not take that for a cluster that runs.
            leader: leadership.leader.filter(|_| self.is_settled()).map(|leader| leader.id),
            members: self.consensus().peers().into_iter().map(|peer| peer.id).collect(),
            last_term: status.last_log_term,
            last_index: status.last_log_index,
            full: self.consensus().is_short_of_room(),
            leaving: self.is_stopping(),
            gossip: self.gossip().map(Pool::own),
        }
    }

    async fn ask(&self, address: &str) -> Result<Introduction, Error> {
        let introduce = Introduce { proof: self.proof() };
        let asking = async { self.peers().connection(address).await?.call(&Self::header(), &introduce, ANSWER_WITHIN).await };
        let late = |_| Error::unavailable(format!("the server at {address} has not answered within {ANSWER_WITHIN:?}"));
        let introduction = tokio::time::timeout(ANSWER_WITHIN, asking).await.map_err(late)??;
        if introduction.region != self.config().region {
            let (theirs, own) = (&introduction.region, &self.config().region);
            return Err(Error::bad_request(format!("the server at {address} is of region {theirs:?}, this one of {own:?}")));
        }
        if let (Some(pool), Some(server)) = (self.gossip(), &introduction.gossip) {
            pool.meet(server.clone());
        }
        Ok(introduction)
    }

    fn header() -> drover_runtime::rpc::Header {
        drover_runtime::rpc::Header::default()
    }

    /// Leaves the cluster for good, as well as it can be done: the others are told, and this server does not come back by itself.
    pub async fn leave(&self) -> Result<(), Error> {
        let id = self.consensus().id();
        if self.others().is_empty() {
            return Ok(());
        }
        if self.is_leader() {
            self.hand_over(None).await?;
        }
        let leader = self.leader_elsewhere(&Caller::default()).await?;
        match leader {
            Some(leader) => leader.call(&Self::header(), &Leave { id }, CHANGE_WITHIN).await?,
            None => return Err(Error::unavailable("this server was elected again while it wanted to leave")),
        }
        joining::mark_left(self).await
    }
}
