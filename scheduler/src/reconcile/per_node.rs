//! The same for system and sysbatch jobs, node by node: what runs there against the one allocation that shall.
//!
//! An update of a system job is a deployment as a service's is. Its canaries are a share of the nodes, and each takes the place of what ran there, since a node has
//! room for one.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, ClientStatus, description},
    deployment::DeploymentState,
    evaluation::{EvalStatus, Evaluation, Trigger},
    ids::{DeploymentId, NodeId},
    job::{Job, JobType, TaskGroup, UpdateStrategy},
    plan::DesiredUpdates,
};

use super::{
    Case, Reconciled,
    change::{self, Change},
    group::note_unknown,
    lost,
    rollout::Rollout,
    standing::{self, Standing, is_current},
    stop,
};
use crate::{
    feasible::in_scope,
    inputs::Stream,
    place::{Placer, Want, fleet::Row},
};

pub(crate) struct Subject<'a> {
    pub(crate) case: Case<'a>,
    pub(crate) job: &'a Arc<Job>,
    pub(crate) group: &'a TaskGroup,
    pub(crate) allocations: Vec<Arc<Allocation>>,
}

/// What a node has of the group.
#[derive(Default)]
struct OnNode {
    /// It runs, or it has run as it should: nothing is missing.
    served: bool,
    outdated: Option<Arc<Allocation>>,
    /// The newest that ended: a new one follows it.
    ended: Option<Arc<Allocation>>,
}

struct Work<'a, 'o> {
    case: Case<'a>,
    job: &'a Arc<Job>,
    group: &'a TaskGroup,
    rollout: &'o mut Rollout,
    out: &'o mut Reconciled,
    stream: &'o mut Stream,
    desired: DesiredUpdates,
    nodes: BTreeMap<NodeId, OnNode>,
    /// Each with whether its node takes new work: only then it counts for a roll-out.
    in_place: Vec<(Arc<Allocation>, bool)>,
    /// Whether some allocation ran this version before.
    has_run: bool,
}

/// How many of the outdated are replaced in this step, and as what.
#[derive(Clone, Copy)]
enum Pace {
    All,
    Canaries(usize),
    /// Until more of those that were replaced are healthy.
    Batch(usize),
    /// There is no roll-out (any more): the next so many follow after a pause.
    Staggered(usize),
}

/// What one group needs.
pub(crate) struct Plan {
    /// What to place on which row.
    pub(crate) wants: Vec<(Row, Want)>,
    /// On how many nodes the group is to run.
    pub(crate) total: u32,
    /// Nothing is left to do.
    pub(crate) settled: bool,
}

pub(crate) fn plan(subject: Subject<'_>, placer: &Placer<'_>, rollout: &mut Rollout, stream: &mut Stream, out: &mut Reconciled) -> Plan {
    let Subject { case, job, group, mut allocations } = subject;
    let feasible = if group.count == 0 { Vec::new() } else { placer.feasible(job, group) };
    let has_run = allocations.iter().any(|allocation| is_current(allocation, job));
    let (desired, nodes, in_place) = (DesiredUpdates::default(), BTreeMap::new(), Vec::new());
    let mut work = Work { case, job, group, rollout, out, stream, desired, nodes, in_place, has_run };
    // The newest version first, so that of two on one node the older one stops.
    allocations.sort_by_key(|allocation| (std::cmp::Reverse((allocation.job.version, allocation.create_index)), allocation.id));
    for allocation in &allocations {
        work.look_at(allocation, placer, &feasible);
    }
    let plan = work.wants(placer, &feasible);
    let desired = work.desired;
    out.desired.insert(group.name.clone(), desired);
    plan
}

impl Work<'_, '_> {
    fn standing(&self, allocation: &Allocation) -> Standing {
        if allocation.is_server_terminal() {
            return Standing::Gone;
        }
        if !allocation.is_client_terminal() {
            return standing::on_its_node(self.case, Some(self.group), allocation);
        }
        let done = self.job.kind == JobType::Sysbatch && is_current(allocation, self.job) && allocation.client_status != ClientStatus::Lost;
        if done { Standing::Done } else { Standing::Gone }
    }

    fn stop(&mut self, allocation: &Arc<Allocation>, why: &str) {
        self.out.stops.push(stop(allocation, why));
        self.desired.stop += 1;
    }

