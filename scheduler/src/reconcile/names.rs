//! Which of the names `JOB.GROUP[0]`, `JOB.GROUP[1]`, ... are free.

use std::collections::BTreeSet;

use drover_model::allocation::Allocation;

#[derive(Debug, Default)]
pub(super) struct Names {
    used: BTreeSet<u32>,
    /// Nothing below is free.
    from: u32,
}

impl Names {
    pub(super) fn take(&mut self, allocation: &Allocation) {
        if let Some(index) = allocation.index() {
            self.used.insert(index);
        }
    }

    pub(super) fn take_index(&mut self, index: u32) {
        self.used.insert(index);
    }

    pub(super) fn is_free(&self, index: u32) -> bool {
        !self.used.contains(&index)
    }

    /// The lowest free one.
    pub(super) fn next(&mut self) -> u32 {
        while self.used.contains(&self.from) {
            self.from += 1;
        }
        self.used.insert(self.from);
        self.from
    }
}
