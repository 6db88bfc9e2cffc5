//! The decisions for one group of a service or batch job.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use drover_model::{
    allocation::{AllocState, Allocation, ClientStatus, RescheduleTracker, description},
    deployment::DeploymentState,
    evaluation::Trigger,
    ids::Name,
    job::{Job, TaskGroup, UpdateStrategy},
    plan::DesiredUpdates,
    time::{Rfc3339, UnixNanos},
};

use super::{
    Case, Reconciled,
    change::{self, Change},
    followup::{self, Reason},
    names::Names,
    reconnect, reschedule,
    rollout::Rollout,
    scale,
    standing::{self, STATUS_FIELD, Standing, Tolerance, is_current},
    stop,
};
use crate::inputs::Stream;

pub(super) struct Subject<'a> {
    pub(super) case: Case<'a>,
    pub(super) job: &'a Arc<Job>,
    pub(super) group: &'a TaskGroup,
    pub(super) allocations: Vec<Arc<Allocation>>,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) allocation: Arc<Allocation>,
    pub(super) standing: Standing,
}

/// What is to be replaced, and by what.
struct Replacement {
    old: Arc<Allocation>,
    canary: bool,
    tracker: Option<RescheduleTracker>,
}

mod lost;
mod wants;

/// A group on its way to a plan.
struct Work<'a, 'o> {
    case: Case<'a>,
    job: &'a Arc<Job>,
    group: &'a TaskGroup,
    rollout: &'o mut Rollout,
    stream: &'o mut Stream,
    out: &'o mut Reconciled,
    /// Those that make up the count.
    members: Vec<Member>,
    canaries: Vec<Member>,
    replacements: Vec<Replacement>,
    desired: DesiredUpdates,
    /// Whether some allocation ran this version before.
    has_run: bool,
    /// Lost ones whose replacements have to wait.
    awaited: usize,
}

/// Plans one group. The answer is whether nothing is left to do.
pub(super) fn plan(subject: Subject<'_>, rollout: &mut Rollout, stream: &mut Stream, out: &mut Reconciled) -> bool {
    let Subject { case, job, group, allocations } = subject;
    let has_run = allocations.iter().any(|allocation| is_current(allocation, job));
    let awaited = lost::awaited(case, group, &allocations);
    let standing = |allocation: Arc<Allocation>| {
        let standing = standing::of(case, job, group, &allocation, rollout);
        Member { allocation, standing }
    };
    let all: Vec<_> = allocations.into_iter().map(standing).filter(|member| member.standing != Standing::Gone).collect();
    let mut work = Work {
        case,
        job,
        group,
        rollout,
        stream,
        out,
        members: Vec::new(),
        canaries: Vec::new(),
        replacements: Vec::new(),
        desired: DesiredUpdates::default(),
        has_run,
        awaited,
    };
    work.sort(all);
    work.stop_reconnected();
    work.stop_excess();
    work.replace_canaries();
    let settled = work.update_and_place();
    let desired = work.desired;
    out.desired.insert(group.name.clone(), desired);
    settled
}

/// The allocation is unknown from now on; where that is tolerated for a time only, an evaluation follows.
pub(super) fn note_unknown(
    case: Case<'_>,
    allocation: &Arc<Allocation>,
    until: Option<UnixNanos>,
    stream: &mut Stream,
    out: &mut Reconciled,
) {
    let mut update = Allocation::clone(allocation);
    update.client_status = ClientStatus::Unknown;
    update.client_description = description::UNKNOWN.into();
    let value = ClientStatus::Unknown.as_str().to_owned();
    update.alloc_states.push(AllocState { field: STATUS_FIELD.to_owned(), value, time: Rfc3339(case.now) });
    if let Some(until) = until {
        let reason = Reason { trigger: Trigger::MaxDisconnectTimeout, description: followup::DELAYED_DISCONNECT };
        let moments = vec![(until, Arc::clone(allocation))];
        let assigned = followup::schedule(case, moments, &reason, stream, &mut out.followups);
        update.followup_eval_id = assigned.first().map(|(id, _)| *id);
    }
    out.updates.push(update);
}

