//! What only the leader does, from the moment it leads until it no longer does.

use std::{sync::Arc, time::Duration};

use drover_model::{
    evaluation::{EvalStatus, Evaluation, Trigger},
    ids::EvalId,
    rpc::Error,
};
use drover_runtime::Runtime;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    broker::{DELIVERY_LIMIT, Leftovers},
    config::ServerConfig,
    consensus::Leadership,
    deployments, drain,
    fsm::command::Command,
    gc,
    identity::Keyring,
    perform::Services,
    periodic,
    plan_applier::PlanApplier,
    propose::Propose,
    rolls,
    state::{State, StateStore},
    worker::Workers,
};

/// After a step of a term that failed.
const RETRY: Duration = Duration::from_millis(500);
/// How long the services of a term may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long an evaluation that could not be scheduled waits for its next try, and at most as much again.
const FAILED_PAUSE: Duration = Duration::from_secs(60);

/// What the services of a term are made of.
#[derive(Debug)]
pub struct Leader {
    pub store: Arc<StateStore>,
    pub services: Arc<Services>,
    pub proposer: Arc<dyn Propose>,
    pub runtime: Runtime,
    pub config: ServerConfig,
    pub keyring: Keyring,
}

impl Leader {
    /// Starts the leader's services whenever this server comes to lead and ends them when it no longer does, until `stop`.
    pub async fn run(self: Arc<Self>, mut leadership: watch::Receiver<Leadership>, stop: CancellationToken) {
        loop {
            let number = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                now = leadership.wait_for(|now| now.is_self) => match now {
                    Ok(now) => now.term,
                    Err(_) => return,
                },
            };
            let term = stop.child_token();
            let mut tasks = JoinSet::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = async { leadership.wait_for(|now| !now.is_self || now.term != number).await.is_ok() } => {}
                () = self.services.restored.notified() => info!("the state was restored; the leader's services begin anew"),
                ended = self.lead(&mut tasks, &term) => {
                    error!(ended, "a service of the leader ended; all are started again");
                    tokio::time::sleep(RETRY).await;
                }
            }
            self.services.stop_leading();
            term.cancel();
            if tokio::time::timeout(END_WITHIN, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
                warn!("the leader's services did not end in time");
                tasks.shutdown().await;
            }
            info!("this server no longer leads");
        }
    }

    /// Leads until a service ends, which none should. Says what happened.
    async fn lead(self: &Arc<Self>, tasks: &mut JoinSet<&'static str>, term: &CancellationToken) -> String {
        while let Err(error) = self.prepare().await {
            warn!(%error, "cannot begin to lead yet; trying again");
            tokio::time::sleep(RETRY).await;
        }
        info!("this server leads");
        self.services.begin_leading();
        self.start(tasks, term);
        self.restore(&self.store.snapshot());
        match tasks.join_next().await {
            Some(Ok(name)) => format!("{name} ended"),
            Some(Err(error)) => error.to_string(),
            None => "there are no services".to_owned(),
        }
    }

    /// Makes what every cluster has from its beginning.
    async fn prepare(&self) -> Result<(), Error> {
        if self.store.snapshot().scheduler_config().create_index == 0 {
            let command = Command::SchedulerConfig { config: Box::new(self.config.scheduler.clone()), check: Some(0) };
            self.proposer.propose(command).await?.accepted()?;
        }
        if self.store.snapshot().autopilot_config().create_index == 0 {
            let command = Command::AutopilotConfig { config: Box::new(self.config.autopilot.clone()), check: Some(0) };
            // Another leader may have been first.
            self.proposer.propose(command).await?;
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, tasks: &mut JoinSet<&'static str>, term: &CancellationToken) {
        let Self { store, services, proposer, runtime, config, keyring } = &**self;
        let (plans, applier) = PlanApplier::new(Arc::clone(store), Arc::clone(&services.broker), Arc::clone(proposer));
        let workers =
            Workers::new(Arc::clone(store), Arc::clone(services), plans, Arc::clone(proposer), runtime.clone(), config.schedulers);
        let watcher =
            deployments::Watcher::new(Arc::clone(store), Arc::clone(proposer), runtime.clone(), Arc::clone(&services.deployments));
        let heartbeats = Arc::clone(&services.heartbeats).run(Arc::clone(store), Arc::clone(proposer), runtime.clone(), term.clone());
        let drains = drain::run(Arc::clone(store), Arc::clone(proposer), runtime.clone(), Arc::clone(&services.drains), term.clone());
        let collector = gc::run(Arc::clone(store), config.gc, Arc::clone(proposer), runtime.clone(), term.clone());
        spawn(tasks, "the plan applier", applier.run(term.clone()));
        spawn(tasks, "the workers", workers.run(term.clone()));
        spawn(tasks, "the deployments watcher", watcher.run(term.clone()));
        let launcher = periodic::Launcher::new(Arc::clone(store), Arc::clone(proposer), runtime.clone(), Arc::clone(&services.jobs));
        spawn(tasks, "the launcher of periodic jobs", launcher.run(term.clone()));
        let rolls = rolls::Watcher::new(Arc::clone(store), Arc::clone(proposer), runtime.clone(), Arc::clone(&services.rolls));
        spawn(tasks, "the watcher of changed templates", rolls.run(term.clone()));
        spawn(tasks, "heartbeats", heartbeats);
        spawn(tasks, "drains", drains);
        spawn(tasks, "the collector", collector);
        let (leader, stop) = (Arc::clone(self), term.clone());
        spawn(tasks, "the broker's delays", async move {
            let clock = Arc::clone(&leader.runtime.clock);
            tokio::select! {
                () = stop.cancelled() => {}
                () = leader.services.broker.run_delays(|| clock.now()) => {}
            }
        });
        let (keyring, stop) = (keyring.clone(), term.clone());
        spawn(tasks, "the keyring", async move {
            tokio::select! {
                () = stop.cancelled() => return,
                () = keyring.ensure() => {}
            }
            stop.cancelled().await;
        });
        spawn(tasks, "the broker's leftovers", Arc::clone(self).write_leftovers(term.clone()));
    }

    /// Gives the services what the state says is to be done. Blocked evaluations are tried once: room may have come while nobody led.
    fn restore(&self, state: &State) {
        let (broker, now) = (&self.services.broker, self.runtime.clock.now());
        broker.set_paused(state.scheduler_config().pause_eval_broker);
        for evaluation in state.evaluations().filter(|evaluation| !evaluation.status.is_terminal()) {
            broker.enqueue(Arc::clone(evaluation), now);
        }
    }

    async fn write_leftovers(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let leftovers = tokio::select! {
                () = stop.cancelled() => return,
                leftovers = self.services.broker.leftovers() => leftovers,
            };
            if leftovers.reload {
                self.restore(&self.store.snapshot());
            }
            let evaluations = self.evaluations_of(leftovers);
            while let Err(error) = self.upsert(evaluations.clone()).await {
                warn!(%error, "cannot write what became of evaluations; trying again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        }
    }

    async fn upsert(&self, evaluations: Vec<Evaluation>) -> Result<(), Error> {
        if !evaluations.is_empty() {
            self.proposer.propose(Command::EvaluationsUpsert { evaluations }).await?.accepted()?;
        }
        Ok(())
    }

    /// What became of them, as it is written into the state.
    fn evaluations_of(&self, leftovers: Leftovers) -> Vec<Evaluation> {
        let Leftovers { superseded, failed, reload: _ } = leftovers;
        let canceled = superseded.iter().map(|evaluation| Evaluation {
            status: EvalStatus::Canceled,
            status_description: "canceled after more recent eval was processed".to_owned(),
            ..Evaluation::clone(evaluation)
        });
        let mut evaluations: Vec<_> = canceled.collect();
        for evaluation in failed {
            let next = self.follow_up(&evaluation);
            evaluations.push(Evaluation {
                status: EvalStatus::Failed,
                status_description: format!("evaluation reached delivery limit ({DELIVERY_LIMIT})"),
                next_eval: Some(next.id),
                ..Evaluation::clone(&evaluation)
            });
            evaluations.push(next);
        }
        evaluations
    }

    fn follow_up(&self, failed: &Evaluation) -> Evaluation {
        let random = &*self.runtime.random;
        Evaluation {
            id: EvalId::from_random(random.id_bytes()),
            namespace: failed.namespace.clone(),
            job_id: failed.job_id.clone(),
            priority: failed.priority,
            kind: failed.kind,
            triggered_by: Trigger::FailedFollowUp,
            job_modify_index: failed.job_modify_index,
            status: EvalStatus::Pending,
            previous_eval: Some(failed.id),
            wait: FAILED_PAUSE + random.jitter(FAILED_PAUSE),
            ..Evaluation::default()
        }
    }
}

fn spawn(tasks: &mut JoinSet<&'static str>, name: &'static str, service: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(async move {
        service.await;
        name
    });
}
