//! Launches periodic jobs at their times.
//!
//! Each launch registers a child `JOB/periodic-SECONDS`, which must not exist: that a launch happens once is the state's to hold, whoever leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    evaluation::Trigger,
    ids::JobKey,
    job::{Job, JobStatus},
    time::UnixNanos,
};
use drover_runtime::{Random, Runtime};
use jiff::{Timestamp, tz::TimeZone};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    agenda::sleep_until,
    dirty::Dirty,
    evaluations,
    fsm::command::{Applied, Command},
    propose::Propose,
    state::{State, StateStore},
};
use cron::Cron;

mod cron;

/// The leader's service that launches periodic jobs.
#[derive(Debug)]
pub struct Launcher {
    store: Arc<StateStore>,
    proposer: Arc<dyn Propose>,
    runtime: Runtime,
    changed: Arc<Dirty<JobKey>>,
    next: BTreeMap<JobKey, UnixNanos>,
}

impl Launcher {
    pub fn new(store: Arc<StateStore>, proposer: Arc<dyn Propose>, runtime: Runtime, changed: Arc<Dirty<JobKey>>) -> Self {
        Self { store, proposer, runtime, changed, next: BTreeMap::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        self.restore();
        let changed = Arc::clone(&self.changed);
        loop {
            let next = self.next.values().min().copied();
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed.wait() => self.look_at(changed.take()),
                () = sleep_until(&self.runtime, next) => self.launch_due().await,
            }
        }
    }

    /// A launch that was due while nobody led is made up for, once.
    fn restore(&mut self) {
        let (state, now) = (self.store.snapshot(), self.runtime.clock.now());
        for job in state.jobs().filter(|job| is_launched(job)) {
            let missed = last_launch(&state, job).and_then(|last| next_launch(job, last)).filter(|at| *at <= now);
            if let Some(at) = missed.or_else(|| next_launch(job, now)) {
                self.next.insert(job.key(), at);
            }
        }
    }

    fn look_at(&mut self, keys: BTreeSet<JobKey>) {
        let (state, now) = (self.store.snapshot(), self.runtime.clock.now());
        for key in keys {
            let at = state.job(&key).filter(|job| is_launched(job)).and_then(|job| next_launch(job, now));
            match at {
                Some(at) => drop(self.next.insert(key, at)),
                None => drop(self.next.remove(&key)),
            }
        }
    }

    async fn launch_due(&mut self) {
        let now = self.runtime.clock.now();
        let due: Vec<(JobKey, UnixNanos)> = self.next.iter().filter(|(_, at)| **at <= now).map(|(key, at)| (key.clone(), *at)).collect();
        for (key, at) in due {
            let state = self.store.snapshot();
            if let Some(command) = launch(&state, &key, at, &*self.runtime.random) {
                match self.proposer.propose(command).await {
                    Ok(Applied::At { .. }) => info!(job = %key, "launched a periodic job"),
                    // Somebody launched it for this moment already.
                    Ok(Applied::Conflict { .. }) => {}
                    Ok(refused @ Applied::Refused { .. }) => warn!(job = %key, ?refused, "cannot launch a periodic job"),
                    Err(error) => warn!(job = %key, %error, "cannot launch a periodic job"),
                }
            }
            match state.job(&key).filter(|job| is_launched(job)).and_then(|job| next_launch(job, now)) {
                Some(next) => drop(self.next.insert(key, next)),
                None => drop(self.next.remove(&key)),
            }
        }
    }
}

fn is_launched(job: &Job) -> bool {
    !job.stop && job.periodic.as_ref().is_some_and(|periodic| periodic.enabled)
}

/// When a job is launched next after `after`. What admission let pass and cannot be read is never launched.
pub fn next_launch(job: &Job, after: UnixNanos) -> Option<UnixNanos> {
    let periodic = job.periodic.as_ref()?;
    let zone = match periodic.time_zone.as_str() {
        "" | "UTC" => TimeZone::UTC,
        "Local" => TimeZone::system(),
        name => TimeZone::get(name).ok()?,
    };
    let after = Timestamp::from_nanosecond(i128::from(after.0)).ok()?;
    let specs = std::iter::once(&periodic.spec).chain(periodic.specs.iter()).filter(|spec| !spec.is_empty());
    let next = specs.filter_map(|spec| Cron::parse(spec)?.next(after, &zone)).min()?;
    i64::try_from(next.as_nanosecond()).ok().map(UnixNanos)
}

