//! How a server comes to be in a cluster: beginning one with others, joining one that runs, coming back to one that has taken it out.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use drover_model::rpc::{Error, status::ServerJoined};
use drover_runtime::apart;
use tokio::{sync::watch, time::Instant};
use tracing::{debug, info, warn};

use super::{CHANGE_WITHIN, Introduction, Join, PAUSE};
use crate::{
    Server,
    config::ServerConfig,
    consensus::ServerNode,
    gossip::{GossipServer, Pool},
};

/// A server that has not heard its leader for so long asks the others whether they have one, and whether it still belongs to them.
const ALONE_AFTER: Duration = Duration::from_secs(3);
/// How long a leader that has taken a server in may take to speak to it.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// Left behind by a server that left, so that it does not come back unasked.
const LEFT_FILE: &str = "left";

fn left_file(server: &Server) -> PathBuf {
    server.config().data_dir.join(LEFT_FILE)
}

/// Runs something on the disk, elsewhere.
async fn on_disk(
    server: &Server,
    work: impl FnOnce(&dyn drover_runtime::Disk) -> std::io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let disk = Arc::clone(&server.runtime().disk);
    let result = apart(move || work(&*disk)).await.map_err(|error| Error::internal(error.to_string()))?;
    result.map_err(|error| Error::internal(format!("cannot write that this server left: {error}")))
}

pub(super) async fn mark_left(server: &Server) -> Result<(), Error> {
    let path = left_file(server);
    on_disk(server, move |disk| disk.write_atomic(&path, b"this server left its cluster\n")).await
}

/// How asking goes on when it brings nothing: soon at first, then at the interval that was configured.
struct Pace {
    pause: Duration,
    most: Duration,
    rounds: u32,
    rounds_at_most: u32,
    /// Servers that somebody else looks for: a new one is worth asking at once.
    found: Option<watch::Receiver<Vec<String>>>,
}

impl Pace {
    fn new(config: &ServerConfig) -> Self {
        let (most, found) = (config.retry_interval, config.found.clone());
        Self { pause: PAUSE.min(most), most, rounds: 0, rounds_at_most: config.retry_max, found }
    }

    fn again(&mut self) {
        (self.pause, self.rounds) = (PAUSE.min(self.most), 0);
    }

    fn is_over(&self) -> bool {
        self.rounds_at_most > 0 && self.rounds > self.rounds_at_most
    }

    /// Until other servers were found than before; false: nobody looks for any.
    async fn news(&mut self) -> bool {
        match &mut self.found {
            Some(found) => found.changed().await.is_ok(),
            None => false,
        }
    }

    async fn wait(&mut self) {
        let pause = self.pause;
        let has_news = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            true = self.news() => true,
        };
        if has_news {
            return self.again();
        }
        self.rounds = self.rounds.saturating_add(1);
        self.pause = (self.pause * 2).min(self.most);
        if self.rounds_at_most > 0 && self.rounds == self.rounds_at_most + 1 {
            warn!(rounds = self.rounds_at_most, "no server to join has answered; this one does not ask again (`server join` does)");
        }
    }
}

