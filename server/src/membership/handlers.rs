//! What changes who takes part: the leader's to decide, whoever is asked.

use std::sync::Arc;

use drover_model::rpc::{
    Error,
    operator::{LeadershipTransfer, LeadershipTransferred, RaftPeer, RaftPeerRemove, WhichServer},
    status::{Member, MemberList, ServerForceLeave, ServerJoin, ServerJoined},
};
use drover_runtime::rpc::{Caller, Handle, Router};
use tracing::info;

use super::{Introduction, Join, Leave, parse, roster::Standing, show};
use crate::{
    Server,
    consensus::{Peer, network::server as only_servers},
    gossip::Pool,
};

pub(super) fn add(router: Router, server: &Arc<Server>) -> Router {
    router
        .handle::<Join>(Arc::clone(server))
        .handle::<Leave>(Arc::clone(server))
        .handle::<ServerJoin>(Arc::clone(server))
        .handle::<ServerForceLeave>(Arc::clone(server))
        .handle::<RaftPeerRemove>(Arc::clone(server))
        .handle::<LeadershipTransfer>(Arc::clone(server))
        .handle::<MemberList>(Arc::clone(server))
}

impl Handle<Join> for Server {
    async fn handle(&self, caller: Caller, message: Join) -> Result<(), Error> {
        only_servers(&caller)?;
        self.check_proof(&caller, &message.proof)?;
        // The one who joins has asked whom it found: that one may pass it on to the leader, once.
        if !self.is_leader() {
            let leader = self.consensus().leadership().leader.ok_or_else(Error::no_leader)?;
            let joins = &message.introduction;
            if leader.id == joins.id {
                return Err(Error::unavailable("the servers believe that this one leads; they will elect another"));
            }
            return self.peers().connection(&leader.address).await?.call(&caller.header(), &message, super::CHANGE_WITHIN).await;
        }
        self.take_in(message.introduction).await
    }
}

impl Handle<Leave> for Server {
    async fn handle(&self, caller: Caller, Leave { id }: Leave) -> Result<(), Error> {
        only_servers(&caller)?;
        self.ensure_leading().await?;
        self.let_go(id).await
    }
}

impl Handle<ServerJoin> for Server {
    async fn handle(&self, _caller: Caller, message: ServerJoin) -> Result<ServerJoined, Error> {
        Ok(self.join_cluster(&message.addresses).await)
    }
}

impl Handle<ServerForceLeave> for Server {
    async fn handle(&self, caller: Caller, message: ServerForceLeave) -> Result<(), Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let short = message.node.strip_suffix(&format!(".{}", self.config().region)).unwrap_or(&message.node);
        let named = |peer: &Peer| self.server_name(peer) == short;
        for peer in self.roster().those_who_left().into_iter().filter(named) {
            self.roster().forget_left(peer.id);
        }
        match self.others().into_iter().find(named) {
            Some(peer) => self.let_go(peer.id).await,
            // As it should be.
            None => Ok(()),
        }
    }
}

impl Handle<RaftPeerRemove> for Server {
    async fn handle(&self, caller: Caller, message: RaftPeerRemove) -> Result<(), Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let peer = self.which(&message.server)?;
        if peer.id == self.consensus().id() {
            return Err(Error::internal("this server leads: let another one lead first (operator raft transfer-leadership)"));
        }
        self.let_go(peer.id).await
    }
}

impl Handle<LeadershipTransfer> for Server {
    async fn handle(&self, caller: Caller, message: LeadershipTransfer) -> Result<LeadershipTransferred, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            // That another leads by the time of the answer is what is asked for.
            return leader.call(&caller.header(), &message, super::CHANGE_WITHIN).await;
        }
        let to = message.server.map(|server| self.which(&server)).transpose()?;
        self.hand_over(to).await
    }
}

/// What the leader does.
impl Server {
    fn which(&self, server: &WhichServer) -> Result<Peer, Error> {
        let peers = self.consensus().peers();
        let (found, what) = match server {
            WhichServer::Id(text) => (peers.into_iter().find(|peer| parse(text) == Some(peer.id)), format!("id {text:?}")),
            WhichServer::Address(text) => (peers.into_iter().find(|peer| peer.address == *text), format!("address {text:?}")),
        };
        found.ok_or_else(|| Error::internal(format!("{what} was not found in the Raft configuration")))
    }

    /// Takes a server in, without a vote at first. One of the same name or at the same address, which it is the successor of, goes.
    async fn take_in(&self, joins: Introduction) -> Result<(), Error> {
        if joins.region != self.config().region {
            return Err(Error::bad_request(format!("this is region {:?}, not {:?}", self.config().region, joins.region)));
        }
        let peers = self.consensus().peers();
        if let Some(known) = peers.iter().find(|peer| peer.id == joins.id)
            && known.address == joins.address
            && known.name == joins.name
        {
            return Ok(());
        }
        for other in peers.iter().filter(|peer| peer.id != joins.id) {
            let same_name = self.server_name(other) == joins.name;
            if other.address != joins.address && !same_name {
                continue;
            }
            if other.address != joins.address && self.roster().standing(other.id) == Standing::Alive {
                let (name, address) = (&joins.name, &other.address);
                return Err(Error::new(409, format!("another server is called {name:?}, at {address}: give one of the two another name")));
            }
            self.let_go(other.id).await?;
        }
        info!(name = joins.name, address = joins.address, "a server joins");
        Ok(self.consensus().add(joins.id, joins.node()).await?)
    }

