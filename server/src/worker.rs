//! Workers: take an evaluation, let the scheduler plan, submit the plan, say what came of it.
//!
//! Many work side by side. Each sees the plans of the others that are on their way ([`InFlight`]), so that they do not all choose the same node.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::{
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::EvalId,
    plan::{Outcome, Plan, PlanResult},
    rpc::Error,
};
use drover_runtime::{Runtime, in_place_if};
use drover_scheduler::{Inputs, Lane, schedule};
use tokio::{
    sync::{RwLock, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    broker::Delivery,
    fsm::command::Command,
    in_flight::{Announced, Foresight, InFlight},
    perform::Services,
    plan_applier::PlanQueue,
    propose::Propose,
    state::{State, StateStore},
};

#[cfg(test)]
mod tests;

/// Evaluations under way per scheduler. Most of an evaluation's time goes by while its plan is being committed; only [`Workers::compute`] bounds how
/// many are computed side by side.
const LANES_PER_SCHEDULER: usize = 8;
/// How often an evaluation lets all others have their turn before it is computed: those whose write it follows from are answered first, and go on.
const TURNS: usize = 4;
/// How long the state may take to have what an evaluation is about.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(10);
/// The most nodes, and the most allocations asked for or there already, of an evaluation that takes some tens of microseconds.
const SHORT_WORK: u32 = 32;
/// Plans in a row of which nothing was committed.
const SERVICE_ATTEMPTS: u32 = 5;
const OTHER_ATTEMPTS: u32 = 2;
/// Times that an evaluation is computed beside others. When their plans were announced first every time, it is computed while nobody else computes.
const LOOKS_AMONG_OTHERS: u32 = 3;
/// How long an evaluation whose plans were all turned away waits for its next try.
const CONFLICT_PAUSE: Duration = Duration::from_secs(2);

/// What all workers share.
#[derive(Debug)]
pub struct Workers {
    pub store: Arc<StateStore>,
    services: Arc<Services>,
    pub plans: PlanQueue,
    pub proposer: Arc<dyn Propose>,
    pub runtime: Runtime,
    in_flight: Arc<InFlight>,
    compute: Semaphore,
    desks: Mutex<Desks>,
    /// Held by those who compute side by side, and alone by one who has been beaten too often.
    alone: RwLock<()>,
    lanes: usize,
}

/// Which of the places at which schedulers compute are taken.
#[derive(Debug)]
struct Desks(Vec<bool>);

impl Desks {
    fn take(&mut self) -> Lane {
        let others = self.0.iter().any(|taken| *taken);
        let free = self.0.iter().position(|taken| !taken).unwrap_or(0);
        self.0[free] = true;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Lane { index: number(free), of: if others { number(self.0.len()) } else { 1 } }
    }
}

/// What a scheduler answered, on its way.
struct Computed {
    state: Arc<State>,
    outcome: Outcome,
    announced: Announced,
}

impl Workers {
    pub fn new(
        store: Arc<StateStore>,
        services: Arc<Services>,
        plans: PlanQueue,
        proposer: Arc<dyn Propose>,
        runtime: Runtime,
        schedulers: usize,
    ) -> Arc<Self> {
        let schedulers = schedulers.max(1);
        let (compute, desks) = (Semaphore::new(schedulers), Mutex::new(Desks(vec![false; schedulers])));
        let (in_flight, alone, lanes) = (Arc::default(), RwLock::default(), schedulers * LANES_PER_SCHEDULER);
        Arc::new(Self { store, services, plans, proposer, runtime, in_flight, compute, desks, alone, lanes })
    }

    /// The plans that are on their way.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Works until `stop`. What is half done then is given back to the broker.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut lanes = JoinSet::new();
        for _ in 0..self.lanes {
            let workers = Arc::clone(&self);
            lanes.spawn(async move {
                loop {
                    let delivery = workers.services.broker.dequeue().await;
                    for _ in 0..TURNS {
                        tokio::task::yield_now().await;
                    }
                    workers.work(delivery).await;
                }
            });
        }
        stop.cancelled().await;
        lanes.shutdown().await;
    }

    /// One evaluation from delivery to acknowledgement. Without one, the broker gives it to somebody else later.
    async fn work(&self, delivery: Delivery) {
        let id = delivery.evaluation.id;
        match self.process(&delivery).await {
            Ok(()) => delivery.ack(),
            Err(error) => debug!(eval = %id, %error, "an evaluation is given back"),
        }
    }

    async fn process(&self, delivery: &Delivery) -> Result<(), Error> {
        let evaluation = &*delivery.evaluation;
        if self.is_settled(&*self.snapshot(evaluation.modify_index).await?, evaluation) {
            return Ok(());
        }
        let most = if evaluation.kind == EvalType::Service { SERVICE_ATTEMPTS } else { OTHER_ATTEMPTS };
        let mut attempts = 0;
        while attempts < most {
            let Computed { state, outcome, announced } = match self.compute(evaluation).await {
                Ok(computed) => computed,
                Err(error) => return self.fail(evaluation, error.to_string(), Vec::new()).await,
            };
            let conclusion = conclude(evaluation, &state, outcome);
            // What changes while somebody keeps a snapshot is copied.
            drop(state);
            let result = self.carry_out(delivery, conclusion).await;
            self.give_up(announced, result.as_ref().ok().and_then(Option::as_ref));
            let Some(result) = result? else { return Ok(()) };
            let Some(refresh) = result.refresh_index else { return Ok(()) };
            attempts = if result.index > 0 { 0 } else { attempts + 1 };
            self.snapshot(refresh).await?;
        }
        let next = self.retry_later(evaluation);
        self.fail(evaluation, format!("maximum attempts reached ({most})"), vec![next]).await
    }

    async fn snapshot(&self, index: u64) -> Result<Arc<State>, Error> {
        let late = || Error::unavailable(format!("the state did not reach index {index} within {SNAPSHOT_WITHIN:?}"));
        self.store.wait_until(index, SNAPSHOT_WITHIN).await.ok_or_else(late)
    }

    /// Somebody ended or collected the evaluation while it waited.
    fn is_settled(&self, snapshot: &State, evaluation: &Evaluation) -> bool {
        evaluation.kind == EvalType::Core || snapshot.evaluation(evaluation.id).is_none_or(|known| known.status.is_terminal())
    }

    /// Calls the scheduler with the newest state, on as many cores as are given to it, and announces its plan.
    async fn compute(&self, evaluation: &Evaluation) -> Result<Computed, drover_scheduler::Error> {
        let _permit = self.compute.acquire().await;
        for _ in 0..LOOKS_AMONG_OTHERS {
            let _beside_others = self.alone.read().await;
            let lane = self.desks().take();
            let looked = self.look(evaluation, lane);
            self.desks().0[lane.index as usize] = false;
            let (foresight, outcome) = looked?;
            // Who computed at the same time, was quicker, and wants the same room, has it.
            if let Ok(announced) = self.in_flight.announce(&outcome.plan, foresight.seen, &self.store) {
                return Ok(Computed { state: foresight.state, outcome, announced });
            }
        }
        let _nobody_else = self.alone.write().await;
        let (foresight, outcome) = self.look(evaluation, Lane::default())?;
        let announced = self.in_flight.insist(&outcome.plan);
        Ok(Computed { state: foresight.state, outcome, announced })
    }

    fn desks(&self) -> MutexGuard<'_, Desks> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, evaluation: &Evaluation, lane: Lane) -> Result<(Foresight, Outcome), drover_scheduler::Error> {
        let foresight = self.in_flight.foresee(&self.store);
        let inputs = Inputs { now: self.runtime.clock.now(), seed: self.runtime.random.number(), lane };
        let short = is_short(&foresight.state, evaluation);
        let outcome = in_place_if(!short, || schedule(&foresight, evaluation, inputs))?;
        Ok((foresight, outcome))
    }

    /// The plan's outcome is known. Room that it had spoken for and did not take is news for those who saw it taken, and wait.
    fn give_up(&self, announced: Announced, result: Option<&PlanResult>) {
        let placed = result.map_or(&[][..], |result| &result.placed);
        let nodes = announced.given_up(placed);
        let namespace = announced.namespace().clone();
        drop(announced);
        if nodes.is_empty() {
            return;
        }
        let state = self.store.snapshot();
        if let Some(quota) = state.quota_of(&namespace) {
            self.services.wake_blocked_by_quota(quota, state.index() + 1);
        }
        let classes: BTreeSet<&str> = nodes.iter().filter_map(|id| state.node(*id)).map(|node| node.computed_class.as_str()).collect();
        for class in classes {
            self.services.wake_blocked(class, state.index() + 1);
        }
    }

    /// Commits what follows from an outcome. None: there was nothing to plan, and that is written down.
    async fn carry_out(&self, delivery: &Delivery, conclusion: Conclusion) -> Result<Option<PlanResult>, Error> {
        let Carry { later, plan, victims, completion } = match conclusion {
            Conclusion::StillBlocked(evaluation) => {
                self.upsert(vec![*evaluation]).await?;
                return Ok(None);
            }
            Conclusion::Carry(carry) => *carry,
        };
        // Before the plan, whose allocations name them: a crash between the two must not leave one waiting for an evaluation that nobody knows.
        if !later.is_empty() {
            self.upsert(later).await?;
        }
        if plan.is_noop() {
            self.upsert(completion).await?;
            return Ok(None);
        }
        self.plans.submit(plan, delivery.token(), victims, completion).await.map(Some)
    }

    async fn upsert(&self, evaluations: Vec<Evaluation>) -> Result<(), Error> {
        self.proposer.propose(Command::EvaluationsUpsert { evaluations }).await?.accepted()?;
        Ok(())
    }

    async fn fail(&self, evaluation: &Evaluation, description: String, next: Vec<Evaluation>) -> Result<(), Error> {
        warn!(eval = %evaluation.id, job = %evaluation.job_key(), description, "an evaluation failed");
        let mut failed = Evaluation { status: EvalStatus::Failed, status_description: description, ..evaluation.clone() };
        failed.next_eval = next.first().map(|next| next.id);
        let evaluations = std::iter::once(failed).chain(next).collect();
        self.upsert(evaluations).await
    }

    fn retry_later(&self, evaluation: &Evaluation) -> Evaluation {
        Evaluation {
            id: EvalId::from_random(self.runtime.random.id_bytes()),
            namespace: evaluation.namespace.clone(),
            job_id: evaluation.job_id.clone(),
            priority: evaluation.priority,
            kind: evaluation.kind,
            triggered_by: Trigger::MaxPlanAttempts,
            job_modify_index: evaluation.job_modify_index,
            status: EvalStatus::Pending,
            status_description: "created due to placement conflicts".to_owned(),
            previous_eval: Some(evaluation.id),
            wait_until: self.runtime.clock.now().plus(CONFLICT_PAUSE).into(),
            ..Evaluation::default()
        }
    }
}