    fn look_at(&mut self, allocation: &Arc<Allocation>, placer: &Placer<'_>, feasible: &[Row]) {
        let standing = self.standing(allocation);
        let row = placer.row(allocation.node_id);
        match standing {
            Standing::Gone => _ = self.on(allocation).ended.get_or_insert_with(|| Arc::clone(allocation)),
            Standing::Done => self.on(allocation).served = true,
            Standing::Lost => {
                self.out.stops.push(lost(allocation));
                self.desired.stop += 1;
            }
            Standing::Migrate if row.is_some() => {
                self.out.stops.push(stop(allocation, description::MIGRATING));
                self.desired.migrate += 1;
                self.on(allocation).ended = Some(Arc::clone(allocation));
            }
            Standing::Migrate => self.stop(allocation, description::NODE_TAINTED),
            Standing::Disconnects { until } => {
                self.desired.disconnect += 1;
                note_unknown(self.case, allocation, until, self.stream, self.out);
                self.keep(allocation);
            }
            _ => self.runs(allocation, row, feasible),
        }
    }

    fn on(&mut self, allocation: &Allocation) -> &mut OnNode {
        self.nodes.entry(allocation.node_id).or_default()
    }

    fn keep(&mut self, allocation: &Arc<Allocation>) {
        self.out.kept.push(Arc::clone(allocation));
        self.on(allocation).served = true;
    }

    fn runs(&mut self, allocation: &Arc<Allocation>, row: Option<Row>, feasible: &[Row]) {
        let suits = match row {
            Some(row) => feasible.binary_search(&row).is_ok(),
            // It takes no new work, but what it has may stay as long as the job asks for such nodes.
            None => self.group.count > 0 && self.case.snapshot.node(allocation.node_id).is_some_and(|node| in_scope(self.job, node)),
        };
        if !suits || self.on(allocation).served || self.on(allocation).outdated.is_some() {
            return self.stop(allocation, description::NOT_NEEDED);
        }
        let change = (!is_current(allocation, self.job)).then(|| self.change(allocation)).flatten();
        match change {
            Some(Change::InPlace) => {
                self.desired.in_place_update += 1;
                self.in_place.push((Arc::clone(allocation), row.is_some()));
                self.keep(allocation);
            }
            Some(Change::Destructive | Change::Renewal) if row.is_some() => {
                self.out.kept.push(Arc::clone(allocation));
                self.on(allocation).outdated = Some(Arc::clone(allocation));
            }
            _ => {
                self.desired.ignore += 1;
                self.keep(allocation);
            }
        }
    }

    fn change(&self, allocation: &Allocation) -> Option<Change> {
        let node = self.case.snapshot.node(allocation.node_id)?;
        Some(change::of(allocation, self.job, self.group, node))
    }

