//! Why a job is not (all) running, in one sentence.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::JobKey,
    job::{Job, JobStatus, TaskGroup},
    rpc::{
        Error,
        job::{JobWhy, WhyReport},
    },
};

use super::Found;
use crate::state::State;

pub(super) fn why(state: &State, message: &JobWhy) -> Result<Found<Option<WhyReport>>, Error> {
    let key = JobKey { namespace: message.options.namespace.clone(), id: message.id.clone() };
    let Some(job) = state.job(&key) else { return Ok(Found::new(None)) };
    let mut groups = BTreeMap::new();
    for group in &job.task_groups {
        if let Some(sentence) = group_sentence(state, job, group) {
            groups.insert(group.name.to_string(), sentence);
        }
    }
    let summary = match (&groups, job.stop) {
        (_, true) => "It was stopped.".to_owned(),
        (groups, _) if groups.is_empty() && job.is_periodic() => {
            "It is launched by its schedule; its instances are jobs of their own.".to_owned()
        }
        (groups, _) if groups.is_empty() && job.is_parameterized() => "It waits to be dispatched.".to_owned(),
        (groups, _) if groups.is_empty() => match job.status {
            JobStatus::Running => "Everything that it asks for is running.".to_owned(),
            JobStatus::Pending => "It waits for a scheduler to look at it.".to_owned(),
            JobStatus::Dead => "It has done what it was started for.".to_owned(),
        },
        (groups, _) => groups.iter().map(|(group, sentence)| format!("Group {group:?}: {sentence}")).collect::<Vec<_>>().join(" "),
    };
    Ok(Found::new(Some(WhyReport { job_id: job.id.clone(), status: job.status.as_str().to_owned(), summary, groups })))
}

/// None when the group misses nothing.
fn group_sentence(state: &State, job: &Job, group: &TaskGroup) -> Option<String> {
    if job.stop || !job.has_allocations() {
        return None;
    }
    let key = job.key();
    let of_group: Vec<&Arc<Allocation>> = state.allocations_of_job(&key).filter(|allocation| allocation.task_group == group.name).collect();
    if let Some(queued) = waiting(state, &key, group) {
        let reasons = drover_scheduler::why(state, job);
        let reason = reasons.iter().find(|reason| reason.group == group.name).map_or("no node takes it", |reason| reason.sentence.as_str());
        return Some(format!("{queued} of {} could not be placed: {reason}.", group.count));
    }
    let is_live = |allocation: &&&Arc<Allocation>| !allocation.is_terminal();
    let starting: Vec<_> = of_group.iter().filter(is_live).filter(|allocation| allocation.client_status == ClientStatus::Pending).collect();
    if let Some(allocation) = starting.first() {
        return Some(format!("{} of {} are starting on their nodes{}.", starting.len(), group.count, last_event(allocation)));
    }
    let live = of_group.iter().filter(is_live).count();
    let failed = of_group.iter().filter(|allocation| allocation.client_status == ClientStatus::Failed && !allocation.is_server_terminal());
    let latest = failed.max_by_key(|allocation| allocation.modify_index);
    if live < group.count as usize
        && let Some(allocation) = latest
    {
        return Some(format!("{live} of {} run; the newest failure{}.", group.count, last_event(allocation)));
    }
    None
}

/// How many allocations of the group wait for room.
fn waiting(state: &State, key: &JobKey, group: &TaskGroup) -> Option<u32> {
    state.blocked_evaluations_of_job(key).next()?;
    let queued = state.summary(key)?.summary.get(&*group.name)?.queued;
    (queued > 0).then_some(queued)
}

/// What last happened in an allocation.
fn last_event(allocation: &Allocation) -> String {
    let events = allocation.task_states.iter().flat_map(|(task, state)| state.events.last().map(|event| (task, event)));
    match events.max_by_key(|(_, event)| event.time) {
        Some((task, event)) if !event.display_message.is_empty() => {
            format!(", task {task:?}: {}", event.display_message.trim_end_matches('.'))
        }
        Some((task, event)) => format!(", task {task:?}: {}", event.kind),
        None => String::new(),
    }
}
