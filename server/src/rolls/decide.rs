//! What has to be done about a job's changed templates.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, ClientStatus},
    deployment::{Deployment, DeploymentKind, DeploymentState, DeploymentStatus, DeploymentStatusUpdate, description},
    ids::{AllocId, DeploymentId, JobKey, Name},
    job::{Job, TaskGroup, UpdateStrategy},
    time::UnixNanos,
};
use drover_runtime::Random;

use crate::{
    fsm::command::{Command, TemplateTurns},
    state::State,
};

#[derive(Debug, Default)]
pub struct Decision {
    pub command: Option<Command>,
    /// When to look again though nothing changes.
    pub next_look: Option<UnixNanos>,
}

impl From<Command> for Decision {
    fn from(command: Command) -> Self {
        Self { command: Some(command), next_look: None }
    }
}

/// Decides about one job. With a deployment of templates under way, the first of these that applies: cancel it, fail it, give further turns, end it well, wait.
/// Without one: begin one when something new waits and nothing else of the job is under way.
pub fn decide(state: &State, key: &JobKey, now: UnixNanos, random: &dyn Random) -> Decision {
    let job = state.job(key).filter(|job| !job.stop);
    match (state.active_template_roll(key), job) {
        (None, Some(job)) => begin(state, job, random),
        (None, None) => Decision::default(),
        (Some(roll), None) => end(roll, DeploymentStatus::Cancelled, description::STOPPED_JOB),
        (Some(roll), Some(job)) if (roll.job_create_index, roll.job_version) != (job.create_index, job.version) => {
            end(roll, DeploymentStatus::Cancelled, description::NEWER_JOB)
        }
        (Some(roll), Some(job)) => go_on(state, roll, job, now),
    }
}

fn end(roll: &Deployment, status: DeploymentStatus, why: impl Into<String>) -> Decision {
    let update = DeploymentStatusUpdate { id: roll.id, status, description: why.into() };
    Command::DeploymentStatus { update, job: None, evaluation: None }.into()
}

/// A group of the job and those of its allocations that a change can go through.
struct Members<'a> {
    group: &'a TaskGroup,
    living: Vec<&'a Arc<Allocation>>,
}

impl<'a> Members<'a> {
    fn of(state: &'a State, job: &Job, group: &'a TaskGroup) -> Self {
        let is_member = |row: &&Arc<Allocation>| {
            let same_version = (row.job.create_index, row.job.version) == (job.create_index, job.version);
            same_version && row.task_group == group.name && !row.is_terminal() && row.client_status != ClientStatus::Unknown
        };
        Self { group, living: state.allocations_of_job(&job.key()).filter(is_member).collect() }
    }

    fn strategy(&self) -> UpdateStrategy {
        self.group.update.clone().unwrap_or_default()
    }

    /// How many may be on their way at a time.
    fn pace(&self) -> usize {
        match self.strategy().max_parallel {
            0 => usize::MAX,
            most => most as usize,
        }
    }

    /// Whether there is a change that no deployment has failed with, as far as anybody can tell. One that is not well with the newest texts speaks against them,
    /// until it has newer ones or is gone.
    fn has_news(&self) -> bool {
        let fresh = |row: &&&Arc<Allocation>| {
            row.template_roll.as_ref().is_some_and(|roll| !roll.waiting.is_empty() && roll.waiting != roll.passed_over)
        };
        let speaks_against = |row: &&&Arc<Allocation>| row.turn().is_some() && row.is_healthy() == Some(false) && !row.awaits_turn();
        self.living.iter().any(|row| fresh(&row)) && !self.living.iter().any(|row| speaks_against(&row))
    }

    /// Those who wait for their turn in this deployment, in its order: what is out already has the least to lose.
    fn waiting(&self, roll: Option<DeploymentId>) -> Vec<AllocId> {
        let mut waiting: Vec<_> = self.living.iter().filter(|row| row.awaits_turn() && (roll.is_none() || row.turn() != roll)).collect();
        waiting.sort_by_key(|row| (Reverse(is_out(row)), row.index(), row.id));
        waiting.into_iter().map(|row| row.id).collect()
    }

    /// Those of `waiting` whose turn it is now. Whoever is out takes a place, also one that an earlier deployment left behind when somebody ended it.
    fn next_turns(&self, waiting: &[AllocId]) -> Vec<AllocId> {
        let out = self.living.iter().filter(|row| is_out(row) && !waiting.contains(&row.id)).count();
        waiting.iter().copied().take(self.pace().saturating_sub(out)).collect()
    }

    fn taking_part(&self, roll: DeploymentId) -> impl Iterator<Item = &&'a Arc<Allocation>> {
        self.living.iter().filter(move |row| row.turn() == Some(roll))
    }
}

