//! Whom to stop when there are too many.

use std::{cmp::Reverse, collections::BTreeSet};

use drover_model::{allocation::Allocation, ids::Name, job::Job};

use super::{
    group::Member,
    standing::{Standing, is_current},
};

/// Takes those out that are too many. The first to go have a name that a newer allocation has as well (a canary that was promoted). Where that leaves more than
/// `count`, those follow that do not run anyhow, and names beyond the count, the highest first: so the names that stay are `0..count`.
pub(super) fn excess(members: &mut Vec<Member>, job: &Job, count: u32) -> Vec<Member> {
    let mut stopped = take_doubles(members, job);
    let excess = members.len().saturating_sub(count as usize);
    if excess == 0 {
        return stopped;
    }
    let mut order: Vec<usize> = (0..members.len()).filter(|at| members[*at].standing != Standing::Done).collect();
    order.sort_by_key(|at| rank(&members[*at], job, count));
    let mut chosen: Vec<usize> = order.into_iter().take(excess).collect();
    chosen.sort_unstable();
    stopped.extend(chosen.into_iter().rev().map(|at| members.remove(at)));
    stopped
}

/// Of those with one name the older ones.
fn take_doubles(members: &mut Vec<Member>, job: &Job) -> Vec<Member> {
    if members.iter().all(|member| is_current(&member.allocation, job)) {
        return Vec::new();
    }
    let newest: BTreeSet<Name> = members.iter().filter(|member| is_current(&member.allocation, job)).map(name).collect();
    let is_double = |member: &mut Member| {
        newest.contains(&member.allocation.name) && !is_current(&member.allocation, job) && member.standing != Standing::Done
    };
    members.extract_if(.., is_double).collect()
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
