//! The agent itself in Consul: how servers and clients are found by others.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use drover_runtime::Random;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::{
    Consul,
    agent::{AgentService, NODE_META},
    sync::is_same,
};
use crate::{
    Result,
    http::Backoff,
    registry::{Check, CheckKind, Service, check_id},
};

/// What every id of a part of an agent begins with.
const ID_PREFIX: &str = "_nomad-agent-";
/// How often everything is compared.
const ANTI_ENTROPY: Duration = Duration::from_secs(30);
const ANTI_ENTROPY_JITTER: Duration = Duration::from_secs(5);
/// The longest pause between attempts while Consul is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long saying goodbye may take.
const WITHDRAWAL: Duration = Duration::from_secs(3);
/// How the parts are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// What an agent that never comes back leaves is forgotten after that.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(72 * 3600);

/// One thing that an agent offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The service's name in Consul.
    pub service: String,
    /// `http`, `rpc` or `serf`, and whatever tags the configuration adds.
    pub tags: Vec<String>,
    pub address: String,
    pub port: u16,
    pub check_name: String,
    pub check: CheckKind,
    pub failures_before_critical: u32,
    pub failures_before_warning: u32,
}

impl Part {
    /// As it stands in Consul. Its id tells one owner's parts apart, whatever addresses they have.
    fn service(&self, owner: &str) -> Service {
        let kind = self.tags.first().map(String::as_str).unwrap_or_default();
        let digest = Sha256::digest(format!("{owner}\0{}\0{kind}", self.service));
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{ID_PREFIX}{hex}");
        let check = Check {
            id: check_id(&id, &self.check_name, 0),
            name: self.check_name.clone(),
            kind: self.check.clone(),
            interval: CHECK_INTERVAL,
            timeout: CHECK_TIMEOUT,
            initial_status: None,
            success_before_passing: 0,
            failures_before_warning: self.failures_before_warning,
            failures_before_critical: self.failures_before_critical,
            notes: String::new(),
            deregister_after: Some(FORGOTTEN_AFTER),
        };
        Service {
            id,
            name: self.service.clone(),
            tags: self.tags.clone(),
            address: self.address.clone(),
            port: self.port,
            checks: vec![check],
            ..Service::default()
        }
    }
}

/// Keeps the parts of one agent in Consul, until it is withdrawn.
pub struct Advertiser {
    keeper: Keeper,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Keeper {
    consul: Consul,
    owner: String,
    services: Vec<Service>,
}

impl fmt::Debug for Advertiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advertiser").field("owner", &self.keeper.owner).field("parts", &self.keeper.services.len()).finish_non_exhaustive()
    }
}

impl Drop for Advertiser {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Advertiser {
    /// `owner` tells agents apart that share one Consul agent, and stays the same over restarts. `is_expected`: whether the operator counts on Consul, and
    /// wants to hear when it is away.
    pub fn start(consul: Consul, owner: String, parts: &[Part], random: Arc<dyn Random>, is_expected: bool) -> Self {
        let services = parts.iter().map(|part| part.service(&owner)).collect();
        let keeper = Keeper { consul, owner, services };
        let task = tokio::spawn(keeper.clone().keep(random, is_expected));
        Self { keeper, task }
    }

    /// Takes the agent out of Consul, which an agent that ends on purpose does.
    pub async fn withdraw(self) {
        self.task.abort();
        let withdrawal = async {
            for service in &self.keeper.services {
                if let Err(error) = self.keeper.consul.deregister(&service.id).await {
                    tracing::debug!(%error, "this agent could not be taken out of Consul; its checks will fail");
                }
            }
        };
        let _ = tokio::time::timeout(WITHDRAWAL, withdrawal).await;
    }
}

impl Keeper {
    async fn keep(self, random: Arc<dyn Random>, is_expected: bool) {
        let mut backoff = Backoff::new(Duration::from_millis(500), LONGEST_PAUSE);
        let mut is_away = false;
        loop {
            let pause = match self.pass().await {
                Ok(()) => {
                    if std::mem::take(&mut is_away) && is_expected {
                        tracing::info!("this agent is registered in Consul");
                    }
                    backoff.reset();
                    ANTI_ENTROPY + random.jitter(ANTI_ENTROPY_JITTER)
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) && is_expected {
                        tracing::warn!(%error, "this agent cannot be registered in Consul; trying on");
                    }
                    backoff.pause(&*random)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Compares, and writes what differs.
    async fn pass(&self) -> Result<()> {
        let found = self.consul.agent_services("").await?;
        let checks = self.consul.agent_checks("").await?;
        for service in &self.services {
            if !found.get(&service.id).is_some_and(|found| is_same(service, &self.owner, found, &checks)) {
                self.consul.register(service, &self.owner, &checks).await?;
            }
        }
        for id in leftovers(&self.services, &self.owner, &found) {
            self.consul.deregister(id).await?;
        }
        Ok(())
    }
}

/// What earlier runs of this agent left.
fn leftovers<'a>(services: &[Service], owner: &str, found: &'a BTreeMap<String, AgentService>) -> Vec<&'a String> {
    let is_ours = |service: &AgentService| service.meta.get(NODE_META).is_some_and(|meta| meta == owner);
    let is_wanted = |id: &str| services.iter().any(|service| service.id == id);
    found.iter().filter(|(id, service)| id.starts_with(ID_PREFIX) && is_ours(service) && !is_wanted(id)).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consul::agent::meta_of;

    fn part(service: &str, kind: &str, port: u16) -> Part {
        Part {
            service: service.into(),
            tags: vec![kind.into()],
            address: "127.0.0.1".into(),
            port,
            check_name: "Check".into(),
            check: CheckKind::Tcp { address: "127.0.0.1:1".into() },
            failures_before_critical: 0,
            failures_before_warning: 0,
        }
    }

    #[test]
    fn parts_keep_their_ids_and_only_own_leftovers_go() {
        let (http, rpc) = (part("nomad", "http", 1).service("a"), part("nomad", "rpc", 2).service("a"));
        assert_ne!(http.id, rpc.id);
        assert_eq!(part("nomad", "http", 9).service("a").id, http.id, "a changed port is a changed service, not another one");
        assert_ne!(part("nomad", "http", 1).service("b").id, http.id);
        let as_found = |service: &Service, owner: &str| {
            let found = AgentService { meta: meta_of(service, owner), ..AgentService::default() };
            (service.id.clone(), found)
        };
        let foreign = part("nomad", "http", 1).service("b");
        let found = BTreeMap::from([
            as_found(&http, "a"),
            as_found(&rpc, "a"),
            as_found(&foreign, "b"),
            ("web".to_owned(), AgentService::default()),
        ]);
        assert_eq!(leftovers(&[http], "a", &found), [&rpc.id]);
    }
}