    /// Takes a server out.
    pub(crate) async fn let_go(&self, id: u64) -> Result<(), Error> {
        let Some(peer) = self.consensus().peers().into_iter().find(|peer| peer.id == id) else { return Ok(()) };
        info!(name = peer.name, address = peer.address, "a server is taken out");
        self.consensus().remove(id).await?;
        self.roster().left(peer);
        Ok(())
    }

    /// Lets another server lead: this one, or the one that has most of the log.
    pub(crate) async fn hand_over(&self, to: Option<Peer>) -> Result<LeadershipTransferred, Error> {
        let own = self.consensus().id();
        let from = RaftPeer { id: show(own), address: self.address().to_owned() };
        let to = match to {
            Some(peer) => peer,
            None => self.likeliest().ok_or_else(|| Error::internal("there is no other voter that answers"))?,
        };
        let shown = RaftPeer { id: show(to.id), address: to.address.clone() };
        if to.id == own {
            return Ok(LeadershipTransferred { from, to: shown, noop: true });
        }
        if !to.voter {
            return Err(Error::bad_request(format!("the server at {} has no vote, so it cannot lead", to.address)));
        }
        let connection = self.peers().connection(&to.address).await?;
        self.consensus().hand_over(to.id, &connection).await?;
        Ok(LeadershipTransferred { from, to: shown, noop: false })
    }

    fn likeliest(&self) -> Option<Peer> {
        let alive = |peer: &Peer| peer.voter && self.roster().standing(peer.id) == Standing::Alive;
        self.others().into_iter().filter(alive).max_by_key(|peer| self.progress(peer))
    }

    /// How much of the log a server said that it has.
    pub(super) fn progress(&self, peer: &Peer) -> u64 {
        self.roster().get(peer.id).and_then(|seen| seen.introduction).map_or(0, |known| known.last_index)
    }

    /// How a server is called: as the log says, as it says itself, or by its address.
    pub(crate) fn server_name(&self, peer: &Peer) -> String {
        let told = || self.roster().get(peer.id).and_then(|seen| seen.introduction).map(|known| known.name);
        match peer {
            peer if !peer.name.is_empty() => peer.name.clone(),
            peer => told().filter(|name| !name.is_empty()).unwrap_or_else(|| peer.address.clone()),
        }
    }
}

impl Handle<MemberList> for Server {
    async fn handle(&self, _caller: Caller, _message: MemberList) -> Result<Vec<Member>, Error> {
        let mut peers = self.consensus().peers();
        let own = self.consensus().id();
        if peers.iter().all(|peer| peer.id != own) {
            let node = self.consensus().node().clone();
            peers.push(Peer { id: own, address: node.addr, name: node.name, datacenter: node.datacenter, ..Peer::default() });
            // Before there is a cluster, whom gossip knows may become one.
            let heard = self.gossip().map(Pool::alive).unwrap_or_default();
            let region = &self.config().region;
            peers.extend(heard.into_iter().filter(|server| server.region == *region).map(|server| Peer {
                id: server.id,
                address: server.rpc,
                name: server.name,
                datacenter: server.datacenter,
                non_voting: server.non_voting,
                voter: false,
            }));
        }
        let here = peers.into_iter().map(|peer| {
            let standing = if peer.id == own { Standing::Alive } else { self.roster().standing(peer.id) };
            self.member(&peer, standing.word())
        });
        let gone = self.roster().those_who_left().into_iter().map(|peer| self.member(&peer, "left"));
        Ok(here.chain(gone).collect())
    }
}

impl Server {
    fn member(&self, peer: &Peer, status: &str) -> Member {
        let config = self.config();
        let (host, port) = peer.address.rsplit_once(':').unwrap_or((&peer.address, "0"));
        let own = peer.id == self.consensus().id();
        let told = self.roster().get(peer.id).and_then(|seen| seen.introduction).unwrap_or_default();
        let version = if own { env!("CARGO_PKG_VERSION").to_owned() } else { told.version };
        let datacenter = if own { config.datacenter.clone() } else { [peer.datacenter.clone(), told.datacenter].first_given() };
        let tags = [
            ("role", "nomad".to_owned()),
            ("region", config.region.clone()),
            ("dc", datacenter),
            ("id", show(peer.id)),
            ("rpc_addr", host.to_owned()),
            ("port", port.to_owned()),
            ("vsn", "1".to_owned()),
            ("raft_vsn", "3".to_owned()),
            ("build", version),
            ("voter", peer.voter.to_string()),
        ];
        Member {
            name: format!("{}.{}", self.server_name(peer), config.region),
            addr: host.to_owned(),
            port: port.parse().unwrap_or(0),
            status: status.to_owned(),
            tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
            protocol_min: 1,
            protocol_max: 5,
            protocol_cur: 2,
            delegate_min: 2,
            delegate_max: 5,
            delegate_cur: 4,
        }
    }
}

/// The first text that is not empty.
trait FirstGiven {
    fn first_given(self) -> String;
}

impl<const N: usize> FirstGiven for [String; N] {
    fn first_given(self) -> String {
        self.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }
}
