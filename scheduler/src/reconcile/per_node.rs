//! The same for system and sysbatch jobs, node by node: what runs there against the one allocation that shall.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::{Allocation, ClientStatus, description},
    evaluation::{EvalStatus, Evaluation, Trigger},
    ids::NodeId,
    job::{Job, JobType, TaskGroup},
    plan::DesiredUpdates,
};

use super::{
    Case, Reconciled,
    change::{self, Change},
    group::note_unknown,
    lost,
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
    out: &'o mut Reconciled,
    stream: &'o mut Stream,
    desired: DesiredUpdates,
    nodes: BTreeMap<NodeId, OnNode>,
}

/// Plans one group. The answer says what to place on which row.
pub(crate) fn plan(subject: Subject<'_>, placer: &Placer<'_>, stream: &mut Stream, out: &mut Reconciled) -> Vec<(Row, Want)> {
    let Subject { case, job, group, mut allocations } = subject;
    let feasible = if group.count == 0 { Vec::new() } else { placer.feasible(job, group) };
    let mut work = Work { case, job, group, out, stream, desired: DesiredUpdates::default(), nodes: BTreeMap::new() };
    // The newest version first, so that of two on one node the older one stops.
    allocations.sort_by_key(|allocation| (std::cmp::Reverse((allocation.job.version, allocation.create_index)), allocation.id));
    for allocation in &allocations {
        work.look_at(allocation, placer, &feasible);
    }
    let wants = work.wants(placer, &feasible);
    let desired = work.desired;
    out.desired.insert(group.name.clone(), desired);
    wants
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
            Some(Change::InPlace) => self.update_in_place(allocation),
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

    fn update_in_place(&mut self, allocation: &Arc<Allocation>) {
        self.desired.in_place_update += 1;
        let mut update = Allocation::clone(allocation);
        update.job = Arc::clone(self.job);
        update.eval_id = self.case.evaluation.id;
        update.modify_time = self.case.now;
        self.out.updates.push(update);
        self.keep(allocation);
    }

    fn want(&self, row: Row, previous: Option<&Arc<Allocation>>, replaces: bool) -> (Row, Want) {
        let want = Want {
            name: self.group.allocation_name(&self.job.id, 0).into(),
            job: Arc::clone(self.job),
            group: self.group.name.clone(),
            canary: false,
            deployment: None,
            previous: previous.cloned(),
            tracker: None,
            replaces,
        };
        (row, want)
    }

    fn wants(&mut self, placer: &Placer<'_>, feasible: &[Row]) -> Vec<(Row, Want)> {
        let mut wants = Vec::new();
        let mut outdated = Vec::new();
        for row in feasible.iter().copied() {
            match self.nodes.get(&placer.node(row).id) {
                None => wants.push(self.want(row, None, false)),
                Some(OnNode { served: true, .. }) => continue,
                Some(OnNode { outdated: Some(old), .. }) => {
                    outdated.push(self.want(row, Some(old), true));
                    continue;
                }
                Some(OnNode { ended, .. }) => wants.push(self.want(row, ended.as_ref(), false)),
            }
            self.desired.place += 1;
        }
        self.desired.place = self.desired.place.saturating_sub(self.desired.migrate);
        let now = self.pace(&mut outdated);
        wants.extend(now);
        wants
    }

    /// At most `max_parallel` are replaced in one evaluation; another one follows after `stagger`.
    fn pace(&mut self, outdated: &mut Vec<(Row, Want)>) -> Vec<(Row, Want)> {
        let strategy = self.group.update.as_ref().filter(|strategy| strategy.rolls());
        let limit = strategy.map_or(usize::MAX, |strategy| strategy.max_parallel as usize);
        let later = outdated.split_off(limit.min(outdated.len()));
        let count = |list: &[(Row, Want)]| u32::try_from(list.len()).unwrap_or(u32::MAX);
        self.desired.destructive_update += count(outdated);
        self.desired.ignore += count(&later);
        if let Some(strategy) = strategy.filter(|_| !later.is_empty()) {
            let evaluation = self.next_step(strategy.stagger);
            self.out.followups.push(evaluation);
        }
        std::mem::take(outdated)
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
