//! From the decisions for a group to what is to be placed.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::allocation::Allocation;

use super::{Member, Replacement, Work};
use crate::{
    place::Want,
    reconcile::{names::Names, standing::is_current},
};

impl Work<'_, '_> {
    fn want(&self, name: &Arc<str>) -> Want {
        Want {
            name: Arc::clone(name),
            job: Arc::clone(self.job),
            group: self.group.name.clone(),
            canary: false,
            deployment: self.rollout.id_for(&self.group.name),
            previous: None,
            tracker: None,
            replaces: false,
        }
    }

    /// Replacements of what was lost, moved or failed. As long as the new version is on trial, or its roll-out is halted, they run what they ran.
    pub(super) fn want_replacements(&mut self, ready: bool) {
        for Replacement { old, canary, tracker } in std::mem::take(&mut self.replacements) {
            let keeps_version = !ready && !canary && !is_current(&old, self.job) && old.group().is_some();
            let want = self.want(&old.name);
            let want = if keeps_version { Want { job: Arc::clone(&old.job), deployment: None, ..want } } else { want };
            if tracker.is_none() && !canary && old.desired_transition.migrate != Some(true) {
                self.desired.place += 1;
            }
            self.out.wants.push(Want { previous: Some(old), canary, tracker, ..want });
        }
    }

    /// Canaries have the names of those that they will replace. Where there are more of them, they get others that nobody will have after their promotion.
    pub(super) fn want_canaries(&mut self, count: usize, outdated: &[Arc<Allocation>], staying: &[Member]) {
        if count == 0 {
            return;
        }
        let mut taken = Names::default();
        let replaced: BTreeSet<_> = outdated.iter().map(|old| old.id).collect();
        let stays = staying.iter().filter(|member| !replaced.contains(&member.allocation.id));
        stays.chain(&self.canaries).for_each(|member| taken.take(&member.allocation));
        let replaced = self.out.wants.iter().filter(|want| want.canary && want.group == self.group.name);
        replaced.filter_map(|want| want.previous.as_ref()).for_each(|old| taken.take(old));
        let mut indexes = outdated.iter().filter_map(|old| old.index());
        for _ in 0..count {
            let index = indexes.find(|index| taken.is_free(*index)).unwrap_or_else(|| taken.next());
            taken.take_index(index);
            let name = self.group.allocation_name(&self.job.id, index).into();
            self.out.wants.push(Want { canary: true, ..self.want(&name) });
        }
        self.desired.canary += u32::try_from(count).unwrap_or(u32::MAX);
    }

    pub(super) fn want_missing(&mut self, count: usize, names: &mut Names) {
        for _ in 0..count {
            let name = self.group.allocation_name(&self.job.id, names.next()).into();
            self.out.wants.push(self.want(&name));
        }
        self.desired.place += u32::try_from(count).unwrap_or(u32::MAX);
    }

    pub(super) fn want_updates(&mut self, outdated: Vec<Arc<Allocation>>) {
        self.desired.destructive_update += u32::try_from(outdated.len()).unwrap_or(u32::MAX);
        for old in outdated {
            let want = self.want(&old.name);
            self.out.wants.push(Want { previous: Some(old), replaces: true, ..want });
        }
    }

    /// They take part in the roll-out: their health is watched anew.
    pub(super) fn update_in_place(&mut self, outdated: Vec<Arc<Allocation>>) {
        self.desired.in_place_update += u32::try_from(outdated.len()).unwrap_or(u32::MAX);
        let deployment = self.rollout.id_for(&self.group.name);
        for old in outdated {
            let mut update = Allocation::clone(&old);
            update.job = Arc::clone(self.job);
            update.eval_id = self.case.evaluation.id;
            update.modify_time = self.case.now;
            if deployment != update.deployment_id {
                update.deployment_id = deployment;
                update.deployment_status = None;
            }
            self.out.updates.push(update);
        }
    }
}
