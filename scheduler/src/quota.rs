//! How much of its quota a namespace has left. Schedulers and the plan applier ask the same questions here.

use drover_model::{
    allocation::Allocation,
    ids::Name,
    quota::{QuotaUse, RegionLimit},
};

/// A quota as it stands, from the view of those who would place more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaRoom {
    pub name: Name,
    pub limit: RegionLimit,
    /// By all namespaces that share it.
    pub used: QuotaUse,
}

impl QuotaRoom {
    /// What there is too little of for `asked`, in words. `freed` was given back in exchange.
    pub fn shortage(&self, asked: &QuotaUse, freed: &QuotaUse) -> Option<String> {
        self.limit.shortage(&self.used, asked, freed)
    }

    /// An allocation is placed.
    pub fn take(&mut self, allocation: &Allocation) {
        self.used.add(&QuotaUse::of(&allocation.resources));
    }

    /// The inverse of [`Self::take`].
    pub fn give_back(&mut self, allocation: &Allocation) {
        self.used.remove(&QuotaUse::of(&allocation.resources));
    }
}
