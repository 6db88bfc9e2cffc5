//! Keeps the services of this node's allocations in the Consul agent as declared.
//!
//! A pass reads what the agent has, works out the difference ([`plan`]), and writes that. Passes run at once when a declaration changes, after a failure
//! with growing pauses, and from time to time so that what Consul lost comes back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::{
    ids::{AllocId, NodeId},
    service::CheckStatus,
};
use drover_runtime::Random;
use futures::{StreamExt as _, future::BoxFuture, stream};
use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
};

pub(in crate::consul) use self::plan::is_same;
pub use self::tokens::ServiceLogins;
use self::{
    plan::{Plan, Wanted, Write},
    tokens::ServiceTokens,
};
use super::Consul;
use crate::{
    Error, Result, ServiceRegistry,
    http::Backoff,
    registry::{Health, REMOVE_PATIENCE, Service, ServiceSet},
};

mod health;
mod kept;
mod plan;
mod tokens;

/// How often everything is compared when nothing has changed here.
const ANTI_ENTROPY: Duration = Duration::from_secs(30);

/// By how much that varies, so that the clients of a cluster do not all ask together.
const ANTI_ENTROPY_JITTER: Duration = Duration::from_secs(5);

/// The longest pause between attempts while Consul is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Writes under way at a time.
const WRITES_AT_A_TIME: usize = 8;

/// See the module.
pub struct ServiceSync {
    shared: Arc<Shared>,
    loops: Vec<JoinHandle<()>>,
}

impl fmt::Debug for ServiceSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSync").field("consul", &self.shared.consul).finish_non_exhaustive()
    }
}

impl Drop for ServiceSync {
    fn drop(&mut self) {
        for task in &self.loops {
            task.abort();
        }
    }
}

struct Shared {
    consul: Consul,
    node: String,
    random: Arc<dyn Random>,
    tokens: ServiceTokens,
    state: Mutex<State>,
    /// Something is to be written.
    changed: Notify,
    /// Somebody wants to know about health.
    watched: Notify,
}

#[derive(Default)]
struct State {
    wanted: Wanted,
    /// Whoever waits for an allocation to be gone.
    leaving: BTreeMap<AllocId, Vec<oneshot::Sender<()>>>,
    /// Outcomes of reported checks that Consul does not have yet.
    reports: BTreeMap<String, (CheckStatus, String)>,
    watchers: BTreeMap<AllocId, Watcher>,
}

struct Watcher {
    health: watch::Sender<Arc<Health>>,
    every: Duration,
}

