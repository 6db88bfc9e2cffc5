//! Allocations that belong to a node because of their volumes.

use std::ops::Range;

use drover_model::job::TaskGroup;

use super::{Placer, Want, fleet::Row};
use crate::volumes;

/// Whether it asks for volumes that are its own by its number.
pub(super) fn is_numbered(want: &Want) -> bool {
    want.job.group(&want.group).is_some_and(volumes::is_numbered)
}

impl Placer<'_> {
    /// Where the sticky volume of the allocation before is: there, or nowhere. The outer none: it is not bound, since there was none before, or its node
    /// or volume is gone for good. The inner one: that node takes nothing now.
    pub(super) fn bound_to(&self, group: &TaskGroup, want: &Want) -> Option<Option<Row>> {
        let mut sources = volumes::sticky(group).peekable();
        sources.peek()?;
        let node = self.snapshot.node(want.previous.as_ref()?.node_id)?;
        let is_there = |source: &str| node.host_volumes.get(source).is_some_and(|volume| volume.is_dynamic());
        sources.any(is_there).then(|| self.fleet.row(node.id))
    }

    /// Where room may be made for it by force.
    pub(super) fn rows_for(&self, group: &TaskGroup, want: &Want) -> Range<Row> {
        match self.bound_to(group, want) {
            None => 0..self.fleet.len(),
            Some(Some(row)) => row..row + 1,
            Some(None) => 0..0,
        }
    }
}
