//! The servers of a story: the state, what waits to be scheduled, and who decides what.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::{DeploymentId, EvalId, JobKey},
    time::UnixNanos,
};
use drover_scheduler::{Inputs, schedule};

use super::{dice::Dice, invariants};
use crate::{
    blocked::Blocked,
    deployments::{self, Seen},
    drain, evaluations,
    fsm::{Effect, command::Command},
    plan_applier::check,
    state::{State, TableId},
    testing::World,
    worker::{Carry, Conclusion, conclude},
};

/// Plans of one evaluation that may be turned away in a row. More would be a livelock.
const MOST_ATTEMPTS: u32 = 10;
/// Evaluations that may follow from each other while no time passes.
const MOST_EVALUATIONS: u32 = 2000;

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) world: World,
    pub(super) dice: Dice,
    pub(super) blocked: Blocked,
    pub(super) pending: BTreeMap<EvalId, Arc<Evaluation>>,
    deployments: BTreeSet<DeploymentId>,
    seen: BTreeMap<DeploymentId, Seen>,
    pub(super) aloud: bool,
}

impl Cluster {
    pub(super) fn new(seed: u64, aloud: bool) -> Self {
        let blocked = Blocked::default();
        blocked.set_enabled(true);
        let dice = Dice::new(seed);
        let (world, pending) = (World::default(), BTreeMap::new());
        Self { world, dice, blocked, pending, deployments: BTreeSet::new(), seen: BTreeMap::new(), aloud }
    }

    pub(super) fn state(&self) -> &State {
        &self.world.state
    }

    pub(super) fn now(&self) -> UnixNanos {
        self.world.now()
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.aloud {
            eprintln!("{:>6} s, index {}: {}", self.world.seconds, self.world.state.index(), what());
        }
    }

    /// Applies a command and does what follows. Refusals are part of the story.
    pub(super) fn run(&mut self, command: Command) -> bool {
        let (applied, effects) = self.world.apply(command);
        for effect in effects {
            match effect {
                Effect::Evaluate(evaluation) => _ = self.pending.insert(evaluation.id, evaluation),
                Effect::Block(evaluation) => self.pending.extend(self.blocked.block(evaluation).map(|again| (again.id, again))),
                Effect::Settled(evaluation) => {
                    self.pending.remove(&evaluation.id);
                    self.blocked.forget(evaluation.id);
                }
                Effect::Unblock { class, index } => {
                    self.pending.extend(self.blocked.unblock(&class, index).into_iter().map(|woken| (woken.id, woken)));
                }
                Effect::UnblockQuota { quota, index } => {
                    self.pending.extend(self.blocked.unblock_quota(&quota, index).into_iter().map(|woken| (woken.id, woken)));
                }
                Effect::DeploymentChanged(id) => _ = self.deployments.insert(id),
                _ => {}
            }
        }
        if self.state().table_index(TableId::Allocations) == self.state().index() {
            invariants::check(self);
        }
        applied.accepted().is_ok()
    }

    pub(super) fn evaluate(&mut self, key: &JobKey, trigger: Trigger) {
        let Some(job) = self.state().job(key).cloned() else { return };
        let evaluation = evaluations::for_job(&job, trigger, &self.dice);
        self.run(Command::EvaluationsUpsert { evaluations: vec![evaluation] });
    }

    /// Lets watcher, drainer and workers work until there is nothing left for them at this moment.
    pub(super) fn settle(&mut self) {
        for _ in 0..MOST_EVALUATIONS {
            self.watch_deployments();
            drain::decide(self.state(), self.now(), &self.dice).into_iter().for_each(|command| _ = self.run(command));
            let due = self.due();
            if due.is_empty() && self.deployments.is_empty() {
                return;
            }
            self.schedule(&due);
        }
        panic!(
            "evaluations follow from each other without end: {:?}",
            self.pending.values().map(|e| (e.job_key(), e.triggered_by)).collect::<Vec<_>>()
        );
    }