/// Sees to it that this server is in a cluster, as long as it runs.
pub(super) async fn run(server: Arc<Server>) {
    let left = server.runtime().disk.read(&left_file(&server), 1024).is_ok();
    let mut pace = Pace::new(server.config());
    if left {
        info!("this server left its cluster; it joins again when a server to join takes it in");
    }
    loop {
        if server.is_settled() {
            if !server.waits_to_be_asked(left) {
                server.consensus().hold_elections(false);
            }
            if left && server.consensus().leadership().leader.is_some() {
                let path = left_file(&server);
                let _ = on_disk(&server, move |disk| disk.remove(&path)).await;
            }
            pace.again();
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let found = server.look_around(left).await;
        let outside = server.outside_of(&found);
        if let Some(at) = outside {
            server.consensus().hold_elections(true);
            match server.ask_to_join(&at.address).await {
                Ok(()) => info!(address = at.address, "joined a cluster"),
                Err(error) => warn!(address = at.address, %error, "the cluster does not take this server in yet"),
            }
        } else {
            if !server.waits_to_be_asked(left) {
                server.consensus().hold_elections(false);
            }
            server.begin_with(found).await;
        }
        if server.consensus().peers().is_empty() && pace.is_over() {
            if !pace.news().await {
                return;
            }
            pace.again();
        }
        pace.wait().await;
    }
}

impl Server {
    /// Whether it is in a cluster whose leader it hears, or leads.
    pub(super) fn is_settled(&self) -> bool {
        let alone = self.others().is_empty() && !self.consensus().peers().is_empty();
        alone || self.is_leader() || self.consensus().last_contact().is_some_and(|last| last < ALONE_AFTER)
    }

    /// A server that left does not stand for election until it has been taken in again.
    fn waits_to_be_asked(&self, left: bool) -> bool {
        left && self.consensus().last_contact().is_none() && !self.config().rejoin_after_leave
    }

    /// Asks the servers that this one was told of, and those of its cluster.
    async fn look_around(&self, left: bool) -> Vec<Introduction> {
        let mut addresses = self.config().others();
        if !left || self.config().rejoin_after_leave {
            addresses.extend(self.others().into_iter().map(|peer| peer.address));
            addresses.extend(self.heard_of());
        }
        addresses.sort();
        addresses.dedup();
        let asked = addresses.iter().map(|address| async move { (address, self.ask(address).await) });
        let mut found = BTreeMap::new();
        for (address, answer) in futures::future::join_all(asked).await {
            match answer {
                Ok(introduction) if introduction.id == self.consensus().id() => {}
                Ok(introduction) => {
                    self.roster().forget_refusal(address);
                    found.insert(introduction.id, introduction);
                }
                Err(error) if error.status == 403 && self.roster().is_first_refusal(address) => {
                    warn!(address, %error, "a server does not speak to this one");
                }
                Err(error) => debug!(address, %error, "a server does not answer yet"),
            }
        }
        found.into_values().collect()
    }

    /// The servers that gossip knows of. One that is in a cluster already looks for those of its own alone: others may share the pool with it, and even the key.
    fn heard_of(&self) -> Vec<String> {
        let own = self.consensus().peers();
        let belongs = |server: &GossipServer| own.is_empty() || own.iter().any(|peer| peer.id == server.id);
        let heard = self.gossip().map(Pool::alive).unwrap_or_default();
        heard.into_iter().filter(|server| server.region == self.config().region && belongs(server)).map(|server| server.rpc).collect()
    }

    /// A server of a cluster that runs without this one, or that knows it by another address.
    fn outside_of(&self, found: &[Introduction]) -> Option<Introduction> {
        let own = self.consensus().id();
        let own_peers = self.consensus().peers();
        let runs = |other: &&Introduction| other.leader.is_some() && !other.members.is_empty();
        let lacks = |other: &&Introduction| !other.members.contains(&own);
        // Its leader would have spoken to this server, if it knew where that is.
        let lost = own_peers.iter().any(|peer| peer.id == own) && self.consensus().last_contact().is_none();
        found.iter().filter(runs).find(|other| lacks(other) || lost).cloned()
    }

    /// Begins a cluster when all servers that are expected are there. All of them do so with the same members.
    async fn begin_with(&self, found: Vec<Introduction>) {
        let expect = self.config().bootstrap_expect as usize;
        if expect <= 1 || !self.consensus().peers().is_empty() {
            return;
        }
        let mut known: BTreeMap<u64, ServerNode> = BTreeMap::from([(self.consensus().id(), self.consensus().node().clone())]);
        for other in found {
            match other {
                other if other.expect as usize != expect => {
                    warn!(address = other.address, expects = other.expect, expect, "another server expects another number of servers");
                }
                other => drop(known.insert(other.id, other.node())),
            }
        }
        if known.len() == expect {
            match self.consensus().initialize(known).await {
                Ok(()) => info!(servers = expect, "began a cluster"),
                Err(error) => debug!(%error, "somebody else began the cluster"),
            }
        } else if known.len() > expect {
            warn!(known = known.len(), expect, "there are more servers than expected; none begins a cluster");
        }
    }

    /// Asks the cluster of the server at `address` to take this one in.
    async fn ask_to_join(&self, address: &str) -> Result<(), Error> {
        let other = self.ask(address).await?;
        self.check_same_cluster(&other)?;
        let message = Join { introduction: self.introduction(), proof: self.proof() };
        self.peers().connection(address).await?.call(&Self::header(), &message, CHANGE_WITHIN).await?;
        let heard = async {
            while self.consensus().last_contact().is_none_or(|last| last > ALONE_AFTER) && !self.is_leader() {
                tokio::time::sleep(PAUSE / 20).await;
            }
        };
        let silent = |_| Error::unavailable("taken in, but its leader has not been heard yet: can it reach this server's address?");
        tokio::time::timeout(HEARD_WITHIN, heard).await.map_err(silent)
    }

    /// What this server's log says was agreed on somewhere. Where it was not among these servers, they must not overwrite it.
    fn check_same_cluster(&self, other: &Introduction) -> Result<(), Error> {
        let own = self.consensus().id();
        let known = self.consensus().peers();
        let related =
            known.is_empty() || other.members.contains(&own) || known.iter().any(|peer| peer.id != own && other.members.contains(&peer.id));
        if related {
            return Ok(());
        }
        Err(Error::bad_request(format!(
            "this server is in another cluster than the one at {}: to move it, stop it, move its folder {} away, and let it join",
            other.address,
            self.config().data_dir.display()
        )))
    }

    /// Joins the cluster of the servers at these addresses, as somebody has asked.
    pub(super) async fn join_cluster(&self, addresses: &[String]) -> ServerJoined {
        let mut joined = ServerJoined::default();
        let started = Instant::now();
        for address in addresses {
            let (own, answer) = (self.consensus().id(), self.ask(address).await);
            let result = match answer {
                Ok(other) if other.id == own || (other.members.contains(&own) && self.is_settled()) => Ok(()),
                Ok(other) if other.leader.is_none() => Err(Error::unavailable("it has no leader")),
                Ok(_) => self.ask_to_join(address).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => joined.num_joined += 1,
                Err(error) => {
                    if !joined.error.is_empty() {
                        joined.error.push_str("; ");
                    }
                    joined.error.push_str(&format!("{address}: {error}"));
                }
            }
        }
        debug!(took = ?started.elapsed(), joined = joined.num_joined, "asked to join");
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn who_is_found_meanwhile_is_asked_at_once() {
        let (tell, found) = watch::channel(Vec::new());
        let config =
            ServerConfig { join: vec!["a:1".into()], found: Some(found), retry_interval: HOUR, retry_max: 20, ..ServerConfig::default() };
        let mut pace = Pace::new(&config);
        while pace.pause < HOUR {
            pace.wait().await;
        }
        let begun = Instant::now();
        tokio::join!(pace.wait(), async { tell.send_replace(vec!["b:1".into()]) });
        assert_eq!((begun.elapsed(), pace.pause, pace.rounds), (Duration::ZERO, PAUSE, 0));
        assert_eq!(config.others(), ["a:1", "b:1"]);
        while !pace.is_over() {
            pace.wait().await;
        }
        let (has_news, _) = tokio::join!(pace.news(), async { tell.send_replace(vec!["c:1".into()]) });
        assert!(has_news, "also when it has given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_finds_nobody_gives_up_when_it_is_told_to() {
        let mut pace = Pace::new(&ServerConfig { retry_interval: PAUSE, retry_max: 2, ..ServerConfig::default() });
        let begun = Instant::now();
        while !pace.is_over() {
            pace.wait().await;
        }
        assert_eq!(begun.elapsed(), PAUSE * 3);
        assert!(!pace.news().await);
    }
}
