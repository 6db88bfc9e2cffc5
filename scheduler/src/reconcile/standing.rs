//! What one allocation is to its job at this moment.

use std::time::Duration;

use drover_model::{
    allocation::{Allocation, ClientStatus},
    job::{Job, JobType, TaskGroup},
    node::NodeStatus,
    time::UnixNanos,
};

use super::{
    Case,
    reschedule::{self, Decision},
    rollout::Rollout,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts for nothing any more.
    Gone,
    Runs,
    /// A batch allocation that did what it was to do.
    Done,
    /// It failed, and nothing is done about it.
    Held,
    /// The same, but a new version of its job gives it another chance.
    Renews,
    RescheduleNow {
        delay: Duration,
    },
    RescheduleLater {
        at: UnixNanos,
    },
    /// Somebody asked for it to be moved or stopped and replaced.
    Migrate,
    /// Its node is down or gone.
    Lost,
    /// Its node cannot be heard, which its group tolerates until then (or for ever).
    Disconnects {
        until: Option<UnixNanos>,
    },
    /// The servers do not know how it fares.
    Unknown,
}

/// How a group takes it that a node cannot be heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    lost_after: Duration,
    pub(super) replace: bool,
}

impl Tolerance {
    pub(super) fn of(group: &TaskGroup) -> Self {
        match &group.disconnect {
            Some(strategy) => Self { lost_after: strategy.lost_after, replace: strategy.replace },
            None => Self { lost_after: group.max_client_disconnect.unwrap_or_default(), replace: !group.prevent_reschedule_on_lost },
        }
    }
}

/// Whether it runs the job in its newest form.
pub(super) fn is_current(allocation: &Allocation, job: &Job) -> bool {
    let own = &allocation.job;
    (own.create_index, own.version, own.job_modify_index) == (job.create_index, job.version, job.job_modify_index)
}

pub(super) fn of(case: Case<'_>, job: &Job, group: &TaskGroup, allocation: &Allocation, rollout: &Rollout) -> Standing {
    if allocation.is_server_terminal() {
        return Standing::Gone;
    }
    let batch = job.kind == JobType::Batch;
    // A new version of a batch job is run anew, whatever became of the old one.
    if batch && allocation.is_client_terminal() && !is_current(allocation, job) {
        return Standing::Gone;
    }
    match allocation.client_status {
        ClientStatus::Complete if batch => Standing::Done,
        ClientStatus::Complete | ClientStatus::Lost => Standing::Gone,
        ClientStatus::Failed if allocation.next_allocation.is_some() => Standing::Gone,
        ClientStatus::Failed if allocation.desired_transition.should_migrate() => Standing::Migrate,
        ClientStatus::Failed if !rollout.lets_reschedule(allocation) => Standing::Held,
        ClientStatus::Failed => match reschedule::decide(group.reschedule_policy.as_ref(), allocation, case.now, case.evaluation.id) {
            Decision::Never => Standing::Held,
            Decision::Now { delay } => Standing::RescheduleNow { delay },
            Decision::Later { at } => Standing::RescheduleLater { at },
        },
        ClientStatus::Pending | ClientStatus::Running | ClientStatus::Unknown => on_its_node(case, Some(group), allocation),
    }
}

/// The same where the job does not want it anyhow.
pub(super) fn without_group(case: Case<'_>, allocation: &Allocation) -> Standing {
    match allocation.client_status {
        _ if allocation.is_server_terminal() => Standing::Gone,
        ClientStatus::Complete => Standing::Done,
        ClientStatus::Lost => Standing::Gone,
        ClientStatus::Failed => Standing::Held,
        ClientStatus::Pending | ClientStatus::Running | ClientStatus::Unknown => on_its_node(case, None, allocation),
    }
}

pub(super) fn on_its_node(case: Case<'_>, group: Option<&TaskGroup>, allocation: &Allocation) -> Standing {
    let Some(node) = case.snapshot.node(allocation.node_id) else { return Standing::Lost };
    let unreachable = match node.status {
        NodeStatus::Down => true,
        NodeStatus::Disconnected => return disconnected(case, group, allocation),
        NodeStatus::Ready | NodeStatus::Initializing => false,
    };
    let unknown = allocation.client_status == ClientStatus::Unknown;
    if unreachable {
        return match group.map(Tolerance::of) {
            Some(Tolerance { replace: false, .. }) if unknown => Standing::Unknown,
            Some(Tolerance { replace: false, .. }) => Standing::Disconnects { until: None },
            _ => Standing::Lost,
        };
    }
    if allocation.desired_transition.should_migrate() {
        return Standing::Migrate;
    }
    if unknown { Standing::Unknown } else { Standing::Runs }
}

fn disconnected(case: Case<'_>, group: Option<&TaskGroup>, allocation: &Allocation) -> Standing {
    let Some(tolerance) = group.map(Tolerance::of).filter(|tolerance| !tolerance.lost_after.is_zero()) else { return Standing::Lost };
    if allocation.client_status != ClientStatus::Unknown {
        return Standing::Disconnects { until: Some(case.now.plus(tolerance.lost_after)) };
    }
    match unknown_since(allocation) {
        Some(since) if since.plus(tolerance.lost_after) <= case.now => Standing::Lost,
        _ => Standing::Unknown,
    }
}

/// The field and value of the state that records it.
pub(super) const STATUS_FIELD: &str = "ClientStatus";

/// Whether the servers lost sight of it at some time.
pub(super) fn was_unknown(allocation: &Allocation) -> bool {
    allocation.alloc_states.iter().any(|state| state.field == STATUS_FIELD && state.value == ClientStatus::Unknown.as_str())
}

fn unknown_since(allocation: &Allocation) -> Option<UnixNanos> {
    let last = allocation.alloc_states.iter().rev().find(|state| state.field == STATUS_FIELD)?;
    (last.value == ClientStatus::Unknown.as_str()).then_some(last.time.0)
}