    fn watch_deployments(&mut self) {
        let active: Vec<_> =
            self.state().deployments().filter(|deployment| deployment.is_active()).map(|deployment| deployment.id).collect();
        self.deployments.clear();
        for id in active {
            let seen = self.seen.get(&id).copied().unwrap_or_default();
            let decision = deployments::decide(self.state(), id, seen, self.now(), &self.dice);
            self.seen.insert(id, decision.seen);
            if let Some(command) = decision.command {
                self.run(command);
            }
        }
    }

    /// What is to be scheduled now: up to three evaluations of different jobs, of which the workers see the same state.
    fn due(&self) -> Vec<Arc<Evaluation>> {
        let mut due: Vec<_> = self.pending.values().filter(|evaluation| self.is_due(evaluation)).cloned().collect();
        due.sort_by_key(|evaluation| (std::cmp::Reverse(evaluation.priority), evaluation.create_index, evaluation.id));
        let mut jobs = BTreeSet::new();
        due.retain(|evaluation| jobs.insert(evaluation.job_key()));
        due.truncate(1 + self.dice.below(3) as usize);
        due
    }

    fn is_due(&self, evaluation: &Evaluation) -> bool {
        let waited = if evaluation.wait.is_zero() { UnixNanos::NEVER } else { evaluation.create_time.plus(evaluation.wait) };
        waited.max(evaluation.wait_until.0) <= self.now()
    }

    fn schedule(&mut self, due: &[Arc<Evaluation>]) {
        let snapshot = self.state().clone();
        for evaluation in due {
            self.pending.remove(&evaluation.id);
            self.process(evaluation, snapshot.clone());
        }
    }

    fn process(&mut self, evaluation: &Evaluation, mut snapshot: State) {
        for _ in 0..MOST_ATTEMPTS {
            let settled = |known: &Arc<Evaluation>| known.status.is_terminal();
            if evaluation.kind == EvalType::Core || self.state().evaluation(evaluation.id).is_none_or(settled) {
                return;
            }
            let outcome = match schedule(&snapshot, evaluation, Inputs::alone(self.now(), self.dice.roll())) {
                Ok(outcome) => outcome,
                Err(error) => {
                    let failed = Evaluation { status: EvalStatus::Failed, status_description: error.to_string(), ..evaluation.clone() };
                    self.run(Command::EvaluationsUpsert { evaluations: vec![failed] });
                    return;
                }
            };
            invariants::check_outcome(&snapshot, evaluation, &outcome);
            if self.carry_out(evaluation, &snapshot, outcome) {
                return;
            }
            snapshot = self.state().clone();
        }
        panic!("the plans of {:?} are turned away again and again", evaluation.job_key());
    }

    /// Whether all of it was committed.
    fn carry_out(&mut self, evaluation: &Evaluation, snapshot: &State, outcome: drover_model::plan::Outcome) -> bool {
        let carry = match conclude(evaluation, snapshot, outcome) {
            Conclusion::StillBlocked(waiting) => {
                self.run(Command::EvaluationsUpsert { evaluations: vec![*waiting] });
                return true;
            }
            Conclusion::Carry(carry) => *carry,
        };
        let Carry { later, plan, victims, completion } = carry;
        self.note(|| {
            format!(
                "{} ({:?}): {} placed, {} stopped, {} updated, {} later",
                evaluation.job_id,
                evaluation.triggered_by,
                plan.placements.len(),
                plan.stops.len(),
                plan.updates.len(),
                later.len()
            )
        });
        if !later.is_empty() {
            self.run(Command::EvaluationsUpsert { evaluations: later });
        }
        if plan.is_noop() {
            self.run(Command::EvaluationsUpsert { evaluations: completion });
            return true;
        }
        let checked = check::check(self.state(), &BTreeMap::new(), plan);
        let whole = !checked.deferred && checked.rejected_nodes.is_empty();
        let mut apply = checked.apply;
        apply.evaluations = check::robbed(self.state(), &apply, victims);
        if whole {
            apply.evaluations.extend(completion);
        }
        self.run(Command::PlanApply(Box::new(apply)));
        whole
    }
}
