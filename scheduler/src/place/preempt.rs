//! Room by force: allocations of less important jobs make way.

use std::{cmp::Reverse, ops::Range, sync::Arc};

use drover_model::allocation::{AllocMetric, Allocation};

use super::{
    Placer, Want,
    fleet::{Fleet, Row},
    search::{Pick, Search},
};
use crate::fit::{Usage, exceeds, slots};

/// A job gives way only to one that is more important by at least so much.
const PRIORITY_GAP: u8 = 10;

/// What making room on a node would cost.
struct Sacrifice {
    /// The highest priority among the victims, and their number.
    cost: (u8, usize),
    row: Row,
    victims: Vec<Arc<Allocation>>,
}

impl Placer<'_> {
    /// Makes room on that of the rows where it costs least, if the operator lets jobs of this kind do so.
    pub(super) fn preempt(
        &mut self,
        search: &mut Search<'_>,
        want: &Want,
        survey: &Arc<AllocMetric>,
        rows: Range<Row>,
    ) -> Option<Allocation> {
        let priority = want.job.priority.checked_sub(PRIORITY_GAP)?;
        if !self.config.preemption.allowed_for(want.job.kind) || Self::is_kept_by_quota(search) {
            return None;
        }
        let mut best: Option<Sacrifice> = None;
        for row in rows.filter(|row| search.is_feasible(*row) && !search.shares_host(*row) && search.violates(*row).is_none()) {
            let mut candidates = self.snapshot.node_allocations(self.fleet.node(row).id);
            candidates.retain(|other| {
                other.job.priority <= priority
                    && other.job_key() != want.job.key()
                    && !other.is_server_terminal()
                    && !self.leaving.contains(&other.id)
            });
            let Some(victims) = victims(search, &self.fleet, row, candidates) else { continue };
            let cost = (victims.iter().map(|victim| victim.job.priority).max().unwrap_or(0), victims.len());
            if best.as_ref().is_none_or(|least| cost < least.cost) {
                best = Some(Sacrifice { cost, row, victims });
            }
        }
        let Sacrifice { row, victims, .. } = best?;
        victims.iter().for_each(|victim| self.release(victim));
        search.exhausted.remove(&row);
        let pick = Pick { row, parts: search.parts(&self.fleet, row) };
        let mut allocation = self.take(search, want, pick, survey, Some(&[])).ok()?;
        allocation.preempted_allocations = victims.iter().map(|victim| victim.id).collect();
        self.evicted.extend(victims.into_iter().map(|victim| (victim, allocation.id)));
        Some(allocation)
    }
}

/// Those on a node that have to go for one more of the group: as few and as unimportant as possible. None if even all of them would not do.
fn victims(search: &Search<'_>, fleet: &Fleet<'_>, row: Row, mut candidates: Vec<Arc<Allocation>>) -> Option<Vec<Arc<Allocation>>> {
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
    let has_slot = fleet.allocations(row).saturating_sub(freed.allocations) < slots(node);
    if !has_slot || exceeds(&search.ask.amounts_on(node), &free).is_some() {
        return false;
    }
    if search.ask.is_plain() {
        return true;
    }
    let mut exclusive = fleet.exclusive(row).clone();
    gone.iter().for_each(|allocation| exclusive.remove(allocation));
    search.ask.assign(node, &exclusive, 0).is_ok()
}
