//! How many allocations of each group are in which state, kept as they change.

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::Name,
    job::{ChildrenSummary, GroupSummary, Job, JobStatus, JobSummary},
};

/// Moves an allocation from where its old form was counted to where its new one belongs.
pub(super) fn count(summary: &mut JobSummary, old: Option<&Allocation>, new: &Allocation) {
    let group = summary.summary.entry(new.task_group.to_string()).or_default();
    match old {
        Some(old) => *of_status(group, old.client_status) = of_status(group, old.client_status).saturating_sub(1),
        None => group.queued = group.queued.saturating_sub(1),
    }
    *of_status(group, new.client_status) = of_status(group, new.client_status).saturating_add(1);
}

fn of_status(group: &mut GroupSummary, status: ClientStatus) -> &mut u32 {
    match status {
        ClientStatus::Pending => &mut group.starting,
        ClientStatus::Running => &mut group.running,
        ClientStatus::Complete => &mut group.complete,
        ClientStatus::Failed => &mut group.failed,
        ClientStatus::Lost => &mut group.lost,
        ClientStatus::Unknown => &mut group.unknown,
    }
}

/// The summary of a job that has none yet.
pub(crate) fn fresh(job: &Job, index: u64) -> JobSummary {
    let summary = job.task_groups.iter().map(|group| (group.name.to_string(), GroupSummary::default())).collect();
    JobSummary {
        job_id: job.id.clone(),
        namespace: job.namespace.clone(),
        summary,
        children: ChildrenSummary::default(),
        create_index: index,
        modify_index: index,
    }
}

/// Notes that an evaluation left `queued` allocations of a group unplaced.
pub(crate) fn set_queued(summary: &mut JobSummary, group: &Name, queued: u32) {
    if let Some(group) = summary.summary.get_mut(&**group) {
        group.queued = queued;
    }
}

/// Moves a child from one status to another; none: it was not there, or is no longer.
pub(crate) fn move_child(children: &mut ChildrenSummary, from: Option<JobStatus>, to: Option<JobStatus>) {
    let mut of = |status: JobStatus, change: fn(u32) -> u32| {
        let count = match status {
            JobStatus::Pending => &mut children.pending,
            JobStatus::Running => &mut children.running,
            JobStatus::Dead => &mut children.dead,
        };
        *count = change(*count);
    };
    if let Some(from) = from {
        of(from, |count| count.saturating_sub(1));
    }
    if let Some(to) = to {
        of(to, |count| count.saturating_add(1));
    }
}
