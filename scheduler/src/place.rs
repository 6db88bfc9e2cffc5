//! From what a job still needs to allocations on nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    allocation::{AllocDeploymentStatus, AllocMetric, Allocation, ClientStatus, DesiredStatus, RescheduleTracker, index_of},
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, Name, NodeId},
    job::{Job, TaskGroup},
    json::Map,
    node::Node,
    resources::Amounts,
    time::UnixNanos,
};

use crate::{
    Config, Inputs, Lane, QuotaRoom, Snapshot,
    feasible::Requirements,
    fit::Misfit,
    inputs::Stream,
    place::{
        ask::Ask,
        fleet::{Fleet, Row},
        search::{Context, Count, Live, Pick, Search},
        sticky::is_numbered,
        ties::Ties,
    },
};

pub(crate) mod ask;
mod balance;
mod cores;
mod devices;
pub(crate) mod fleet;
mod liking;
pub(crate) mod metric;
mod network;
mod preempt;
mod property;
mod quota;
mod score;
pub(crate) mod search;
mod spread;
mod sticky;
pub(crate) mod ties;

/// So many placements of a group in one plan show scores. Nobody reads ten thousand tables, and making and keeping them would cost more than the placing.
const DETAILED_METRICS: usize = 64;

/// While many are placed, it is looked at so many times which classes are better left to others, but not after fewer placements than this.
const LOOKS_AT_BALANCE: usize = 16;
const LEAST_STEP: usize = 64;

/// One allocation that is to be placed.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) name: Name,
    /// The version to run, which is not the newest one where a replacement comes before its promotion.
    pub(crate) job: Arc<Job>,
    pub(crate) group: Name,
    pub(crate) canary: bool,
    /// Whether it is part of the roll-out.
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) previous: Option<Arc<Allocation>>,
    /// For one that is rescheduled after a failure.
    pub(crate) tracker: Option<RescheduleTracker>,
    /// Stopped if, and only if, this one is placed: its room is free for it.
    pub(crate) replaces: bool,
}

/// What became of a want.
#[derive(Debug)]
pub(crate) enum Placed {
    Yes(Box<Allocation>),
    No,
}

pub(crate) struct Placer<'s> {
    snapshot: &'s dyn Snapshot,
    evaluation: &'s Evaluation,
    config: Config,
    /// Tells the newest version of the job from those before it.
    version: u64,
    /// What is left of the namespace's quota, as the plan stands.
    quota: Option<QuotaRoom>,
    quota_reached: bool,
    lane: Lane,
    fleet: Fleet<'s>,
    live: Live,
    stream: Stream,
    now: UnixNanos,
    pub(crate) failed: BTreeMap<Name, AllocMetric>,
    pub(crate) queued: BTreeMap<Name, u32>,
    pub(crate) class_eligibility: Map<bool>,
    pub(crate) escaped: bool,
    /// Allocations of other jobs that make way, each with the one it makes way for.
    pub(crate) evicted: Vec<(Arc<Allocation>, AllocId)>,
    /// What the plan stops or evicts.
    leaving: BTreeSet<AllocId>,
}

impl<'s> Placer<'s> {
    pub(crate) fn new(snapshot: &'s dyn Snapshot, evaluation: &'s Evaluation, job: &Job, inputs: Inputs, stream: Stream) -> Self {
        Self {
            snapshot,
            evaluation,
            config: snapshot.scheduler_config(&job.node_pool),
            version: job.version,
            quota: snapshot.quota(&job.namespace),
            quota_reached: false,
            lane: inputs.lane,
            fleet: Fleet::new(snapshot, job),
            live: Live::new(),
            stream,
            now: inputs.now,
            failed: BTreeMap::new(),
            queued: BTreeMap::new(),
            class_eligibility: Map::default(),
            escaped: false,
            evicted: Vec::new(),
            leaving: BTreeSet::new(),
        }
    }

    /// An allocation of the job that stays. `passing`: until the newest version replaces it.
    pub(crate) fn keep(&mut self, allocation: &Allocation, passing: bool) {
        let count = self.live.entry(allocation.task_group.clone()).or_default().entry(allocation.node_id).or_default();
        count.all += 1;
        count.passing += u32::from(passing);
    }