impl ServiceSync {
    /// Starts keeping the services of `node`'s allocations.
    pub fn start(consul: Consul, node: NodeId, random: Arc<dyn Random>, logins: Option<ServiceLogins>) -> Self {
        let tokens = ServiceTokens::new(logins, &*random);
        let shared = Arc::new(Shared {
            consul,
            node: node.to_string(),
            random,
            tokens,
            state: Mutex::default(),
            changed: Notify::new(),
            watched: Notify::new(),
        });
        let loops = vec![tokio::spawn(keep_in_sync(Arc::clone(&shared))), tokio::spawn(health::keep_watched(Arc::clone(&shared)))];
        Self { shared, loops }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares, and writes what differs.
    async fn pass(&self) -> Result<()> {
        let (mut services, mut checks) = (BTreeMap::new(), BTreeMap::new());
        let namespaces = self.state().wanted.namespaces();
        for namespace in &namespaces {
            services.extend(self.consul.agent_services(namespace).await?);
            checks.extend(self.consul.agent_checks(namespace).await?);
        }
        let again = self.tokens.due();
        let plan = plan::plan(&self.state().wanted, &self.node, &services, &checks, &again);
        let Plan { writes, in_sync, leaving } = plan;
        for service in in_sync {
            self.state().wanted.note_written(service);
        }
        let first_error = Mutex::new(None);
        let mut blocked = BTreeSet::new();
        let done: Vec<_> = stream::iter(writes)
            .map(|write| async {
                let outcome = self.write(&write, &checks).await;
                (write, outcome)
            })
            .buffered(WRITES_AT_A_TIME)
            .collect()
            .await;
        for (write, outcome) in done {
            if let Err(error) = outcome {
                blocked.extend(write.allocation());
                first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
        self.let_go_of_strangers(&services).await;
        self.settle(leaving.into_iter().filter(|allocation| !blocked.contains(allocation)));
        self.send_reports().await?;
        match first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Tokens of services that an earlier agent took out of Consul, or that somebody else did, are given back.
    async fn let_go_of_strangers(&self, services: &BTreeMap<String, super::agent::AgentService>) {
        let strangers: Vec<String> = {
            let (holders, state) = (self.tokens.holders(), self.state());
            holders.into_iter().filter(|id| !services.contains_key(id) && state.wanted.may_let_go(id)).collect()
        };
        for id in strangers {
            self.tokens.let_go(&self.consul, &id).await;
        }
    }

    async fn write(&self, write: &Write, checks: &BTreeMap<String, super::agent::AgentCheck>) -> Result<()> {
        match write {
            Write::Register(service) => {
                let token = self.tokens.of(&self.consul, service, &*self.random).await?;
                let done = self.consul.holding(&token).register(service, &self.node, checks).await;
                if !token.is_empty() && done.as_ref().is_err_and(Error::is_forbidden) {
                    self.tokens.let_go(&self.consul, &service.id).await;
                }
                done?;
                self.tokens.settled(&self.consul, &service.id).await;
                self.state().wanted.note_written(Arc::clone(service));
                // Health watchers have something new to see.
                self.watched.notify_one();
                Ok(())
            }
            Write::Deregister(id, namespace) => {
                self.as_service(id, namespace, |consul| async move { consul.deregister(id).await }).await?;
                self.tokens.let_go(&self.consul, id).await;
                self.state().wanted.note_removed(id);
                Ok(())
            }
            Write::DeregisterCheck { service, check, namespace } => {
                self.as_service(service, namespace, |consul| async move { consul.deregister_check(check).await }).await
            }
        }
    }

    /// Does something with a service's own token; with the agent's when that one is not accepted (any more).
    async fn as_service<F: Future<Output = Result<()>>>(&self, id: &str, namespace: &str, work: impl Fn(Consul) -> F) -> Result<()> {
        let consul = self.consul.within(namespace);
        let token = self.tokens.known(id);
        let done = work(consul.holding(&token)).await;
        if token.is_empty() || !done.as_ref().is_err_and(Error::is_forbidden) {
            return done;
        }
        self.tokens.let_go(&self.consul, id).await;
        work(consul).await
    }

    /// Tells those who wait that these allocations are gone.
    fn settle(&self, gone: impl Iterator<Item = AllocId>) {
        let mut state = self.state();
        for allocation in gone {
            state.wanted.forget(allocation);
            for waiter in state.leaving.remove(&allocation).into_iter().flatten() {
                // Nobody may be waiting any more.
                let _ = waiter.send(());
            }
        }
    }

    async fn send_reports(&self) -> Result<()> {
        let reports = std::mem::take(&mut self.state().reports);
        let mut failed = None;
        for (id, (status, output)) in reports {
            let owner = self.state().wanted.owner_of(&id);
            let service = owner.as_ref().map(|service| service.id.as_str()).unwrap_or_default();
            let namespace = owner.as_ref().map(|service| service.consul_namespace.as_str()).unwrap_or_default();
            let (check, text) = (&id, &output);
            let told = self.as_service(service, namespace, |consul| async move { consul.update_check(check, status, text).await });
            match told.await {
                Err(error) if error.is_transient() && !is_unknown_check(&error) => {
                    // A newer report takes precedence.
                    self.state().reports.entry(id).or_insert((status, output));
                    failed = Some(error);
                }
                Err(error) => tracing::debug!(check = id, %error, "Consul does not take the outcome of a check"),
                Ok(()) => {}
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Consul answers an update of a check that it does not have with an error of its own.
fn is_unknown_check(error: &Error) -> bool {
    matches!(error, Error::Refused { message, .. } if message.contains("nknown check") || message.contains("does not have associated TTL"))
}

async fn keep_in_sync(shared: Arc<Shared>) {
    let mut backoff = Backoff::new(Duration::from_millis(250), LONGEST_PAUSE);
    let mut trouble: Option<Error> = None;
    loop {
        let pause = match shared.pass().await {
            Ok(()) => {
                if trouble.take().is_some() {
                    tracing::info!("services are registered in Consul again");
                }
                backoff.reset();
                ANTI_ENTROPY + shared.random.jitter(ANTI_ENTROPY_JITTER)
            }
            Err(error) => {
                if trouble.as_ref() != Some(&error) {
                    tracing::warn!(%error, "services cannot be registered in Consul; trying on");
                    trouble = Some(error);
                }
                backoff.pause(&*shared.random)
            }
        };
        tokio::select! {
            () = shared.changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl ServiceRegistry for ServiceSync {
    fn set(&self, services: ServiceSet) {
        let list: Vec<Arc<Service>> = services.services.into_iter().map(Arc::new).collect();
        if self.shared.state().wanted.set(services.allocation, list) {
            self.shared.changed.notify_one();
        }
    }

    fn remove(&self, allocation: AllocId) -> BoxFuture<'static, ()> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.shared.state();
            state.watchers.remove(&allocation);
            if !state.wanted.leave(allocation) {
                return Box::pin(std::future::ready(()));
            }
            state.leaving.entry(allocation).or_default().push(sender);
        }
        self.shared.changed.notify_one();
        Box::pin(async move {
            // Out of patience or confirmed: the sync goes on in either case.
            let _ = tokio::time::timeout(REMOVE_PATIENCE, receiver).await;
        })
    }

    fn health(&self, allocation: AllocId, every: Duration) -> watch::Receiver<Arc<Health>> {
        let mut state = self.shared.state();
        let watcher = state.watchers.entry(allocation).or_insert_with(|| Watcher { health: watch::Sender::new(Arc::default()), every });
        // Who has gone no longer sets the pace.
        watcher.every = if watcher.health.receiver_count() == 0 { every } else { watcher.every.min(every) };
        let receiver = watcher.health.subscribe();
        drop(state);
        self.shared.watched.notify_one();
        receiver
    }

    fn report(&self, check_id: &str, status: CheckStatus, output: &str) {
        self.shared.state().reports.insert(check_id.to_owned(), (status, output.to_owned()));
        self.shared.changed.notify_one();
    }

    fn restored(&self) {
        self.shared.state().wanted.restored();
        self.shared.changed.notify_one();
    }
}
