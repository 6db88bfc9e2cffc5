//! Jobs: registration, stopping, stability, forgetting.

use std::sync::Arc;

use drover_model::{
    evaluation::Evaluation,
    ids::JobKey,
    job::{Job, JobStatus, JobSubmission, VersionTag},
    time::UnixNanos,
};

use super::{Change, Done, Effect, Refusal};
use crate::state::summary;

/// Versions without a tag that are kept of a job; tagged ones are kept beside them. A constant, because every server has to forget the same.
const TRACKED_VERSIONS: usize = 6;
/// Tagged versions that are kept of a job.
const TAGGED_VERSIONS: usize = 64;

impl Change<'_> {
    pub(super) fn job_register(
        &mut self,
        job: Arc<Job>,
        submission: Option<JobSubmission>,
        enforce: Option<u64>,
        evaluation: Option<Evaluation>,
    ) -> Done {
        let found = self.state.job(&job.key()).map_or(0, |known| known.job_modify_index);
        if enforce.is_some_and(|expected| expected != found) {
            return Err(Refusal::Conflict { found });
        }
        self.put_job_version(job, submission);
        self.put_job_evaluation(evaluation);
        Ok(())
    }

    /// Makes `job` the current version, unless the current one asks for the same.
    pub(super) fn put_job_version(&mut self, job: Arc<Job>, submission: Option<JobSubmission>) {
        let key = job.key();
        let known = self.state.job(&key).cloned();
        if known.as_ref().is_some_and(|known| known.same_specification(&job)) {
            return;
        }
        let mut job = Arc::unwrap_or_clone(job);
        job.version = known.as_ref().map_or(0, |known| known.version.saturating_add(1));
        job.create_index = known.as_ref().map_or(self.index, |known| known.create_index);
        job.status = known.as_ref().map_or(JobStatus::Pending, |known| known.status);
        // A stopped job that is registered again begins anew.
        if known.as_ref().is_some_and(|known| known.stop && !job.stop) && job.status == JobStatus::Dead {
            job.status = JobStatus::Pending;
        }
        job.stable = false;
        job.version_tag = None;
        job.modify_index = self.index;
        job.job_modify_index = self.index;
        if job.submit_time == UnixNanos::NEVER {
            job.submit_time = self.at;
        }
        self.put_summary_for(&job);
        if let Some(submission) = submission {
            self.state.put_submission(key.clone(), job.version, submission);
        }
        let (parent, was, status) = (job.parent_id.clone(), known.map(|known| known.status), job.status);
        self.state.put_job(Arc::new(job));
        self.move_child(&key, &parent, was, Some(status));
        self.trim_versions(&key);
        self.effects.push(Effect::JobChanged(key));
    }

    fn put_summary_for(&mut self, job: &Job) {
        let key = job.key();
        let fresh = summary::fresh(job, self.index);
        if self.state.summary(&key).is_none() {
            self.state.put_summary(fresh);
        } else {
            self.state.change_summary(&key, |known| {
                for (group, counts) in fresh.summary {
                    known.summary.entry(group).or_insert(counts);
                }
            });
        }
    }

    /// The newest versions stay, with every tagged one and the newest stable one: what could be reverted to.
    fn trim_versions(&mut self, key: &JobKey) {
        let versions = self.state.job_versions(key);
        let newest_stable = versions.iter().find(|job| job.stable).map(|job| job.version);
        let untagged = versions.iter().filter(|job| job.version_tag.is_none());
        for job in untagged.skip(TRACKED_VERSIONS).filter(|job| Some(job.version) != newest_stable) {
            self.state.remove_job_version(key, job.version);
        }
    }

    /// Puts the evaluation that goes with a change of a job.
    pub(super) fn put_job_evaluation(&mut self, evaluation: Option<Evaluation>) {
        if let Some(mut evaluation) = evaluation {
            evaluation.job_modify_index = self.index;
            self.put_evaluation(evaluation);
        }
    }

    pub(super) fn job_deregister(&mut self, key: &JobKey, purge: bool, no_shutdown_delay: bool, evaluation: Option<Evaluation>) -> Done {
        if no_shutdown_delay {
            self.skip_shutdown_delay(key);
        }
        let known = self.state.job(key).cloned();
        match known {
            Some(_) if purge => self.forget_job(key),
            Some(job) if !job.stop => {
                self.put_job_version(Arc::new(Job { stop: true, submit_time: self.at, ..Job::clone(&job) }), None);
            }
            Some(_) | None => {}
        }
        self.put_job_evaluation(evaluation);
        Ok(())
    }

    fn skip_shutdown_delay(&mut self, key: &JobKey) {
        let live: Vec<_> = self.state.allocations_of_job(key).filter(|allocation| !allocation.is_terminal()).cloned().collect();
        for allocation in live {
            let mut allocation = (*allocation).clone();
            allocation.desired_transition.no_shutdown_delay = Some(true);
            self.put_allocation(allocation);
        }
    }

    fn forget_job(&mut self, key: &JobKey) {
        if let Some(job) = self.state.remove_job(key) {
            self.move_child(key, &job.parent_id, Some(job.status), None);
            self.effects.push(Effect::JobChanged(key.clone()));
        }
    }

    pub(super) fn job_stability(&mut self, key: &JobKey, version: u64, stable: bool) -> Done {
        if self.state.job_version(key, version).is_none() {
            return Err(Refusal::not_found("job version"));
        }
        self.set_stability(key, version, stable);
        Ok(())
    }

    pub(super) fn set_stability(&mut self, key: &JobKey, version: u64, stable: bool) {
        if self.state.job_version(key, version).is_some_and(|job| job.stable != stable) {
            self.change_version(key, version, |job| job.stable = stable);
        }
    }

    pub(super) fn job_tag(&mut self, key: &JobKey, name: &str, tag: Option<(u64, String)>) -> Done {
        let tagged = self.state.tagged_version(key, name).map(|job| job.version);
        let Some((version, description)) = tag else {
            let version = tagged.ok_or_else(|| Refusal::not_found(&format!("tag {name:?} of job {:?}", key.id)))?;
            self.set_tag(key, version, None);
            self.trim_versions(key);
            return Ok(());
        };
        if tagged.is_some_and(|tagged| tagged != version) {
            return Err(Refusal::invalid(format!("tag {name:?} already exists on a different version of job {:?}", key.id)));
        }
        if self.state.job_version(key, version).is_none() {
            return Err(Refusal::not_found(&format!("version {version} of job {:?}", key.id)));
        }
        let others = self.state.job_versions(key).iter().filter(|job| job.version_tag.is_some() && job.version != version).count();
        if others >= TAGGED_VERSIONS {
            return Err(Refusal::invalid(format!("job {:?} has {others} tagged versions, the most that are kept", key.id)));
        }
        self.set_tag(key, version, Some(VersionTag { name: name.to_owned(), description, tagged_time: self.at }));
        Ok(())
    }

    fn set_tag(&mut self, key: &JobKey, version: u64, tag: Option<VersionTag>) {
        self.change_version(key, version, |job| job.version_tag = tag);
    }

    /// Changes what is known of a version, which stays the version that it is.
    fn change_version(&mut self, key: &JobKey, version: u64, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.state.job_version(key, version) else { return };
        let mut job = Job { modify_index: self.index, ..Job::clone(job) };
        change(&mut job);
        if self.state.job(key).is_some_and(|current| current.version == version) {
            self.state.put_job(Arc::new(job));
        } else {
            self.state.put_job_version(Arc::new(job));
        }
    }

    /// Forgets what has ended in the meantime still; what was started again stays.
    pub(super) fn jobs_forget(&mut self, keys: &[JobKey]) -> Done {
        for key in keys {
            let counts = self.state.job_counts(key);
            let dead = self.state.job(key).is_some_and(|job| job.status == JobStatus::Dead);
            if !dead || counts.live_allocations > 0 || counts.open_evaluations > 0 {
                continue;
            }
            let deployments: Vec<_> = self.state.deployments_of_job(key).map(|deployment| deployment.id).collect();
            for id in deployments {
                self.state.remove_deployment(id);
            }
            self.forget_job(key);
        }
        Ok(())
    }
}
