//! The subscriptions of one task and the newest value of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;

use crate::dependency::Dependency;
use crate::engine::View;
use crate::limits::DEPENDENCIES;
use crate::source::{Observed, Source, SourceError, Subscription};

/// A change, or the end of a subscription that was left.
type Change = Result<(Dependency, Option<Subscription>), futures::future::Aborted>;

/// What a watcher saw.
pub(super) struct Update {
    /// The value differs from the last one.
    pub(super) is_new: bool,
    pub(super) error: Option<SourceError>,
}

pub(super) struct Watches {
    source: Arc<dyn Source>,
    view: View,
    /// One waiting future per dependency.
    waiting: FuturesUnordered<BoxFuture<'static, Change>>,
    handles: BTreeMap<Dependency, AbortHandle>,
    /// Seen, not yet taken.
    seen: BTreeMap<Dependency, Observed>,
}

impl Watches {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self { source, view: View::new(), waiting: FuturesUnordered::new(), handles: BTreeMap::new(), seen: BTreeMap::new() }
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Joins the watchers of all that are new. True if one of them has a value already.
    pub(super) fn subscribe(&mut self, wanted: &BTreeSet<Dependency>, previous: Option<&[u8]>) -> Result<bool, SourceError> {
        let mut arrived = false;
        for dependency in wanted {
            if self.handles.contains_key(dependency) {
                continue;
            }
            if self.handles.len() >= DEPENDENCIES {
                return Err(SourceError::permanent(format!("more than {DEPENDENCIES} dependencies in one task")));
            }
            let mut subscription = match (dependency, previous) {
                (Dependency::PkiCert { .. }, Some(previous)) => self.source.subscribe_certificate(dependency, previous),
                _ => self.source.subscribe(dependency),
            };
            let observed = subscription.borrow_and_update().clone();
            if let Some(data) = observed.data.clone() {
                self.view.insert(dependency.clone(), data);
                arrived = true;
            }
            if observed.error.is_some() {
                self.seen.insert(dependency.clone(), observed);
            }
            self.listen(dependency.clone(), subscription);
        }
        Ok(arrived)
    }

    fn listen(&mut self, dependency: Dependency, mut subscription: Subscription) {
        let (handle, registration) = AbortHandle::new_pair();
        self.handles.insert(dependency.clone(), handle);
        let change = async move {
            let open = subscription.changed().await.is_ok();
            (dependency, open.then_some(subscription))
        };
        self.waiting.push(Box::pin(Abortable::new(change, registration)));
    }

    /// The next dependency that has news. Never ends while nothing changes; safe to drop.
    pub(super) async fn changed(&mut self) -> Option<Dependency> {
        loop {
            if let Some(dependency) = self.seen.keys().next() {
                return Some(dependency.clone());
            }
            match self.waiting.next().await {
                Some(change) => self.take_change(change),
                None => std::future::pending().await,
            }
        }
    }

    /// A dependency that has news right now.
    pub(super) fn changed_already(&mut self) -> Option<Dependency> {
        use futures::FutureExt as _;
        while let Some(Some(change)) = self.waiting.next().now_or_never() {
            self.take_change(change);
        }
        self.seen.keys().next().cloned()
    }

    fn take_change(&mut self, change: Change) {
        // A watcher that is gone sends nothing more; its last value stays, and so does its handle, lest it be started again at once.
        if let Ok((dependency, Some(mut subscription))) = change {
            let observed = subscription.borrow_and_update().clone();
            self.seen.insert(dependency.clone(), observed);
            self.listen(dependency, subscription);
        }
    }

    /// Puts what was seen into the view.
    pub(super) fn take_update(&mut self, dependency: &Dependency) -> Update {
        let Some(observed) = self.seen.remove(dependency) else { return Update { is_new: false, error: None } };
        let is_new = match observed.data {
            // Writing the same value again changes nothing.
            Some(data) if self.view.get(dependency).is_none_or(|present| *present != data) => {
                self.view.insert(dependency.clone(), data);
                true
            }
            _ => false,
        };
        Update { is_new, error: observed.error }
    }

    /// Leaves the watchers that no template needs any more.
    pub(super) fn keep(&mut self, used: &BTreeSet<&Dependency>) {
        self.handles.retain(|dependency, handle| {
            let kept = used.contains(dependency);
            if !kept {
                handle.abort();
            }
            kept
        });
        self.view.retain(|dependency, _| used.contains(dependency));
        self.seen.retain(|dependency, _| used.contains(dependency));
    }
}
