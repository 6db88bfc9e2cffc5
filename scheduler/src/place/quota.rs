//! What a plan may take of its namespace's quota.

use std::sync::Arc;

use drover_model::{
    allocation::{AllocMetric, Allocation},
    quota::QuotaUse,
    resources::AllocatedResources,
};

use super::{Placer, Want, metric, search::Search};
use crate::fit::Misfit;

impl Placer<'_> {
    /// What the quota has too little of for one more of the group, on whichever node.
    pub(super) fn beyond_quota(&self, search: &Search<'_>, want: &Want) -> Option<String> {
        self.quota.as_ref()?.shortage(&search.ask.least_quota_use(), &exchanged(want))
    }

    /// The same once ports, cores and devices are chosen. Which device was chosen decides whose limit it counts for.
    pub(super) fn check_quota(&self, want: &Want, resources: &AllocatedResources) -> Result<(), Misfit> {
        let Some(quota) = self.quota.as_ref().filter(|quota| !quota.limit.devices.is_empty()) else { return Ok(()) };
        if quota.shortage(&QuotaUse::of(resources), &exchanged(want)).is_none() { Ok(()) } else { Err(Misfit::Quota) }
    }

    pub(super) fn take_of_quota(&mut self, allocation: &Allocation) {
        if let Some(quota) = &mut self.quota {
            quota.take(allocation);
        }
    }

    /// What leaves of the job itself makes room in the quota. What is evicted of others does not: nobody is stopped for the sake of a quota.
    pub(super) fn give_back_to_quota(&mut self, allocation: &Allocation) {
        let own = allocation.job_id == self.evaluation.job_id && allocation.namespace == self.evaluation.namespace;
        if let Some(quota) = self.quota.as_mut().filter(|_| own && allocation.holds_resources()) {
            quota.give_back(allocation);
        }
    }

    /// The quota that was reached, once something was not placed for it.
    pub(crate) fn quota_reached(&self) -> Option<&str> {
        self.quota.as_ref().filter(|_| self.quota_reached).map(|quota| &*quota.name)
    }

    pub(super) fn note_shortage(&mut self, survey: &Arc<AllocMetric>, want: &Want, shortage: String) {
        self.quota_reached = true;
        *self.queued.entry(want.group.clone()).or_default() += 1;
        match self.failed.get_mut(&want.group) {
            Some(metric) => metric::coalesce(metric),
            None => {
                let metric = AllocMetric { quota_exhausted: vec![shortage].into(), ..(**survey).clone() };
                self.failed.insert(want.group.clone(), metric);
            }
        }
    }

    /// Whether devices turned out to be beyond the quota.
    pub(super) fn is_kept_by_quota(search: &Search<'_>) -> bool {
        search.exhausted.values().any(|misfit| *misfit == Misfit::Quota)
    }
}

/// What leaves for it.
fn exchanged(want: &Want) -> QuotaUse {
    let old = want.previous.as_ref().filter(|old| want.replaces && old.holds_resources());
    old.map(|old| QuotaUse::of(&old.resources)).unwrap_or_default()
}