/// What a scheduler's outcome comes to.
#[derive(Debug)]
pub(crate) enum Conclusion {
    /// A blocked evaluation found no room again, and nothing else is to be done.
    StillBlocked(Box<Evaluation>),
    Carry(Box<Carry>),
}

/// What is to be committed, in this order.
#[derive(Debug)]
pub(crate) struct Carry {
    /// Evaluations for later moments.
    pub(crate) later: Vec<Evaluation>,
    pub(crate) plan: Plan,
    /// Evaluations of jobs that lose allocations to this plan: with that part of the plan that is committed, since before it there is nothing to make up for.
    pub(crate) victims: Vec<Evaluation>,
    /// The evaluation's end, and what it leaves waiting for room: with the plan, if all of it fits.
    pub(crate) completion: Vec<Evaluation>,
}

pub(crate) fn conclude(evaluation: &Evaluation, snapshot: &State, outcome: Outcome) -> Conclusion {
    let Outcome { plan, followups, failed, queued } = outcome;
    let (blocked, others): (Vec<_>, Vec<_>) = followups.into_iter().partition(|followup| followup.status == EvalStatus::Blocked);
    let (victims, later): (Vec<_>, Vec<_>) = others.into_iter().partition(|followup| followup.triggered_by == Trigger::Preemption);
    if let (EvalStatus::Blocked, true, [missing], []) = (evaluation.status, plan.is_noop(), &blocked[..], &later[..]) {
        let evaluation = Evaluation { failed_tg_allocs: failed, queued_allocations: queued, ..evaluation.clone() };
        return Conclusion::StillBlocked(Box::new(still_blocked(evaluation, missing, snapshot.index())));
    }
    let mut done = Evaluation {
        status: EvalStatus::Complete,
        status_description: String::new(),
        failed_tg_allocs: failed,
        queued_allocations: queued,
        blocked_eval: blocked.first().map(|blocked| blocked.id),
        deployment_id: deployment_of(snapshot, evaluation, &plan),
        plan_annotations: plan.annotations.clone(),
        snapshot_index: snapshot.index(),
        ..evaluation.clone()
    };
    done.next_eval = later.first().map(|later| later.id).or(done.next_eval);
    let completion = std::iter::once(done).chain(blocked).collect();
    Conclusion::Carry(Box::new(Carry { later, plan, victims, completion }))
}