impl Work<'_, '_> {
    fn sort(&mut self, all: Vec<Member>) {
        let promoted = self.rollout.state(&self.group.name).is_some_and(|state| state.promoted);
        for member in all {
            let allocation = &member.allocation;
            let is_canary = !promoted && self.rollout.has_canary(allocation);
            let is_outdated = allocation.is_canary() && !is_current(allocation, self.job);
            if is_outdated || (is_canary && self.rollout.has_failed()) {
                self.stop(&member, description::NOT_NEEDED);
            } else if is_canary {
                self.canaries.push(member);
            } else {
                self.members.push(self.with_another_chance(member));
            }
        }
    }

    /// What failed for good in an older version is tried again in the newest one.
    fn with_another_chance(&self, member: Member) -> Member {
        let allocation = &member.allocation;
        if member.standing != Standing::Held || is_current(allocation, self.job) {
            return member;
        }
        match self.case.snapshot.node(allocation.node_id).map(|node| change::of(allocation, self.job, self.group, node)) {
            Some(Change::Destructive) => member,
            _ => Member { standing: Standing::Renews, ..member },
        }
    }

    fn stop(&mut self, member: &Member, why: &str) {
        let stopped = if member.standing == Standing::Lost { super::lost(&member.allocation) } else { stop(&member.allocation, why) };
        self.out.stops.push(stopped);
        self.desired.stop += 1;
    }

    /// Of two with one name, because one had been out of reach, one stays.
    fn stop_reconnected(&mut self) {
        // Where nothing was out of reach, no name is held twice for that, and a large job need not be searched for it.
        if !self.members.iter().any(|member| standing::was_unknown(&member.allocation)) {
            return;
        }
        reconnect::count_once(&mut self.members);
        let running: Vec<_> =
            self.members.iter().filter(|member| member.standing == Standing::Runs).map(|member| Arc::clone(&member.allocation)).collect();
        let mut losers = reconnect::losers(self.job, self.group, &running);
        losers.extend(reconnect::superfluous(&self.members));
        if losers.is_empty() {
            return;
        }
        self.desired.reconnect += u32::try_from(losers.len()).unwrap_or(u32::MAX);
        let (stopped, stay) = std::mem::take(&mut self.members).into_iter().partition(|member| losers.contains(&member.allocation.id));
        self.members = stay;
        let stopped: Vec<Member> = stopped;
        stopped.iter().for_each(|member| self.stop(member, description::RECONNECTED));
    }

    /// Whether the group has it replaced, so that it does not count itself. The replacement may be there already.
    fn is_replaced_while_unknown(&self, member: &Member) -> bool {
        matches!(member.standing, Standing::Unknown | Standing::Disconnects { .. }) && Tolerance::of(self.group).replace
    }

    fn stop_excess(&mut self) {
        let is_gone = |member: &Member| member.standing == Standing::Lost;
        let (gone, present): (Vec<_>, Vec<_>) = std::mem::take(&mut self.members).into_iter().partition(is_gone);
        let (unknown, mut present): (Vec<_>, Vec<_>) = present.into_iter().partition(|member| self.is_replaced_while_unknown(member));
        for member in scale::excess(&mut present, self.job, self.group.count) {
            self.stop(&member, description::NOT_NEEDED);
        }
        let mut room = (self.group.count as usize).saturating_sub(present.len());
        self.members = present;
        if unknown.is_empty() && gone.is_empty() {
            return;
        }
        let mut held: BTreeSet<Name> = self.members.iter().map(|member| member.allocation.name.clone()).collect();
        for member in unknown {
            // Its replacement may be there already, or what followed that one.
            if room > 0 && held.insert(member.allocation.name.clone()) {
                room -= 1;
                self.replace(&member.allocation, false, None);
            }
            self.disconnect(&member);
            self.out.kept.push(member.allocation);
        }
        self.take_leave_of(gone, room, held);
    }

    /// Notes that an allocation is out of reach, and until when that is tolerated.
    fn disconnect(&mut self, member: &Member) {
        let Standing::Disconnects { until } = member.standing else { return };
        self.desired.disconnect += 1;
        note_unknown(self.case, &member.allocation, until, self.stream, self.out);
    }

    fn replace(&mut self, old: &Arc<Allocation>, canary: bool, tracker: Option<RescheduleTracker>) {
        self.replacements.push(Replacement { old: Arc::clone(old), canary, tracker });
    }