fn begin(state: &State, job: &Job, random: &dyn Random) -> Decision {
    let busy = || state.deployments_of_job(&job.key()).any(|deployment| deployment.is_active());
    if !job.rolls_templates() || busy() {
        return Decision::default();
    }
    let (mut turns, mut task_groups) = (Vec::new(), BTreeMap::new());
    for group in job.task_groups.iter().filter(|group| group.rolls_templates()) {
        let members = Members::of(state, job, group);
        if members.has_news() {
            let waiting = members.waiting(None);
            task_groups.insert(group.name.clone(), group_state(&members.strategy(), waiting.len()));
            turns.extend(members.next_turns(&waiting));
        }
    }
    if turns.is_empty() {
        return Decision::default();
    }
    let deployment = Deployment {
        id: DeploymentId::from_random(random.id_bytes()),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        job_version: job.version,
        job_modify_index: job.modify_index,
        job_spec_modify_index: job.job_modify_index,
        job_create_index: job.create_index,
        kind: DeploymentKind::Templates,
        task_groups,
        status_description: description::TEMPLATES_RUNNING.to_owned(),
        eval_priority: job.priority,
        ..Deployment::default()
    };
    Command::TemplateTurns(Box::new(TemplateTurns { deployment, turns, revoked: out_of_sight(state, job) })).into()
}

/// Those who cannot be heard and may not have taken their turn, which may be one of an earlier deployment: nobody waits for them, so they must not go when they
/// return.
fn out_of_sight(state: &State, job: &Job) -> Vec<AllocId> {
    let is = |row: &&Arc<Allocation>| {
        row.turn().is_some() && row.is_healthy().is_none() && row.client_status == ClientStatus::Unknown && !row.is_server_terminal()
    };
    state.allocations_of_job(&job.key()).filter(is).map(|row| row.id).collect()
}

fn group_state(strategy: &UpdateStrategy, total: usize) -> DeploymentState {
    let desired_total = u32::try_from(total).unwrap_or(u32::MAX);
    DeploymentState { desired_total, progress_deadline: strategy.progress_deadline, ..DeploymentState::default() }
}

fn go_on(state: &State, roll: &Deployment, job: &Job, now: UnixNanos) -> Decision {
    if roll.status != DeploymentStatus::Running {
        return Decision::default();
    }
    let mine = || state.allocations_of_deployment(roll.id).filter(|row| row.turn() == Some(roll.id) && !row.is_server_terminal());
    if let Some(broken) = mine().find(|row| is_broken(row)) {
        let short = broken.id.to_string().chars().take(8).collect::<String>();
        return end(roll, DeploymentStatus::Failed, description::unhealthy_templates(&short, &broken.name));
    }
    let revoked = out_of_sight(state, job);
    let (mut turns, mut totals, mut deadlines, mut to_come) = (Vec::new(), BTreeMap::<Name, u32>::new(), Vec::new(), 0);
    for (name, group_state) in &roll.task_groups {
        let Some(group) = job.group(name) else { continue };
        let members = Members::of(state, job, group);
        let unknown = members.taking_part(roll.id).filter(|row| row.is_healthy().is_none()).count();
        let waiting = members.waiting(Some(roll.id));
        let total = members.taking_part(roll.id).count() + waiting.len();
        totals.insert(name.clone(), u32::try_from(total).unwrap_or(u32::MAX));
        turns.extend(members.next_turns(&waiting));
        if unknown > 0 && !group_state.progress_deadline.is_zero() {
            deadlines.push(group_state.require_progress_by.0);
        }
        to_come += unknown + waiting.len();
    }
    let deadline = deadlines.into_iter().filter(|deadline| !deadline.is_never()).min();
    if deadline.is_some_and(|deadline| deadline <= now) {
        return end(roll, DeploymentStatus::Failed, description::PROGRESS_DEADLINE);
    }
    if !turns.is_empty() || !revoked.is_empty() {
        return Decision { command: Some(step(roll, &totals, turns, revoked)), next_look: deadline };
    }
    if to_come == 0 {
        return end(roll, DeploymentStatus::Successful, description::SUCCESSFUL);
    }
    Decision { command: None, next_look: deadline }
}

/// Whether it has taken new texts in, and has not been healthy since.
fn is_out(row: &Allocation) -> bool {
    row.turn().is_some() && row.is_healthy() != Some(true)
}

fn is_broken(row: &Allocation) -> bool {
    match row.is_healthy() {
        Some(healthy) => !healthy,
        None => row.client_status == ClientStatus::Failed,
    }
}

fn step(roll: &Deployment, totals: &BTreeMap<Name, u32>, turns: Vec<AllocId>, revoked: Vec<AllocId>) -> Command {
    let mut deployment = roll.clone();
    for (name, group) in &mut deployment.task_groups {
        group.desired_total = totals.get(name).copied().unwrap_or(group.desired_total);
    }
    Command::TemplateTurns(Box::new(TemplateTurns { deployment, turns, revoked }))
}
