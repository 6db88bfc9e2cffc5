//! Workers: take an evaluation, let the scheduler plan, submit the plan, say what came of it.

use std::{sync::Arc, time::Duration};

use drover_model::{
    evaluation::{EvalStatus, EvalType, Evaluation, Trigger},
    ids::EvalId,
    plan::{Outcome, Plan, PlanResult},
    rpc::Error,
};
use drover_runtime::Runtime;
use drover_scheduler::{Inputs, schedule};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    broker::{Broker, Delivery},
    fsm::command::Command,
    plan_applier::PlanQueue,
    propose::Propose,
    state::{State, StateStore},
};

/// Evaluations under way per scheduler. Most of an evaluation's time goes by while its plan is being committed; only [`Workers::compute`] bounds how
/// many are computed side by side.
const LANES_PER_SCHEDULER: usize = 8;
/// How long the state may take to have what an evaluation is about.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(10);
/// The most nodes, and the most allocations asked for or there already, of an evaluation that takes some tens of microseconds.
const SHORT_WORK: u32 = 32;
/// Plans in a row of which nothing was committed.
const SERVICE_ATTEMPTS: u32 = 5;
const OTHER_ATTEMPTS: u32 = 2;
/// How long an evaluation whose plans were all turned away waits for its next try.
const CONFLICT_PAUSE: Duration = Duration::from_secs(2);

/// What all workers share.
#[derive(Debug)]
pub struct Workers {
    pub store: Arc<StateStore>,
    pub broker: Arc<Broker>,
    pub plans: PlanQueue,
    pub proposer: Arc<dyn Propose>,
    pub runtime: Runtime,
    compute: Semaphore,
    lanes: usize,
}

impl Workers {
    pub fn new(
        store: Arc<StateStore>,
        broker: Arc<Broker>,
        plans: PlanQueue,
        proposer: Arc<dyn Propose>,
        runtime: Runtime,
        schedulers: usize,
    ) -> Arc<Self> {
        let schedulers = schedulers.max(1);
        let compute = Semaphore::new(schedulers);
        Arc::new(Self { store, broker, plans, proposer, runtime, compute, lanes: schedulers * LANES_PER_SCHEDULER })
    }

    /// Works until `stop`. What is half done then is given back to the broker.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut lanes = JoinSet::new();
        for _ in 0..self.lanes {
            let workers = Arc::clone(&self);
            lanes.spawn(async move {
                loop {
                    let delivery = workers.broker.dequeue().await;
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
        let mut snapshot = self.snapshot(evaluation.modify_index).await?;
        if self.is_settled(&snapshot, evaluation) {
            return Ok(());
        }
        let most = if evaluation.kind == EvalType::Service { SERVICE_ATTEMPTS } else { OTHER_ATTEMPTS };
        let mut attempts = 0;
        while attempts < most {
            let outcome = match self.compute(&snapshot, evaluation).await {
                Ok(outcome) => outcome,
                Err(error) => return self.fail(evaluation, error.to_string(), Vec::new()).await,
            };
            let Some(result) = self.carry_out(delivery, &snapshot, outcome).await? else { return Ok(()) };
            let Some(refresh) = result.refresh_index else { return Ok(()) };
            attempts = if result.index > 0 { 0 } else { attempts + 1 };
            snapshot = self.snapshot(refresh).await?;
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

    /// Calls the scheduler, on as many cores as are given to it.
    async fn compute(&self, snapshot: &State, evaluation: &Evaluation) -> Result<Outcome, drover_scheduler::Error> {
        let _permit = self.compute.acquire().await;
        let inputs = Inputs { now: self.runtime.clock.now(), seed: self.runtime.random.number() };
        if is_short(snapshot, evaluation) {
            schedule(snapshot, evaluation, inputs)
        } else {
            blocking(|| schedule(snapshot, evaluation, inputs))
        }
    }

    /// Commits what follows from an outcome. None: there was nothing to plan, and that is written down.
    async fn carry_out(&self, delivery: &Delivery, snapshot: &State, outcome: Outcome) -> Result<Option<PlanResult>, Error> {
        let evaluation = &*delivery.evaluation;
        let Outcome { plan, followups, failed, queued } = outcome;
        let (blocked, later): (Vec<_>, Vec<_>) = followups.into_iter().partition(|followup| followup.status == EvalStatus::Blocked);
        if let (EvalStatus::Blocked, true, [missing], []) = (evaluation.status, plan.is_noop(), &blocked[..], &later[..]) {
            let evaluation = Evaluation { failed_tg_allocs: failed, queued_allocations: queued, ..evaluation.clone() };
            self.upsert(vec![still_blocked(evaluation, missing, snapshot.index())]).await?;
            return Ok(None);
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
        // Before the plan, whose allocations name them: a crash between the two must not leave one waiting for an evaluation that nobody knows.
        if !later.is_empty() {
            self.upsert(later).await?;
        }
        let mut completion = vec![done];
        completion.extend(blocked);
        if plan.is_noop() {
            self.upsert(completion).await?;
            return Ok(None);
        }
        self.plans.submit(plan, delivery.token(), completion).await.map(Some)
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

/// A blocked evaluation that was tried in vain goes on waiting, and knows better for what: every try leaving a new one behind would be many.
fn still_blocked(evaluation: Evaluation, missing: &Evaluation, snapshot_index: u64) -> Evaluation {
    Evaluation {
        class_eligibility: missing.class_eligibility.clone(),
        escaped_computed_class: missing.escaped_computed_class,
        snapshot_index,
        ..evaluation
    }
}

/// The deployment that an evaluation works for: the one that its plan makes, or the one that is under way.
fn deployment_of(snapshot: &State, evaluation: &Evaluation, plan: &Plan) -> Option<drover_model::ids::DeploymentId> {
    let made = plan.deployment.as_ref().map(|deployment| deployment.id);
    let active =
        || snapshot.latest_deployment(&evaluation.job_key()).filter(|deployment| deployment.is_active()).map(|deployment| deployment.id);
    made.or_else(active).or(evaluation.deployment_id)
}

/// Whether an evaluation takes less time than handing this thread's other tasks to another thread would.
fn is_short(snapshot: &State, evaluation: &Evaluation) -> bool {
    let key = evaluation.job_key();
    let asked = snapshot.job(&key).map_or(0, |job| job.task_groups.iter().map(|group| group.count).fold(0, u32::saturating_add));
    let looked_at = asked.saturating_add(snapshot.job_counts(&key).allocations);
    looked_at <= SHORT_WORK && snapshot.nodes().nth(SHORT_WORK as usize).is_none()
}

/// Runs what keeps a core busy without holding up what else the thread would do. Where there is but one thread (simulations), it is held up: there time
/// does not pass meanwhile.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
