//! Whom to stop when there are too many.

use std::{cmp::Reverse, collections::BTreeSet};

use drover_model::{allocation::Allocation, ids::Name, job::Job};

use super::{
    group::Member,
    standing::{Standing, is_current},
};

/// Takes `excess` of the members out. Those go first whose name a newer allocation has (canaries that were promoted), then those that do not run anyhow, then
/// names beyond the count, the highest first: so the names that stay are `0..count`.
pub(super) fn excess(members: &mut Vec<Member>, excess: usize, job: &Job, count: u32) -> Vec<Member> {
    if excess == 0 {
        return Vec::new();
    }
    let mut stopped = Vec::new();
    take_doubles(members, excess, job, &mut stopped);
    let mut order: Vec<usize> = (0..members.len()).filter(|at| members[*at].standing != Standing::Done).collect();
    order.sort_by_key(|at| rank(&members[*at], job, count));
    let mut chosen: Vec<usize> = order.into_iter().take(excess - stopped.len()).collect();
    chosen.sort_unstable();
    for at in chosen.into_iter().rev() {
        stopped.push(members.remove(at));
    }
    stopped
}

/// Of those with one name the older ones.
fn take_doubles(members: &mut Vec<Member>, excess: usize, job: &Job, stopped: &mut Vec<Member>) {
    let newest: BTreeSet<Name> = members.iter().filter(|member| is_current(&member.allocation, job)).map(name).collect();
    let mut kept = Vec::with_capacity(members.len());
    for member in members.drain(..) {
        let is_double = newest.contains(&member.allocation.name) && !is_current(&member.allocation, job);
        if is_double && stopped.len() < excess && member.standing != Standing::Done { stopped.push(member) } else { kept.push(member) }
    }
    *members = kept;
}

fn name(member: &Member) -> Name {
    member.allocation.name.clone()
}

/// The lowest goes first.
fn rank(member: &Member, job: &Job, count: u32) -> (bool, bool, bool, Reverse<u32>, bool) {
    let allocation: &Allocation = &member.allocation;
    let index = allocation.index().unwrap_or(u32::MAX);
    let (within, runs) = (index < count, matches!(member.standing, Standing::Runs));
    (within, runs, allocation.is_healthy() == Some(true) && within, Reverse(index), is_current(allocation, job))
}
