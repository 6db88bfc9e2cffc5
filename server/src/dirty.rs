//! Things that somebody has to look at again.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

/// A set that is filled by those who change things and emptied by the one who looks after them. However often one thing changes, it is in it once.
#[derive(Debug)]
pub struct Dirty<T> {
    items: Mutex<BTreeSet<T>>,
    added: Notify,
}

impl<T> Default for Dirty<T> {
    fn default() -> Self {
        Self { items: Mutex::default(), added: Notify::new() }
    }
}

impl<T: Ord> Dirty<T> {
    pub fn add(&self, item: T) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).insert(item);
        self.added.notify_one();
    }

    pub fn extend(&self, items: impl IntoIterator<Item = T>) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).extend(items);
        self.added.notify_one();
    }

    /// What is in it now.
    pub fn take(&self) -> BTreeSet<T> {
        std::mem::take(&mut self.items.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something is in it. For one waiter at a time.
    pub async fn wait(&self) {
        loop {
            let notified = self.added.notified();
            if !self.items.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            notified.await;
        }
    }
}
