//! The servers' own catalogue. The client runs the checks itself and tells the servers what they say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use drover_integrations::{
    ServiceRegistry,
    registry::{Check, CheckState, Health, REMOVE_PATIENCE, ServiceSet},
};
use drover_model::{
    ids::AllocId,
    job::Provider,
    rpc::node::{NodeAuth, ServicesRemove, ServicesUpsert},
    service::{CheckStatus, ServiceRegistration},
};
use drover_runtime::Random;
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{checks, limits, servers::Servers};

/// Instances in one call.
const BATCH: usize = 256;

/// Keeps the servers' catalogue as declared. [`NativeRegistry::run`] does the work.
pub(crate) struct NativeRegistry {
    provider: Provider,
    datacenter: String,
    servers: Arc<dyn Servers>,
    auth: NodeAuth,
    random: Arc<dyn Random>,
    prober: checks::Prober,
    wanted: Mutex<BTreeMap<AllocId, Entry>>,
    /// Something has changed.
    work: Notify,
    /// Rounds of bringing the servers' catalogue in line: how many have begun, and the last that went well.
    begun: AtomicU64,
    synced: watch::Sender<u64>,
    checkers: TaskTracker,
    stop: CancellationToken,
}

impl fmt::Debug for NativeRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeRegistry").field("provider", &self.provider).field("allocations", &self.lock().len()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Entry {
    set: ServiceSet,
    health: watch::Sender<Arc<Health>>,
    /// By check id: what is run, and how to stop it.
    running: BTreeMap<String, (Check, CancellationToken)>,
}