    /// An allocation of the job that is stopped by this plan: its room is free.
    pub(crate) fn release(&mut self, allocation: &Allocation) {
        self.leaving.insert(allocation.id);
        self.give_back_to_quota(allocation);
        if let Some(row) = self.fleet.row(allocation.node_id).filter(|_| allocation.holds_resources()) {
            self.fleet.remove(row, allocation);
        }
    }

    fn no_longer_live(&mut self, group: &Name, node: NodeId) {
        if let Some(count) = self.live.get_mut(group).and_then(|nodes| nodes.get_mut(&node)) {
            *count = Count { all: count.all.saturating_sub(1), passing: count.passing.saturating_sub(1) };
        }
    }

    /// Places as many as possible, in order. The answer has one entry for each want.
    pub(crate) fn place(&mut self, wants: &[Want]) -> Vec<Placed> {
        let mut placed = Vec::with_capacity(wants.len());
        // One search for each run of wants with the same version: nearly always one in all.
        let are_alike = |a: &Want, b: &Want| Arc::ptr_eq(&a.job, &b.job) && a.group == b.group && !is_numbered(a);
        for run in wants.chunk_by(are_alike) {
            let job = Arc::clone(&run[0].job);
            match job.group(&run[0].group) {
                Some(group) => self.place_run(&job, group, run, &mut placed),
                None => placed.extend(run.iter().map(|_| Placed::No)),
            }
        }
        placed
    }

    /// The rows that suit a group, whatever runs there.
    pub(crate) fn feasible(&self, job: &Job, group: &TaskGroup) -> Vec<Row> {
        let (ask, requirements) = (Ask::new(group, self.config.memory_oversubscription), Requirements::new(job, group));
        let by_class: Vec<_> = self.fleet.classes().map(|node| requirements.refused_by_class(node).is_none()).collect();
        let suits = |row: &Row| {
            let node = self.fleet.node(*row);
            by_class[self.fleet.class_of(*row)] && requirements.refused_by_node(node).is_none() && ask.refused_by(node).is_none()
        };
        (0..self.fleet.len()).filter(suits).collect()
    }

