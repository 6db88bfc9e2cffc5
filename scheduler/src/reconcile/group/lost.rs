//! What is lost: its node is down or gone. It may still run there, where nobody sees it, until its client stops it; a group can have the replacement wait for that
//! (`stop_on_client_after`).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use drover_model::{
    allocation::{Allocation, ClientStatus},
    evaluation::Trigger,
    ids::Name,
    job::TaskGroup,
};

use super::{Member, Work};
use crate::reconcile::{
    Case,
    followup::{self, Reason},
    lost,
};

fn delay(group: &TaskGroup) -> Option<Duration> {
    let by_strategy = group.disconnect.as_ref().and_then(|strategy| strategy.stop_on_client_after);
    by_strategy.or(group.stop_after_client_disconnect).filter(|delay| !delay.is_zero())
}

/// Whether what takes the place of a lost allocation still has to wait.
pub(super) fn is_awaited(case: Case<'_>, group: &TaskGroup, allocation: &Allocation) -> bool {
    let Some(delay) = delay(group) else { return false };
    let is_lost = allocation.client_status == ClientStatus::Lost && allocation.is_server_terminal() && allocation.next_allocation.is_none();
    // The evaluation for that moment may be a little early, since several moments share one.
    let another = allocation.followup_eval_id.is_some_and(|id| id != case.evaluation.id);
    is_lost && another && allocation.modify_time.plus(delay) > case.now
}

impl Work<'_, '_> {
    /// At most `room` of them are replaced, now or later, and none whose name is `held`: another one has its place.
    pub(super) fn take_leave_of(&mut self, gone: Vec<Member>, mut room: usize, mut held: BTreeSet<Name>) {
        let later = delay(self.group);
        let mut moments = Vec::new();
        for Member { allocation, .. } in gone {
            let is_replaced = room > 0 && held.insert(allocation.name.clone());
            room -= usize::from(is_replaced);
            match later {
                Some(delay) if is_replaced => {
                    moments.push((self.case.now.plus(delay), allocation));
                    continue;
                }
                None if is_replaced => self.replace(&allocation, false, None),
                _ => self.desired.stop += 1,
            }
            self.out.stops.push(lost(&allocation));
        }
        self.awaited += moments.len();
        let reason = Reason { trigger: Trigger::MaxDisconnectTimeout, description: followup::DELAYED_DISCONNECT };
        for (id, allocation) in followup::schedule(self.case, moments, &reason, self.stream, &mut self.out.followups) {
            let mut stopped = lost(&allocation);
            stopped.stop.followup_eval = Some(id);
            self.out.stops.push(stopped);
            self.desired.stop += 1;
        }
    }
}

/// Those of a group whose replacements still have to wait.
pub(super) fn awaited(case: Case<'_>, group: &TaskGroup, allocations: &[Arc<Allocation>]) -> usize {
    allocations.iter().filter(|allocation| is_awaited(case, group, allocation)).count()
}
