//! Room by force: allocations of less important jobs make way.

use std::{cmp::Reverse, sync::Arc};

use drover_model::allocation::Allocation;

use super::{
    fleet::{Fleet, Row},
    search::Search,
};
use crate::fit::{Usage, exceeds};

/// A job gives way only to one that is more important by at least so much.
pub(crate) const PRIORITY_GAP: u8 = 10;

/// Those on a node that have to go for one more of the group: as few and as unimportant as possible. None if even all of them would not do.
pub(super) fn victims(
    search: &Search<'_>,
    fleet: &Fleet<'_>,
    row: Row,
    mut candidates: Vec<Arc<Allocation>>,
) -> Option<Vec<Arc<Allocation>>> {
    candidates.sort_by_key(|allocation| {
        let amounts = allocation.resources.amounts();
        (allocation.job.priority, Reverse((amounts.memory_mib, amounts.cpu_mhz)), allocation.id)
    });
    let mut chosen = Vec::new();
    for candidate in candidates {
        if fits_without(search, fleet, row, &chosen) {
            break;
        }
        chosen.push(candidate);
    }
    if chosen.is_empty() || !fits_without(search, fleet, row, &chosen) {
        return None;
    }
    // The first ones taken may have been too small to matter; the most important of those that are not needed stay.
    for at in (0..chosen.len()).rev() {
        let spared = chosen.remove(at);
        if !fits_without(search, fleet, row, &chosen) {
            chosen.insert(at, spared);
        }
    }
    Some(chosen)
}

fn fits_without(search: &Search<'_>, fleet: &Fleet<'_>, row: Row, gone: &[Arc<Allocation>]) -> bool {
    let node = fleet.node(row);
    let freed = Usage::of(gone.iter().map(Arc::as_ref));
    let free = fleet.capacity(row).minus(fleet.used(row).minus(freed.amounts));
    let slots = node.max_allocs == 0 || fleet.allocations(row).saturating_sub(freed.allocations) < node.max_allocs;
    if !slots || exceeds(&search.ask.amounts_on(node), &free).is_some() {
        return false;
    }
    if search.ask.is_plain() {
        return true;
    }
    let mut exclusive = fleet.exclusive(row).clone();
    gone.iter().for_each(|allocation| exclusive.remove(allocation));
    search.ask.assign(node, &exclusive, 0).is_ok()
}