/// A blocked evaluation that was tried in vain goes on waiting, and knows better for what: every try leaving a new one behind would be many.
fn still_blocked(evaluation: Evaluation, missing: &Evaluation, snapshot_index: u64) -> Evaluation {
    Evaluation {
        class_eligibility: missing.class_eligibility.clone(),
        escaped_computed_class: missing.escaped_computed_class,
        quota_limit_reached: missing.quota_limit_reached.clone(),
        snapshot_index,
        ..evaluation
    }
}

/// The deployment that an evaluation works for: the one that its plan makes, or the one that is under way.
fn deployment_of(snapshot: &State, evaluation: &Evaluation, plan: &Plan) -> Option<drover_model::ids::DeploymentId> {
    let made = plan.deployment.as_ref().map(|deployment| deployment.id);
    let active =
        || snapshot.latest_rollout(&evaluation.job_key()).filter(|deployment| deployment.is_active()).map(|deployment| deployment.id);
    made.or_else(active).or(evaluation.deployment_id)
}

/// Whether an evaluation takes less time than handing this thread's other tasks to another thread would.
fn is_short(snapshot: &State, evaluation: &Evaluation) -> bool {
    let key = evaluation.job_key();
    let asked = snapshot.job(&key).map_or(0, |job| job.task_groups.iter().map(|group| group.count).fold(0, u32::saturating_add));
    let looked_at = asked.saturating_add(snapshot.job_counts(&key).allocations);
    looked_at <= SHORT_WORK && snapshot.nodes().nth(SHORT_WORK as usize).is_none()
}