impl NativeRegistry {
    pub(crate) fn new(
        provider: Provider,
        datacenter: String,
        servers: Arc<dyn Servers>,
        auth: NodeAuth,
        random: Arc<dyn Random>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let (wanted, work, synced, checkers) = (Mutex::default(), Notify::new(), watch::channel(0).0, TaskTracker::new());
        let prober = checks::Prober::default();
        Arc::new(Self {
            provider,
            datacenter,
            servers,
            auth,
            random,
            prober,
            wanted,
            work,
            begun: AtomicU64::new(0),
            synced,
            checkers,
            stop,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AllocId, Entry>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the servers' catalogue in line, for as long as the client runs.
    pub(crate) async fn run(self: Arc<Self>, mut registered: watch::Receiver<u64>) {
        let mut known: BTreeMap<String, ServiceRegistration> = BTreeMap::new();
        let mut pause = limits::RETRY_FIRST;
        loop {
            let synced = self.sync(&mut known).await;
            let wait = pause + self.random.jitter(pause);
            let retry = async { if synced { std::future::pending().await } else { tokio::time::sleep(wait).await } };
            pause = if synced { limits::RETRY_FIRST } else { (pause * 2).min(limits::RETRY_MOST) };
            tokio::select! {
                () = self.work.notified() => {}
                () = retry => {}
                // A node that registers anew may have been forgotten with all that it offered.
                changed = registered.changed() => if changed.is_ok() { known.clear() } else { return },
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// One round; whether everything is as wanted.
    async fn sync(&self, known: &mut BTreeMap<String, ServiceRegistration>) -> bool {
        let round = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let wanted: BTreeMap<String, ServiceRegistration> = self.lock().values().flat_map(|entry| self.registrations(entry)).collect();
        let changed: Vec<_> = wanted.values().filter(|one| known.get(&one.id) != Some(one)).cloned().collect();
        for batch in changed.chunks(BATCH) {
            let request = ServicesUpsert { auth: self.auth.clone(), services: batch.to_vec() };
            if !self.done("registered", tokio::time::timeout(limits::SERVER_CALL, self.servers.upsert_services(request)).await) {
                return false;
            }
            known.extend(batch.iter().map(|one| (one.id.clone(), one.clone())));
        }
        let gone: Vec<String> = known.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
        for batch in gone.chunks(BATCH) {
            let request = ServicesRemove { auth: self.auth.clone(), ids: batch.to_vec() };
            if !self.done("removed", tokio::time::timeout(limits::SERVER_CALL, self.servers.remove_services(request)).await) {
                return false;
            }
            for id in batch {
                known.remove(id);
            }
        }
        self.confirm(known, round);
        true
    }

    fn done<T>(&self, what: &str, result: Result<Result<T, drover_model::rpc::Error>, tokio::time::error::Elapsed>) -> bool {
        let error = match result {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => error.message,
            Err(_) => "no answer".to_owned(),
        };
        tracing::warn!(error, "services could not be {what} with the servers; another attempt follows");
        false
    }

    fn confirm(&self, known: &BTreeMap<String, ServiceRegistration>, round: u64) {
        for entry in self.lock().values().filter(|entry| entry.set.services.iter().all(|service| known.contains_key(&service.id))) {
            entry.health.send_if_modified(|health| {
                let first = !health.registered;
                Arc::make_mut(health).registered = true;
                first
            });
        }
        self.synced.send_replace(round);
    }

    fn registrations(&self, entry: &Entry) -> Vec<(String, ServiceRegistration)> {
        let health = entry.health.borrow();
        let registration = |service: &drover_integrations::registry::Service| {
            let states =
                service.checks.iter().map(|check| health.checks.get(&check.id).map_or(CheckStatus::Critical, |state| state.status));
            ServiceRegistration {
                id: service.id.clone(),
                service_name: service.name.as_str().into(),
                namespace: entry.set.namespace.clone(),
                node_id: self.auth.id,
                datacenter: self.datacenter.clone(),
                job_id: entry.set.job_id.clone(),
                alloc_id: entry.set.allocation,
                tags: service.tags.clone().into(),
                address: service.address.clone(),
                port: service.port,
                meta: service.meta.clone().into(),
                health: states.max().unwrap_or(CheckStatus::Passing),
                provider: self.provider,
                create_index: 0,
                modify_index: 0,
            }
        };
        entry.set.services.iter().map(|service| (service.id.clone(), registration(service))).collect()
    }

    /// Starts and stops checks so that those of the set run, each once. A check that did not change goes on.
    fn run_checks(registry: &Arc<Self>, entry: &mut Entry) {
        let checks = entry.set.services.iter().flat_map(|service| service.checks.iter().map(move |check| (service, check)));
        let wanted: BTreeMap<_, _> =
            checks.map(|(service, check)| (check.id.clone(), (service.id.clone(), service.name.clone(), check.clone()))).collect();
        entry.running.retain(|id, (check, stop)| {
            let goes_on = wanted.get(id).is_some_and(|(_, _, wanted)| wanted == check);
            if !goes_on {
                stop.cancel();
            }
            goes_on
        });
        let ids: BTreeSet<&String> = wanted.keys().collect();
        entry.health.send_modify(|health| {
            let health = Arc::make_mut(health);
            health.checks.retain(|id, _| ids.contains(id));
            for (id, (service_id, service_name, check)) in &wanted {
                health.checks.entry(id.clone()).or_insert_with(|| CheckState {
                    name: check.name.clone(),
                    service_id: service_id.clone(),
                    service_name: service_name.clone(),
                    status: check.initial_status.unwrap_or(CheckStatus::Critical),
                    output: String::new(),
                });
            }
        });
        for (id, (_, _, check)) in wanted {
            if !entry.running.contains_key(&id) && checks::is_probed(&check.kind) {
                let stop = registry.stop.child_token();
                let checking = Self::check(Arc::clone(registry), entry.set.allocation, check.clone());
                registry.checkers.spawn(stop.clone().run_until_cancelled_owned(checking));
                entry.running.insert(id, (check, stop));
            }
        }
    }

    /// Runs one check again and again.
    async fn check(registry: Arc<Self>, alloc: AllocId, check: Check) {
        let mut counter = checks::Counter::new(&check);
        loop {
            let outcome = registry.prober.probe(&check).await;
            let status = counter.count(outcome.status);
            registry.note(alloc, &check.id, status, outcome.output);
            // Until it first passes somebody waits for it, so it is looked at more often.
            let interval = if counter.has_passed() { check.interval } else { check.interval.min(checks::FIRST_INTERVAL) };
            tokio::time::sleep(interval + registry.random.jitter(interval / 10)).await;
        }
    }

    fn note(&self, alloc: AllocId, check_id: &str, status: CheckStatus, output: String) {
        let wanted = self.lock();
        let Some(entry) = wanted.get(&alloc) else { return };
        let changed = entry.health.send_if_modified(|health| {
            let Some(state) = Arc::make_mut(health).checks.get_mut(check_id) else { return false };
            let changed = state.status != status;
            (state.status, state.output) = (status, output);
            changed
        });
        if changed {
            self.work.notify_one();
        }
    }
}

/// The registry as others hold it.
#[derive(Clone, Debug)]
pub(crate) struct Native(pub(crate) Arc<NativeRegistry>);

impl ServiceRegistry for Native {
    fn set(&self, set: ServiceSet) {
        let registry = &self.0;
        let mut wanted = registry.lock();
        let alloc = set.allocation;
        match wanted.get_mut(&alloc) {
            Some(entry) if entry.set == set => return,
            Some(entry) => entry.set = set,
            None => {
                let health = watch::channel(Arc::default()).0;
                wanted.insert(alloc, Entry { set, health, running: BTreeMap::new() });
            }
        }
        if let Some(entry) = wanted.get_mut(&alloc) {
            entry.health.send_modify(|health| Arc::make_mut(health).registered = false);
            NativeRegistry::run_checks(registry, entry);
        }
        registry.work.notify_one();
    }

    fn remove(&self, allocation: AllocId) -> BoxFuture<'static, ()> {
        let registry = Arc::clone(&self.0);
        let removed = registry.lock().remove(&allocation);
        let Some(entry) = removed else { return std::future::ready(()).boxed() };
        for (_, stop) in entry.running.into_values() {
            stop.cancel();
        }
        let mut synced = registry.synced.subscribe();
        // Rounds are numbered when they begin, so one with a later number has seen the removal.
        let begun = registry.begun.load(Ordering::SeqCst);
        registry.work.notify_one();
        async move {
            let confirmed = synced.wait_for(|round| *round > begun);
            let _ = tokio::time::timeout(REMOVE_PATIENCE, confirmed).await;
        }
        .boxed()
    }

    fn health(&self, allocation: AllocId, _every: Duration) -> watch::Receiver<Arc<Health>> {
        let wanted = self.0.lock();
        wanted.get(&allocation).map_or_else(|| watch::channel(Arc::default()).1, |entry| entry.health.subscribe())
    }

    fn report(&self, check_id: &str, status: CheckStatus, output: &str) {
        let of = |entry: &Entry| entry.health.borrow().checks.contains_key(check_id).then_some(entry.set.allocation);
        let owner = self.0.lock().values().find_map(of);
        if let Some(alloc) = owner {
            self.0.note(alloc, check_id, status, output.to_owned());
        }
    }

    fn restored(&self) {
        self.0.work.notify_one();
    }
}
