//! Decides what of a plan is committed: serially, against the newest state and the plans that are under way.
//!
//! Schedulers work side by side on snapshots, so two may want the same room. Here every placement is checked again, on the nodes that the plan touches
//! and on no others. While one plan is being committed the next is checked already, with the first one's placements counted in.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drover_model::{
    evaluation::Evaluation,
    ids::EvalId,
    plan::{Plan, PlanResult},
    rpc::Error,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{broker::Broker, fsm::command::Command, propose::Propose, state::StateStore};
use check::{Checked, UnderWay};

pub(crate) mod check;
mod quota;
#[cfg(test)]
mod tests;

/// Plans that wait to be checked; more wait in their workers.
const QUEUED_PLANS: usize = 128;
/// Plans that are being committed at a time.
const MAX_UNDER_WAY: usize = 64;
/// How long the local state may take to show a plan that was committed.
const APPLIED_WITHIN: Duration = Duration::from_secs(10);

/// A plan on its way to the applier.
struct Submission {
    plan: Plan,
    token: u64,
    victims: Vec<Evaluation>,
    completion: Vec<Evaluation>,
    reply: oneshot::Sender<Result<PlanResult, Error>>,
}

/// What became of the placements of all plans so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanStats {
    pub placed: u64,
    /// Their room was gone.
    pub rejected: u64,
}

/// Where workers submit their plans.
#[derive(Clone, Debug)]
pub struct PlanQueue {
    submissions: mpsc::Sender<Submission>,
    stats: Arc<Mutex<PlanStats>>,
}

impl PlanQueue {
    pub fn stats(&self) -> PlanStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once what fits of the plan is committed. `completion` is what the worker has to say of its evaluation when all of the plan fits: it is
    /// committed with it. `victims` are evaluations of jobs that lose allocations to the plan: those that do are committed with what fits.
    /// `token` is the delivery's, see [`Broker::is_outstanding`].
    pub async fn submit(&self, plan: Plan, token: u64, victims: Vec<Evaluation>, completion: Vec<Evaluation>) -> Result<PlanResult, Error> {
        let (reply, result) = oneshot::channel();
        let gone = |_| Error::unavailable("this server no longer applies plans");
        self.submissions.send(Submission { plan, token, victims, completion, reply }).await.map_err(|_| gone(()))?;
        result.await.map_err(|_| gone(()))?
    }
}

/// The one task that applies plans.
#[derive(Debug)]
pub struct PlanApplier {
    store: Arc<StateStore>,
    broker: Arc<Broker>,
    proposer: Arc<dyn Propose>,
    submissions: mpsc::Receiver<Submission>,
    under_way: BTreeMap<u64, UnderWay>,
    next: u64,
    stats: Arc<Mutex<PlanStats>>,
}

/// A plan's commit, with who waits for it.
struct Committed {
    number: u64,
    result: Result<PlanResult, Error>,
    reply: oneshot::Sender<Result<PlanResult, Error>>,
    partly: bool,
}

impl PlanApplier {
    pub fn new(store: Arc<StateStore>, broker: Arc<Broker>, proposer: Arc<dyn Propose>) -> (PlanQueue, Self) {
        let (sender, submissions) = mpsc::channel(QUEUED_PLANS);
        let stats = Arc::<Mutex<PlanStats>>::default();
        let applier = Self { store, broker, proposer, submissions, under_way: BTreeMap::new(), next: 0, stats: Arc::clone(&stats) };
        (PlanQueue { submissions: sender, stats }, applier)
    }

    /// Applies plans until `stop`. Those under way then are awaited: what becomes of them is up to consensus.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut commits = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = commits.join_next(), if !commits.is_empty() => self.finish(done, &mut commits).await,
                submission = self.submissions.recv(), if commits.len() < MAX_UNDER_WAY => match submission {
                    Some(submission) => self.start(submission, &mut commits),
                    None => break,
                },
            }
        }
        while let Some(done) = commits.join_next().await {
            self.finish(done, &mut JoinSet::new()).await;
        }
    }

    fn start(&mut self, submission: Submission, commits: &mut JoinSet<Committed>) {
        let Submission { plan, token, victims, completion, reply } = submission;
        if !self.still_delivered(plan.eval_id, token) {
            // The reader is gone when the evaluation was taken from it; then nobody minds.
            let _ = reply.send(Err(Error::unavailable("the evaluation was given to another worker")));
            return;
        }
        let state = self.store.snapshot();
        let asked = plan.placements.len();
        let checked = check::check(&state, &self.under_way, plan);
        let Checked { mut apply, under_way, placed, rejected_nodes, deferred } = checked;
        self.count(placed.len(), if deferred { 0 } else { asked - placed.len() });
        let partly = deferred || !rejected_nodes.is_empty();
        apply.evaluations = check::robbed(&state, &apply, victims);
        if !partly {
            apply.evaluations.extend(completion);
        }
        self.next += 1;
        let number = self.next;
        self.under_way.insert(number, under_way);
        let nothing = check::is_nothing(&apply);
        let (proposer, store) = (Arc::clone(&self.proposer), Arc::clone(&self.store));
        commits.spawn(async move {
            let result = if nothing { Ok(0) } else { commit(&*proposer, &store, Command::PlanApply(Box::new(apply))).await };
            let result = result.map(|index| PlanResult { index, placed, rejected_nodes, refresh_index: None });
            Committed { number, result, reply, partly }
        });
    }

    fn count(&self, placed: usize, rejected: usize) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.placed += placed as u64;
        stats.rejected += rejected as u64;
    }

    fn still_delivered(&self, eval: Option<EvalId>, token: u64) -> bool {
        eval.is_none_or(|id| self.broker.is_outstanding(id, token))
    }

    async fn finish(&mut self, done: Result<Committed, tokio::task::JoinError>, commits: &mut JoinSet<Committed>) {
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                // Its placements stay counted as under way, which is the safe side; a new term begins with none.
                warn!(%error, "committing a plan ended abnormally");
                return;
            }
        };
        self.under_way.remove(&done.number);
        if !done.partly {
            // The worker may have given up.
            let _ = done.reply.send(done.result);
            return;
        }
        // What was in the way may be a plan that is not in the state yet: the worker's next look must find it there.
        while let Some(earlier) = commits.join_next().await {
            Box::pin(self.finish(earlier, &mut JoinSet::new())).await;
        }
        let refresh = self.store.snapshot().index();
        let result = done.result.map(|result| PlanResult { refresh_index: Some(refresh), ..result });
        let _ = done.reply.send(result);
    }
}

async fn commit(proposer: &dyn Propose, store: &StateStore, command: Command) -> Result<u64, Error> {
    let index = proposer.propose(command).await?.accepted()?;
    store.wait_until(index, APPLIED_WITHIN).await;
    Ok(index)
}