/// When a job was launched last, as its children's names tell.
fn last_launch(state: &State, job: &Job) -> Option<UnixNanos> {
    let seconds = |child: &Arc<Job>| child.id.rsplit_once("/periodic-")?.1.parse::<i64>().ok();
    state.job_children(&job.key()).filter_map(seconds).max().map(|seconds| UnixNanos(seconds.saturating_mul(1_000_000_000)))
}

/// What launches a job for the moment `at`; none when it may not overlap with a launch that goes on.
fn launch(state: &State, key: &JobKey, at: UnixNanos, random: &dyn Random) -> Option<Command> {
    let parent = state.job(key).filter(|job| is_launched(job))?;
    let no_overlap = parent.periodic.as_ref().is_some_and(|periodic| periodic.prohibit_overlap);
    if no_overlap && state.job_children(key).any(|child| child.status != JobStatus::Dead) {
        return None;
    }
    let id = format!("{}/periodic-{}", parent.id, at.seconds());
    let child = Job {
        id: id.as_str().into(),
        name: id,
        parent_id: parent.id.to_string(),
        periodic: None,
        status: JobStatus::Pending,
        status_description: String::new(),
        stable: false,
        version_tag: None,
        submit_time: at,
        ..Job::clone(parent)
    };
    let evaluation = Some(evaluations::for_job(&child, Trigger::PeriodicJob, random));
    Some(Command::JobRegister { job: Arc::new(child), submission: None, enforce: Some(0), evaluation })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use drover_model::job::{JobType, Periodic};

    use super::*;
    use crate::testing::*;

    fn periodic(spec: &str, prohibit_overlap: bool) -> Job {
        let periodic = Periodic { enabled: true, spec: spec.to_owned(), prohibit_overlap, ..Periodic::default() };
        Job { kind: JobType::Batch, periodic: Some(periodic), ..job("cron", 1) }
    }

    #[test]
    fn a_moment_is_launched_once_and_not_over_another() {
        let mut world = World::default();
        let parent = world.register(periodic("*/5 * * * *", true));
        let at = next_launch(&parent, world.now()).unwrap();
        let random = Runtime::real().random;
        let command = launch(&world.state, &parent.key(), at, &*random).unwrap();
        world.run(command.clone());
        assert!(matches!(world.apply(command).0, Applied::Conflict { .. }));
        let child = world.state.job_children(&parent.key()).next().unwrap();
        assert_eq!((child.periodic.is_none(), child.status, last_launch(&world.state, &parent)), (true, JobStatus::Pending, Some(at)));
        assert!(launch(&world.state, &parent.key(), at.plus(Duration::from_secs(300)), &*random).is_none(), "the first goes on");
        assert_eq!(world.state.summary(&parent.key()).unwrap().children.pending, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn launches_come_at_their_times() {
        let runtime = Runtime { clock: Arc::new(drover_runtime::sim::SimClock::new(UnixNanos(START))), ..Runtime::real() };
        let mut world = World::default();
        let parent = world.register(periodic("*/5 * * * *", false));
        let direct = Direct::new(world, runtime.clone());
        let launcher =
            Launcher::new(Arc::clone(&direct.store), Arc::clone(&direct) as _, runtime.clone(), Arc::clone(&direct.services.jobs));
        let stop = CancellationToken::new();
        let running = tokio::spawn(launcher.run(stop.clone()));
        tokio::time::sleep(Duration::from_secs(16 * 60)).await;
        let launched: Vec<i64> =
            direct.store.snapshot().job_children(&parent.key()).map(|child| child.submit_time.seconds() % 300).collect();
        assert_eq!(launched, [0, 0, 0]);
        stop.cancel();
        running.await.unwrap();
    }
}