    /// Stops a member whose place another one takes, if it is such a one.
    fn leave(&mut self, member: &Member, canary: bool) -> bool {
        let allocation = &member.allocation;
        match member.standing {
            Standing::Migrate => {
                self.out.stops.push(stop(allocation, description::MIGRATING));
                self.desired.migrate += 1;
                // Who asked for it to be rescheduled wants it elsewhere, as after a failure.
                let elsewhere = allocation.desired_transition.reschedule == Some(true);
                let policy = self.group.reschedule_policy.as_ref();
                let tracker = elsewhere.then(|| reschedule::tracker(policy, allocation, self.case.now, Duration::ZERO));
                self.replace(allocation, canary, tracker);
            }
            Standing::RescheduleNow { delay } => {
                self.out.stops.push(stop(allocation, description::RESCHEDULED));
                self.desired.reschedule_now += 1;
                let tracker = reschedule::tracker(self.group.reschedule_policy.as_ref(), allocation, self.case.now, delay);
                self.replace(allocation, canary, Some(tracker));
            }
            Standing::Renews => {
                self.out.stops.push(stop(allocation, description::UPDATING));
                self.replace(allocation, canary, None);
            }
            Standing::Lost => {
                self.out.stops.push(super::lost(allocation));
                self.replace(allocation, canary, None);
            }
            _ => return false,
        }
        true
    }

    fn replace_canaries(&mut self) {
        for member in std::mem::take(&mut self.canaries) {
            if !self.leave(&member, true) {
                self.disconnect(&member);
                self.out.kept.push(Arc::clone(&member.allocation));
                self.canaries.push(member);
            }
        }
        self.reschedule_later(&self.canaries.clone());
    }

    fn reschedule_later(&mut self, members: &[Member]) {
        let mut moments = Vec::new();
        for member in members {
            let Standing::RescheduleLater { at } = member.standing else { continue };
            self.desired.reschedule_later += 1;
            // An evaluation for it exists already.
            if member.allocation.followup_eval_id.is_none() {
                moments.push((at, Arc::clone(&member.allocation)));
            }
        }
        let reason = Reason { trigger: Trigger::AllocFailure, description: followup::DELAYED_RESCHEDULE };
        for (id, allocation) in followup::schedule(self.case, moments, &reason, self.stream, &mut self.out.followups) {
            self.out.updates.push(Allocation { followup_eval_id: Some(id), ..Allocation::clone(&allocation) });
        }
    }

    /// The answer is whether nothing is left to do.
    fn update_and_place(&mut self) -> bool {
        let (destructive, in_place) = self.changes();
        self.out.passing.extend(destructive.iter().map(|allocation| allocation.id));
        let missing = (self.group.count as usize).saturating_sub(self.members.len() + self.filling() + self.awaited);
        let wanted_canaries = self.wanted_canaries(!destructive.is_empty());
        self.begin_rollout(wanted_canaries, !destructive.is_empty() || !in_place.is_empty());
        let is_canarying = wanted_canaries > 0 || self.awaits_promotion();
        let ready = !self.rollout.is_halted() && !is_canarying;
        let settled = destructive.is_empty()
            && in_place.is_empty()
            && missing + self.awaited == 0
            && self.replacements.is_empty()
            && !self.members.iter().any(|member| self.has_to_go(member));

        let mut names = Names::default();
        let staying = self.let_go(&mut names);
        let missing = if ready { missing } else { 0 };
        let allowed = self.allowed_at_once(ready, missing);
        let outdated: Vec<_> = destructive.iter().take(allowed).cloned().collect();
        let untouched = staying.len() - outdated.len() - in_place.len();
        self.desired.ignore += u32::try_from(untouched + self.canaries.len()).unwrap_or(u32::MAX);
        let waiting: Vec<_> = staying.iter().filter(|member| !outdated.iter().any(|old| old.id == member.allocation.id)).cloned().collect();
        self.reschedule_later(&waiting);
        self.want_replacements(ready);
        self.want_canaries(wanted_canaries, &destructive, &staying);
        self.want_missing(missing, &mut names);
        self.want_updates(outdated);
        self.update_in_place(in_place);
        settled
    }

    /// Takes leave of the members whose place others take. The answer is those that stay.
    fn let_go(&mut self, names: &mut Names) -> Vec<Member> {
        let mut staying = Vec::with_capacity(self.members.len());
        for member in std::mem::take(&mut self.members) {
            names.take(&member.allocation);
            if self.leave(&member, false) {
                continue;
            }
            self.disconnect(&member);
            self.out.kept.push(Arc::clone(&member.allocation));
            staying.push(member);
        }
        self.replacements.iter().filter(|replacement| !replacement.canary).for_each(|replacement| names.take(&replacement.old));
        staying
    }

