//! Changing who takes part, and who leads. Only the leader can; each change is committed when its call returns.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use drover_model::{method, rpc};
use drover_runtime::rpc::{Connection, Header, Router};
use openraft::{
    ChangeMembers,
    error::{ChangeMembershipError, ClientWriteError, RaftError},
};
use serde::{Deserialize, Serialize};

use super::{Consensus, Error, leadership, network::server, types::ServerNode};

/// How long a change of who takes part may take.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);
/// How long the one who is to lead may take to have all entries.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(5);
/// How long an election that was asked for may take, in leases.
const ELECTION_LEASES: u32 = 4;
/// Beyond the lease, before the one who is to lead stands for election.
const MARGIN: Duration = Duration::from_millis(20);

/// Asks a server to stand for election once the leader's lease has passed. The leader is silent meanwhile.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Stand {
    term: u64,
}
method!(Stand, "raft.stand", ());

pub(super) fn router(consensus: &Consensus) -> Router {
    let consensus = consensus.clone();
    Router::new().method(move |caller, Stand { term }: Stand| {
        let consensus = consensus.clone();
        async move {
            server(&caller)?;
            let inner = &consensus.inner;
            tokio::time::sleep(inner.lease.duration() + MARGIN).await;
            if inner.raft.metrics().borrow().current_term == term {
                inner.raft.trigger().elect().await.map_err(|error| rpc::Error::unavailable(error.to_string()))?;
            }
            Ok(())
        }
    })
}

/// Lets the leader speak and accept again, however handing over ends.
struct Silence<'a>(&'a Consensus);

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        self.0.inner.raft.runtime_config().heartbeat(true);
        self.0.inner.proposer.hold(false);
    }
}

impl Consensus {
    async fn change(&self, members: ChangeMembers<u64, ServerNode>) -> Result<(), Error> {
        let work = self.inner.raft.change_membership(members, false);
        match tokio::time::timeout(CHANGE_WITHIN, work).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(why(error)),
            Err(_) => Err(Error::Timeout { after: CHANGE_WITHIN }),
        }
    }

    /// Adds a server that follows without a vote, or says where one that takes part is now.
    pub async fn add(&self, id: u64, node: ServerNode) -> Result<(), Error> {
        self.change(ChangeMembers::SetNodes(BTreeMap::from([(id, node)]))).await
    }

    /// Gives a server that follows a vote.
    pub async fn promote(&self, id: u64) -> Result<(), Error> {
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([id]))).await
    }

    /// Takes a server out. The leader hands over first.
    pub async fn remove(&self, id: u64) -> Result<(), Error> {
        let voter = self.peers().into_iter().find(|peer| peer.id == id).is_some_and(|peer| peer.voter);
        let ids = BTreeSet::from([id]);
        self.change(if voter { ChangeMembers::RemoveVoters(ids) } else { ChangeMembers::RemoveNodes(ids) }).await
    }

    /// Finishes a change of voters that an earlier leader has begun and not ended.
    pub async fn settle(&self) -> Result<(), Error> {
        let joint = self.inner.raft.metrics().borrow().membership_config.membership().get_joint_config().len() > 1;
        if joint { self.change(ChangeMembers::AddVoterIds(BTreeSet::new())).await } else { Ok(()) }
    }

    /// Does not stand for election while it is held, whatever happens to the leader.
    pub fn hold_elections(&self, held: bool) {
        self.inner.raft.runtime_config().elect(!held);
    }

    /// Lets another voter lead, which is reached over `connection`. Proposals wait meanwhile; the pause is about one lease.
    pub async fn hand_over(&self, to: u64, connection: &Connection) -> Result<(), Error> {
        if !self.is_leader() {
            return Err(self.elsewhere());
        }
        let inner = &self.inner;
        inner.proposer.hold(true);
        let silence = Silence(self);
        let caught_up = async {
            let mut metrics = inner.raft.metrics();
            let has_all = |metrics: &openraft::RaftMetrics<u64, ServerNode>| {
                let matched = metrics.replication.as_ref().and_then(|all| all.get(&to).copied().flatten());
                matched.map(|id| id.index) >= metrics.last_log_index
            };
            metrics.wait_for(has_all).await.map(|now| now.current_term).map_err(|_| Error::Shutdown)
        };
        let late = || Error::Unable(format!("the server has not got all entries after {CATCH_UP_WITHIN:?}; it may be slow or away"));
        let term = tokio::time::timeout(CATCH_UP_WITHIN, caught_up).await.map_err(|_| late())??;
        inner.raft.runtime_config().heartbeat(false);
        let limit = inner.lease.duration() * ELECTION_LEASES;
        let asked = connection.call(&Header::default(), &Stand { term }, limit).await;
        asked.map_err(|error| Error::Unable(format!("the server did not stand for election: {error}")))?;
        let mut leadership = self.leader_changes();
        let replaced = leadership.wait_for(|now| now.term > term && now.leader.as_ref().is_some_and(|leader| leader.id != inner.id));
        let elected = match tokio::time::timeout(limit, replaced).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Shutdown),
            Err(_) => Err(Error::Unable("the server was not elected; this one goes on leading, or another was".into())),
        };
        drop(silence);
        elected
    }

    /// Where the leader is, as an error.
    pub(super) fn elsewhere(&self) -> Error {
        match self.leadership().leader {
            Some(leader) if leader.id != self.inner.id => Error::NotLeader { id: leader.id, address: leader.address },
            _ => Error::NoLeader,
        }
    }
}

fn why(error: RaftError<u64, ClientWriteError<u64, ServerNode>>) -> Error {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => leadership::not_leader(Some(&forward)),
        RaftError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_))) => {
            Error::Unable("another change of who takes part is under way; try again".into())
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => Error::Unable(error.to_string()),
        RaftError::Fatal(_) => Error::Shutdown,
    }
}