    /// Where there is a roll-out they take part in it: their health is watched anew.
    fn update_in_place(&mut self, deployment: Option<DeploymentId>) {
        for (old, counts) in std::mem::take(&mut self.in_place) {
            let deployment = deployment.filter(|_| counts);
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

    fn want(&self, row: Row, previous: Option<&Arc<Allocation>>, deployment: Option<DeploymentId>) -> (Row, Want) {
        let want = Want {
            name: self.group.allocation_name(&self.job.id, 0).into(),
            job: Arc::clone(self.job),
            group: self.group.name.clone(),
            canary: false,
            deployment,
            previous: previous.cloned(),
            tracker: None,
            replaces: false,
        };
        (row, want)
    }

    fn wants(&mut self, placer: &Placer<'_>, feasible: &[Row]) -> Plan {
        let (mut missing, mut outdated) = (Vec::new(), Vec::new());
        for row in feasible.iter().copied() {
            match self.nodes.get(&placer.node(row).id) {
                None => missing.push((row, None)),
                Some(OnNode { served: true, .. }) => {}
                Some(OnNode { outdated: Some(old), .. }) => outdated.push((row, Arc::clone(old))),
                Some(OnNode { ended, .. }) => missing.push((row, ended.clone())),
            }
        }
        self.desired.place = count(missing.len()).saturating_sub(self.desired.migrate);
        let settled = missing.is_empty() && outdated.is_empty() && self.in_place.is_empty();
        let canaries = self.canaries_of(feasible.len(), outdated.is_empty());
        self.begin_rollout(canaries, !outdated.is_empty() || !self.in_place.is_empty());
        let deployment = self.rollout.id_for(&self.group.name);
        self.update_in_place(deployment);
        // Of those that were canaries, as many are again as are not elsewhere by now.
        let mut trials = self.open_trials(canaries);
        let mut wants = Vec::with_capacity(missing.len());
        for (row, ended) in missing {
            let canary = trials > 0 && deployment.is_some() && ended.as_ref().is_some_and(|ended| self.rollout.has_canary(ended));
            trials -= usize::from(canary);
            let (row, want) = self.want(row, ended.as_ref(), deployment);
            wants.push((row, Want { canary, ..want }));
        }
        let pace = self.pace(deployment, trials, canaries > 0, wants.len());
        let replaced = self.replace(outdated, pace);
        wants.extend(replaced.into_iter().map(|(row, old)| {
            let (row, want) = self.want(row, Some(&old), deployment);
            (row, Want { replaces: true, canary: matches!(pace, Pace::Canaries(_)), ..want })
        }));
        Plan { wants, total: count(feasible.len()), settled }
    }

    fn strategy(&self) -> Option<&UpdateStrategy> {
        self.group.update.as_ref().filter(|strategy| strategy.rolls() && self.job.kind == JobType::System)
    }

    /// How many canaries the roll-out is to have: that share of the nodes, in percent, at least one.
    fn canaries_of(&self, nodes: usize, up_to_date: bool) -> u32 {
        match (self.rollout.state(&self.group.name), self.strategy()) {
            (Some(state), _) if state.promoted => 0,
            (Some(state), _) => state.desired_canaries,
            (None, Some(strategy)) if self.rollout.may_begin() && !up_to_date => {
                count((nodes * strategy.canary.min(100) as usize).div_ceil(100))
            }
            _ => 0,
        }
    }

    /// A deployment begins with the first run of a version, and with one that changes what runs.
    fn begin_rollout(&mut self, canaries: u32, changes: bool) {
        let Some(strategy) = self.strategy() else { return };
        if !self.rollout.may_begin() || self.group.count == 0 || (self.has_run && !changes) {
            return;
        }
        let state = DeploymentState {
            auto_revert: strategy.auto_revert,
            auto_promote: strategy.auto_promote,
            desired_canaries: canaries,
            progress_deadline: strategy.progress_deadline,
            ..DeploymentState::default()
        };
        self.rollout.begin(&self.group.name, state);
    }

    fn ours(&self) -> impl Iterator<Item = &Arc<Allocation>> {
        self.out.kept.iter().filter(|row| row.task_group == self.group.name && self.rollout.owns(row))
    }

    /// How many of the canaries are not there.
    fn open_trials(&self, canaries: u32) -> usize {
        (canaries as usize).saturating_sub(self.ours().filter(|allocation| self.rollout.has_canary(allocation)).count())
    }

    /// `trials`: canaries to come. `placed`: what is placed in any case.
    fn pace(&self, deployment: Option<DeploymentId>, trials: usize, on_trial: bool, placed: usize) -> Pace {
        let Some(strategy) = self.strategy() else { return Pace::All };
        let max_parallel = strategy.max_parallel as usize;
        if self.rollout.is_halted() {
            return Pace::Batch(0);
        }
        if deployment.is_none() {
            return Pace::Staggered(max_parallel);
        }
        if on_trial {
            return Pace::Canaries(trials);
        }
        if self.ours().any(|allocation| allocation.is_healthy() == Some(false)) {
            return Pace::Batch(0);
        }
        let unknown = self.ours().filter(|allocation| allocation.is_healthy().is_none()).count();
        Pace::Batch(max_parallel.saturating_sub(unknown + placed))
    }

    /// Those of the outdated that are replaced in this step.
    fn replace(&mut self, mut outdated: Vec<(Row, Arc<Allocation>)>, pace: Pace) -> Vec<(Row, Arc<Allocation>)> {
        let limit = match pace {
            Pace::All => usize::MAX,
            Pace::Canaries(limit) | Pace::Batch(limit) | Pace::Staggered(limit) => limit,
        };
        let later = outdated.split_off(limit.min(outdated.len()));
        self.desired.ignore += count(later.len());
        match pace {
            Pace::Canaries(_) => self.desired.canary += count(outdated.len()),
            _ => self.desired.destructive_update += count(outdated.len()),
        }
        let stagger = self.strategy().filter(|_| matches!(pace, Pace::Staggered(_)) && !later.is_empty()).map(|strategy| strategy.stagger);
        if let Some(stagger) = stagger {
            let evaluation = self.next_step(stagger);
            self.out.followups.push(evaluation);
        }
        outdated
    }

    fn next_step(&mut self, stagger: std::time::Duration) -> Evaluation {
        let current = self.case.evaluation;
        Evaluation {
            id: self.stream.eval_id(),
            namespace: current.namespace.clone(),
            priority: current.priority,
            kind: current.kind,
            triggered_by: Trigger::RollingUpdate,
            job_id: current.job_id.clone(),
            job_modify_index: self.job.job_modify_index,
            status: EvalStatus::Pending,
            wait: stagger,
            wait_until: self.case.now.plus(stagger).into(),
            previous_eval: Some(current.id),
            create_time: self.case.now,
            modify_time: self.case.now,
            ..Evaluation::default()
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