    pub(crate) fn node(&self, row: Row) -> &'s Arc<Node> {
        self.fleet.node(row)
    }

    pub(crate) fn row(&self, id: NodeId) -> Option<Row> {
        self.fleet.row(id)
    }

    /// Places each want on its own row or not at all. All are of one group. The answer has one entry for each want.
    pub(crate) fn place_each(&mut self, job: &Arc<Job>, group: &TaskGroup, wants: &[(Row, Want)]) -> Vec<Placed> {
        let (ask, requirements) = (Ask::new(group, self.config.memory_oversubscription), Requirements::new(job, group));
        let mut search = self.search(job, group, &ask, &requirements);
        let survey = Arc::new(metric::survey(&search, &self.fleet, job));
        let mut placed = Vec::with_capacity(wants.len());
        for (row, want) in wants {
            let replaced = want.previous.as_ref().filter(|_| want.replaces);
            if let Some(old) = replaced {
                self.give_up(&mut search, old);
            }
            let shortage = self.beyond_quota(&search, want);
            let allocation = if shortage.is_none() { self.place_on(&mut search, want, &survey, *row) } else { None };
            match allocation {
                Some(allocation) => placed.push(Placed::Yes(Box::new(allocation))),
                None => {
                    match shortage {
                        Some(shortage) => self.note_shortage(&survey, want, shortage),
                        None => self.note_failure(&search, want, job, Some(*row)),
                    }
                    if let Some(old) = replaced {
                        self.take_back(&mut search, old);
                    }
                    placed.push(Placed::No);
                }
            }
        }
        placed
    }

    fn place_on(&mut self, search: &mut Search<'_>, want: &Want, survey: &Arc<AllocMetric>, row: Row) -> Option<Allocation> {
        let pick = search.admits(&self.fleet, row).then(|| Pick { row, parts: search.parts(&self.fleet, row).alone() });
        let taken = pick.map(|pick| self.take(search, want, pick, survey, Some(&[])));
        match taken {
            Some(Ok(allocation)) => Some(allocation),
            Some(Err(Misfit::Quota)) => {
                search.exclude(row, Misfit::Quota);
                None
            }
            _ => self.preempt(search, want, survey, row..row + 1),
        }
    }

    fn search<'a>(&mut self, job: &'a Job, group: &'a TaskGroup, ask: &'a Ask<'a>, requirements: &'a Requirements<'a>) -> Search<'a> {
        let ties = Ties { seed: self.stream.number(), lane: self.lane };
        let (newest, algorithm) = (job.version == self.version, self.config.algorithm);
        let context = Context { snapshot: self.snapshot, fleet: &self.fleet, live: &self.live, algorithm, ties, newest };
        Search::new(context, job, group, ask, requirements)
    }

    fn place_run(&mut self, job: &Arc<Job>, group: &TaskGroup, wants: &[Want], placed: &mut Vec<Placed>) {
        let index = index_of(&wants[0].name);
        let ask = Ask::new(group, self.config.memory_oversubscription).numbered(index);
        let requirements = Requirements::new(job, group).numbered(index);
        let mut search = self.search(job, group, &ask, &requirements);
        let survey = Arc::new(metric::survey(&search, &self.fleet, job));
        let mut hopeless = false;
        let step = (wants.len() / LOOKS_AT_BALANCE).max(LEAST_STEP);
        for (index, want) in wants.iter().enumerate() {
            if index > 0 && index % step == 0 {
                search.balance(&self.fleet);
            }
            let replaced = want.previous.as_ref().filter(|_| want.replaces);
            if let Some(old) = replaced {
                self.give_up(&mut search, old);
            }
            let shortage = self.beyond_quota(&search, want);
            let allocation = if shortage.is_none() {
                let rows = if hopeless { 0..0 } else { self.rows_for(group, want) };
                let allocation = self.place_one(&mut search, want, &survey, index < DETAILED_METRICS);
                let allocation = allocation.or_else(|| self.preempt(&mut search, want, &survey, rows));
                // Nobody makes way for the next one either, and looking at all nodes again for each of thousands would take long.
                hopeless = allocation.is_none();
                allocation
            } else {
                None
            };
            match allocation {
                Some(allocation) => placed.push(Placed::Yes(Box::new(allocation))),
                None => {
                    match shortage {
                        Some(shortage) => self.note_shortage(&survey, want, shortage),
                        None => self.note_failure(&search, want, job, None),
                    }
                    if let Some(old) = replaced {
                        self.take_back(&mut search, old);
                    }
                    placed.push(Placed::No);
                }
            }
        }
    }

    /// Frees the room of an allocation for its replacement.
    fn give_up(&mut self, search: &mut Search<'_>, old: &Allocation) {
        self.release(old);
        self.no_longer_live(&old.task_group, old.node_id);
        if let Some(node) = self.snapshot.node(old.node_id) {
            search.removed(&self.fleet, node, self.fleet.row(old.node_id));
        }
    }

    fn take_back(&mut self, search: &mut Search<'_>, old: &Allocation) {
        self.leaving.remove(&old.id);
        self.keep(old, true);
        if let Some(row) = self.fleet.row(old.node_id) {
            if old.holds_resources() {
                self.fleet.add(row, old, old.resources.amounts());
            }
            search.restored(&self.fleet, row);
        }
        if old.holds_resources() {
            self.take_of_quota(old);
        }
    }

    fn place_one(&mut self, search: &mut Search<'_>, want: &Want, survey: &Arc<AllocMetric>, detailed: bool) -> Option<Allocation> {
        if let Some(row) = self.bound_to(search.group, want) {
            let pick = row.filter(|row| search.admits(&self.fleet, *row)).map(|row| Pick { row, parts: search.parts(&self.fleet, row) })?;
            return self.take(search, want, pick, survey, Some(&[])).ok();
        }
        let penalized = self.rows_to_avoid(want);
        let preferred = self.preferred_row(search, want);
        let best = detailed.then(|| search.best(&self.fleet, metric::SHOWN_NODES));
        loop {
            let pick = search.pick(&self.fleet, &penalized, preferred)?;
            match self.take(search, want, pick, survey, best.as_deref()) {
                Ok(allocation) => return Some(allocation),
                Err(misfit) => search.exclude(pick.row, misfit),
            }
        }
    }

    /// Makes an allocation on a node that has room, unless ports or devices turn out to be used up.
    fn take(
        &mut self,
        search: &mut Search<'_>,
        want: &Want,
        pick: Pick,
        survey: &Arc<AllocMetric>,
        best: Option<&[Pick]>,
    ) -> Result<Allocation, Misfit> {
        let node = self.fleet.node(pick.row);
        let resources = search.ask.assign(node, self.fleet.exclusive(pick.row), self.stream.number())?;
        self.check_quota(want, &resources)?;
        let metrics = match best {
            Some(best) => Arc::new(AllocMetric { score_meta_data: metric::scores(&self.fleet, pick, best), ..(**survey).clone() }),
            None => Arc::clone(survey),
        };
        let amounts = if search.ask.is_plain() { *search.ask.amounts() } else { resources.amounts() };
        let allocation = Allocation { resources, metrics, ..self.allocation(want, pick) };
        self.settle(search, pick.row, &allocation, amounts);
        Ok(allocation)
    }

    fn settle(&mut self, search: &mut Search<'_>, row: Row, allocation: &Allocation, amounts: Amounts) {
        self.fleet.add(row, allocation, amounts);
        self.keep(allocation, false);
        self.take_of_quota(allocation);
        search.placed(&self.fleet, row);
    }

    /// Nodes on which earlier attempts failed.
    fn rows_to_avoid(&self, want: &Want) -> Vec<Row> {
        let Some(tracker) = &want.tracker else { return Vec::new() };
        let mut rows: Vec<_> = tracker.events.iter().filter_map(|event| self.fleet.row(event.previous_node?)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// A group with a sticky disk would rather stay where its data are.
    fn preferred_row(&self, search: &Search<'_>, want: &Want) -> Option<Row> {
        if !search.group.ephemeral_disk.sticky {
            return None;
        }
        self.fleet.row(want.previous.as_ref()?.node_id)
    }

    fn allocation(&mut self, want: &Want, pick: Pick) -> Allocation {
        let node = self.fleet.node(pick.row);
        Allocation {
            id: self.stream.alloc_id(),
            namespace: want.job.namespace.clone(),
            eval_id: self.evaluation.id,
            name: want.name.clone(),
            node_id: node.id,
            node_name: node.name.as_str().into(),
            job_id: want.job.id.clone(),
            job: Arc::clone(&want.job),
            task_group: want.group.clone(),
            desired_status: DesiredStatus::Run,
            client_status: ClientStatus::Pending,
            deployment_id: want.deployment,
            deployment_status: want.canary.then(|| AllocDeploymentStatus { canary: true, ..AllocDeploymentStatus::default() }),
            reschedule_tracker: want.tracker.clone(),
            previous_allocation: want.previous.as_ref().map(|previous| previous.id),
            create_time: self.now,
            modify_time: self.now,
            ..Allocation::default()
        }
    }

    /// `row` is where it had to be placed; none if it could have been anywhere.
    fn note_failure(&mut self, search: &Search<'_>, want: &Want, job: &Job, row: Option<Row>) {
        *self.queued.entry(want.group.clone()).or_default() += 1;
        self.quota_reached |= Self::is_kept_by_quota(search);
        let before = self.failed.get_mut(&want.group);
        let short = before.as_ref().map_or(0, |metric| metric.coalesced_failures + 1);
        if let Some(metric) = before.filter(|metric| metric.quota_exhausted.is_empty()) {
            metric::coalesce(metric);
            return;
        }
        // What was kept back by the quota alone until now waits for nodes too.
        let rows = row.map_or(0..self.fleet.len(), |row| row..row + 1);
        let mut metric = metric::failure(search, &self.fleet, job, rows);
        (0..short).for_each(|_| metric::coalesce(&mut metric));
        self.failed.insert(want.group.clone(), metric);
        self.escaped |= search.requirements.escape_class();
        for (node, in_scope) in self.fleet.scopes() {
            let eligible = in_scope && search.requirements.refused_by_class(node).is_none();
            // A class that suits one group of the job is worth waking up for.
            *self.class_eligibility.entry(node.computed_class.clone()).or_insert(false) |= eligible;
        }
    }
}
