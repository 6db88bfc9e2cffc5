//! Several catalogues behind one: each service goes where it belongs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drover_integrations::{
    ServiceRegistry,
    registry::{DEPLOYMENT_PACE, Health, ServiceSet},
};
use drover_model::{allocation::Allocation, ids::AllocId, job::Provider, service::CheckStatus};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::Placed;

/// How often checks are looked at when no deployment waits for them.
const CALM_PACE: Duration = Duration::from_secs(2);

/// A catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Consul(String),
    /// The servers' own, for services that ask for it.
    Native,
    /// The servers' own, standing for a Consul.
    Embedded,
}

#[derive(Debug)]
pub(crate) struct Registries {
    consul: BTreeMap<String, Arc<dyn ServiceRegistry>>,
    native: Arc<dyn ServiceRegistry>,
    embedded: Arc<dyn ServiceRegistry>,
    /// Where each allocation has services.
    used: Mutex<BTreeMap<AllocId, BTreeSet<Target>>>,
}

impl Registries {
    pub(crate) fn new(
        consul: BTreeMap<String, Arc<dyn ServiceRegistry>>,
        native: Arc<dyn ServiceRegistry>,
        embedded: Arc<dyn ServiceRegistry>,
    ) -> Self {
        Self { consul, native, embedded, used: Mutex::default() }
    }

    pub(crate) fn target(&self, placed: &Placed) -> Target {
        match placed.provider {
            Provider::Nomad => Target::Native,
            Provider::Consul if self.consul.contains_key(&placed.cluster) => Target::Consul(placed.cluster.clone()),
            Provider::Consul => Target::Embedded,
        }
    }

    fn registry(&self, target: &Target) -> Option<&Arc<dyn ServiceRegistry>> {
        match target {
            Target::Consul(cluster) => self.consul.get(cluster),
            Target::Native => Some(&self.native),
            Target::Embedded => Some(&self.embedded),
        }
    }

    /// Declares all that the allocation offers.
    pub(crate) fn set(&self, allocation: &Allocation, placed: &[Placed]) {
        let mut by_target: BTreeMap<Target, Vec<_>> = BTreeMap::new();
        for one in placed {
            by_target.entry(self.target(one)).or_default().push(one.service.clone());
        }
        let before = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert(allocation.id, by_target.keys().cloned().collect()).unwrap_or_default()
        };
        for target in before {
            by_target.entry(target).or_default();
        }
        for (target, services) in by_target {
            let set = ServiceSet {
                allocation: allocation.id,
                namespace: allocation.namespace.clone(),
                job_id: allocation.job_id.clone(),
                services,
            };
            if let Some(registry) = self.registry(&target) {
                registry.set(set);
            }
        }
    }

    /// Takes all of the allocation's services out; ends when the catalogues have confirmed it, or have had their time.
    pub(crate) fn remove(&self, alloc: AllocId) -> BoxFuture<'static, ()> {
        let targets = self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(&alloc).unwrap_or_default();
        let removals: Vec<_> = targets.iter().filter_map(|target| self.registry(target)).map(|registry| registry.remove(alloc)).collect();
        futures::future::join_all(removals).map(drop).boxed()
    }

    /// What the checks of one catalogue say. `deployment`: somebody waits for it.
    pub(crate) fn health(&self, alloc: AllocId, target: &Target, deployment: bool) -> Option<watch::Receiver<Arc<Health>>> {
        let pace = if deployment { DEPLOYMENT_PACE } else { CALM_PACE };
        self.registry(target).map(|registry| registry.health(alloc, pace))
    }

    /// What the client's own checks of an allocation say.
    pub(crate) fn native_health(&self, alloc: AllocId) -> Health {
        let both = [&self.native, &self.embedded].map(|registry| Arc::clone(&registry.health(alloc, CALM_PACE).borrow()));
        let checks = both.iter().flat_map(|health| health.checks.clone()).collect();
        Health { registered: both.iter().any(|health| health.registered), checks }
    }

    pub(crate) fn report(&self, target: &Target, check_id: &str, status: CheckStatus, output: &str) {
        if let Some(registry) = self.registry(target) {
            registry.report(check_id, status, output);
        }
    }

    pub(crate) fn restored(&self) {
        for registry in self.consul.values().chain([&self.native, &self.embedded]) {
            registry.restored();
        }
    }
}
