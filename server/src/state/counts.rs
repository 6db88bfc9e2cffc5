//! What a job's status follows from, counted as rows change so that nobody has to count them.

use drover_model::{
    allocation::Allocation,
    evaluation::Evaluation,
    job::{Job, JobStatus, JobType},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    pub allocations: u32,
    /// Those of which more will come.
    pub live_allocations: u32,
    pub evaluations: u32,
    pub open_evaluations: u32,
}

impl JobCounts {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add_allocation(&mut self, allocation: &Allocation) {
        self.allocations = self.allocations.saturating_add(1);
        self.live_allocations = self.live_allocations.saturating_add(u32::from(!allocation.is_terminal()));
    }

    pub(super) fn take_allocation(&mut self, allocation: &Allocation) {
        self.allocations = self.allocations.saturating_sub(1);
        self.live_allocations = self.live_allocations.saturating_sub(u32::from(!allocation.is_terminal()));
    }

    pub(super) fn add_evaluation(&mut self, evaluation: &Evaluation) {
        self.evaluations = self.evaluations.saturating_add(1);
        self.open_evaluations = self.open_evaluations.saturating_add(u32::from(!evaluation.status.is_terminal()));
    }

    pub(super) fn take_evaluation(&mut self, evaluation: &Evaluation) {
        self.evaluations = self.evaluations.saturating_sub(1);
        self.open_evaluations = self.open_evaluations.saturating_sub(u32::from(!evaluation.status.is_terminal()));
    }

    /// The status that a job has with these counts. `was` stays when nothing speaks: a job whose history was collected does not become pending again.
    pub fn status(&self, job: &Job, was: JobStatus) -> JobStatus {
        let begets_children = job.is_periodic() || job.is_parameterized();
        if begets_children || job.kind == JobType::System {
            return if job.stop && self.live_allocations == 0 { JobStatus::Dead } else { JobStatus::Running };
        }
        if self.live_allocations > 0 {
            JobStatus::Running
        } else if self.open_evaluations > 0 {
            JobStatus::Pending
        } else if job.stop || self.allocations > 0 || self.evaluations > 0 || was == JobStatus::Dead {
            JobStatus::Dead
        } else {
            JobStatus::Pending
        }
    }
}
