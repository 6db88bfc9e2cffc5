//! Evaluations for later moments.

use std::{sync::Arc, time::Duration};

use drover_model::{
    allocation::Allocation,
    evaluation::{EvalStatus, Evaluation, Trigger},
    ids::EvalId,
    time::{Rfc3339, UnixNanos},
};

use super::Case;
use crate::inputs::Stream;

/// Moments this close to each other share an evaluation.
const WINDOW: Duration = Duration::from_secs(5);

pub(super) const DELAYED_RESCHEDULE: &str = "created for delayed rescheduling";
pub(super) const DELAYED_DISCONNECT: &str = "created for delayed disconnect timeout";

pub(super) struct Reason {
    pub(super) trigger: Trigger,
    pub(super) description: &'static str,
}

/// For each allocation the evaluation that will look at it at its moment.
pub(super) fn schedule(
    case: Case<'_>,
    mut moments: Vec<(UnixNanos, Arc<Allocation>)>,
    reason: &Reason,
    stream: &mut Stream,
    followups: &mut Vec<Evaluation>,
) -> Vec<(EvalId, Arc<Allocation>)> {
    moments.sort_by_key(|(at, allocation)| (*at, allocation.id));
    let mut open: Option<(UnixNanos, EvalId)> = None;
    let mut assigned = Vec::with_capacity(moments.len());
    for (at, allocation) in moments {
        let id = match open {
            Some((first, id)) if at.since(first) <= WINDOW => id,
            _ => {
                let id = stream.eval_id();
                followups.push(evaluation(case, id, at, reason));
                open = Some((at, id));
                id
            }
        };
        assigned.push((id, allocation));
    }
    assigned
}

fn evaluation(case: Case<'_>, id: EvalId, at: UnixNanos, reason: &Reason) -> Evaluation {
    let current = case.evaluation;
    Evaluation {
        id,
        namespace: current.namespace.clone(),
        priority: current.priority,
        kind: current.kind,
        triggered_by: reason.trigger,
        job_id: current.job_id.clone(),
        job_modify_index: case.job.map_or(current.job_modify_index, |job| job.job_modify_index),
        status: EvalStatus::Pending,
        status_description: reason.description.to_owned(),
        wait_until: Rfc3339(at),
        previous_eval: Some(current.id),
        create_time: case.now,
        modify_time: case.now,
        ..Evaluation::default()
    }
}
