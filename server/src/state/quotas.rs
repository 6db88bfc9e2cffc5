//! Quotas, and what namespaces use of them.

use std::sync::Arc;

use drover_model::{
    allocation::Allocation,
    ids::{AllocId, JobKey, Name},
    namespace::Namespace,
    quota::{QuotaUse, StoredQuota},
};
use drover_scheduler::QuotaRoom;

use super::{State, TableId, table::Lowest};

impl State {
    /// By name.
    pub fn quotas(&self) -> impl Iterator<Item = &Arc<StoredQuota>> {
        self.quotas.values()
    }

    pub fn quota(&self, name: &str) -> Option<&Arc<StoredQuota>> {
        self.quotas.get(name)
    }

    /// The name of the quota that counts for a namespace.
    pub fn quota_of(&self, namespace: &str) -> Option<&str> {
        self.namespace(namespace).map(|namespace| namespace.quota.as_str()).filter(|quota| !quota.is_empty())
    }

    /// The namespaces that share a quota.
    pub fn namespaces_under<'a>(&'a self, quota: &'a str) -> impl Iterator<Item = &'a Arc<Namespace>> {
        self.namespaces.values().filter(move |namespace| namespace.quota == quota)
    }

    /// What all namespaces under a quota hold together.
    pub fn quota_use(&self, quota: &str) -> QuotaUse {
        let mut sum = QuotaUse::default();
        self.namespaces_under(quota).filter_map(|namespace| self.quota_use.get(namespace.name.as_str())).for_each(|used| sum.add(used));
        sum
    }

    /// The bytes that the variables of all namespaces under a quota take.
    pub fn variables_under(&self, quota: &str) -> u64 {
        let is_under = |namespace: &str| self.quota_of(namespace) == Some(quota);
        self.variables.values().filter(|row| is_under(&row.namespace)).map(|row| row.sealed.bytes.len() as u64).sum()
    }

    /// What a namespace's quota has left; none when nothing limits it here.
    pub fn quota_room(&self, namespace: &str) -> Option<QuotaRoom> {
        let name = self.quota_of(namespace)?;
        let limit = self.quota(name)?.limit()?.region_limit.clone()?;
        Some(QuotaRoom { name: name.into(), limit, used: self.quota_use(name) })
    }

    pub(crate) fn put_quota(&mut self, quota: StoredQuota) {
        self.quotas.insert(quota.spec.name.as_str().into(), Arc::new(quota));
        self.touch(TableId::Quotas);
    }

    pub(crate) fn remove_quota(&mut self, name: &str) -> Option<Arc<StoredQuota>> {
        let old = self.quotas.remove(name)?;
        self.touch(TableId::Quotas);
        Some(old)
    }

    /// Begins to count what a namespace uses when a quota is given to it, and ends that when it is taken away: clusters without quotas pay nothing for them.
    pub(super) fn count_namespace(&mut self, namespace: &Name) {
        let (limited, counted) = (self.quota_of(namespace).is_some(), self.quota_use.get(namespace).is_some());
        if limited && !counted {
            let used = self.recount(namespace);
            self.quota_use.insert(namespace.clone(), Arc::new(used));
        } else if !limited && counted {
            self.quota_use.remove(namespace);
        }
    }

    fn recount(&self, namespace: &Name) -> QuotaUse {
        let mut used = QuotaUse::default();
        let first = (JobKey::new(namespace.clone(), ""), AllocId::lowest());
        let rows = self.allocations_by_job.from(&first).take_while(|(key, _)| key.namespace == *namespace);
        for allocation in rows.filter_map(|(_, id)| self.allocations.get(id)).filter(|allocation| allocation.holds_resources()) {
            used.add(&QuotaUse::of(&allocation.resources));
        }
        used
    }

    /// An allocation holds other resources than before, or no longer any.
    pub(super) fn change_quota_use(&mut self, old: Option<&Allocation>, new: Option<&Allocation>) {
        let Some(namespace) = old.or(new).map(|allocation| &allocation.namespace) else { return };
        if self.quota_use.get(namespace).is_none() {
            return;
        }
        self.quota_use.change(namespace, |used| {
            if let Some(old) = old {
                used.remove(&QuotaUse::of(&old.resources));
            }
            if let Some(new) = new {
                used.add(&QuotaUse::of(&new.resources));
            }
        });
    }
}
