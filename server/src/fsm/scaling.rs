//! Counts that are changed from outside, with what is said about it.

use std::collections::BTreeMap;

use drover_model::{job::StoredScaling, json::List};

use super::{Change, Done, Refusal, command::ScaleStep};

/// Events that are kept of a group. A constant, because every server has to forget the same.
const TRACKED_EVENTS: usize = 20;

impl Change<'_> {
    pub(super) fn job_scale(&mut self, step: ScaleStep) -> Done {
        let ScaleStep { key, group, mut event, job, enforce, evaluation } = step;
        match job {
            Some(job) => self.job_register(job, None, enforce, evaluation)?,
            None => {
                let found = self.state.job(&key).map_or(0, |known| known.job_modify_index);
                if enforce.is_some_and(|expected| expected != found) {
                    return Err(Refusal::Conflict { found });
                }
            }
        }
        let Some(job) = self.state.job(&key) else { return Err(Refusal::not_found("job")) };
        event.create_index = self.index;
        event.time = self.at;
        let known = self.state.scaling(&key).map(|stored| stored.groups.clone()).unwrap_or_default();
        // Groups that the job has no longer take their events with them.
        let mut groups: BTreeMap<_, _> = known.into_iter().filter(|(name, _)| job.group(name).is_some()).collect();
        let List(events) = groups.entry(group).or_default();
        events.insert(0, event);
        events.truncate(TRACKED_EVENTS);
        self.state.put_scaling(StoredScaling { key, groups });
        Ok(())
    }
}