    /// Whether another one takes its place, now or as a part of the roll-out later.
    fn has_to_go(&self, member: &Member) -> bool {
        match member.standing {
            Standing::Migrate | Standing::Renews | Standing::RescheduleNow { .. } => true,
            Standing::RescheduleLater { .. } => self.rollout.owns(&member.allocation),
            _ => false,
        }
    }

    /// How many of the replacements count as members.
    fn filling(&self) -> usize {
        self.replacements.iter().filter(|replacement| !replacement.canary).count()
    }

    /// What the newest version means for those that run an older one: (destructive, in place).
    fn changes(&self) -> (Vec<Arc<Allocation>>, Vec<Arc<Allocation>>) {
        let (mut destructive, mut in_place) = (Vec::new(), Vec::new());
        for member in self.members.iter().filter(|member| !is_current(&member.allocation, self.job)) {
            let stays = matches!(member.standing, Standing::Runs | Standing::Held | Standing::RescheduleLater { .. });
            let Some(node) = self.case.snapshot.node(member.allocation.node_id).filter(|_| stays) else { continue };
            match change::of(&member.allocation, self.job, self.group, node) {
                Change::Destructive => destructive.push(Arc::clone(&member.allocation)),
                Change::InPlace => in_place.push(Arc::clone(&member.allocation)),
                Change::Renewal => {}
            }
        }
        // What has failed anyhow goes first, then in the order of names.
        destructive.sort_by_key(|allocation| (!allocation.is_client_terminal(), allocation.index(), allocation.id));
        (destructive, in_place)
    }

    fn strategy(&self) -> Option<&UpdateStrategy> {
        self.group.update.as_ref().filter(|strategy| strategy.rolls())
    }

    fn awaits_promotion(&self) -> bool {
        self.rollout.state(&self.group.name).is_some_and(|state| state.desired_canaries > 0 && !state.promoted)
    }

    /// How many canaries have to be placed in this step.
    fn wanted_canaries(&self, has_destructive: bool) -> usize {
        let Some(strategy) = self.strategy().filter(|_| !self.rollout.is_halted()) else { return 0 };
        let desired = match self.rollout.state(&self.group.name) {
            Some(state) if state.promoted => 0,
            // Also when nothing is left of what they are compared with: nobody could promote them otherwise.
            Some(state) => state.desired_canaries,
            None if self.rollout.may_begin() && has_destructive => strategy.canary,
            None => 0,
        };
        let replaced = self.replacements.iter().filter(|replacement| replacement.canary).count();
        (desired as usize).saturating_sub(self.canaries.len() + replaced)
    }

    /// A deployment begins with the first run of a version, and with one that changes what runs.
    fn begin_rollout(&mut self, canaries: usize, changes: bool) {
        let Some(strategy) = self.strategy() else { return };
        if !self.rollout.may_begin() || self.group.count == 0 || (self.has_run && !changes) {
            return;
        }
        let state = DeploymentState {
            auto_revert: strategy.auto_revert,
            auto_promote: strategy.auto_promote,
            desired_canaries: if canaries > 0 { strategy.canary } else { 0 },
            desired_total: self.group.count,
            progress_deadline: strategy.progress_deadline,
            ..DeploymentState::default()
        };
        self.rollout.begin(&self.group.name, state);
    }

    /// How many may be replaced in this step: `max_parallel` less those of which nobody knows yet whether they are healthy.
    fn allowed_at_once(&self, ready: bool, placed: usize) -> usize {
        let Some(strategy) = self.strategy() else { return usize::MAX };
        if !ready {
            return 0;
        }
        let ours = self.out.kept.iter().filter(|allocation| allocation.task_group == self.group.name && self.rollout.owns(allocation));
        let health: Vec<_> = ours.map(|allocation| allocation.is_healthy()).collect();
        if health.contains(&Some(false)) {
            return 0;
        }
        let unknown = health.iter().filter(|health| health.is_none()).count();
        (strategy.max_parallel as usize).saturating_sub(unknown + placed + self.replacements.len())
    }
}
