#![allow(clippy::print_stderr, reason = "what was measured, and how to replay what failed, is for whoever runs the tests")]

use std::collections::BTreeSet;

use drover_model::{
    ids::NodeId,
    job::{Job, JobType},
    node::{DriverInfo, Node},
    resources::Amounts,
};
use futures::future::BoxFuture;

use super::*;
use crate::{fsm::command::Applied, plan_applier::PlanApplier, state::TableId, testing::*};

/// A log that takes its time, as one on a disk does.
#[derive(Debug)]
struct Slow {
    direct: Arc<Direct>,
    latency: Duration,
}

impl Propose for Slow {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, Error>> {
        Box::pin(async move {
            tokio::time::sleep(self.latency).await;
            self.direct.propose(command).await
        })
    }
}

/// No two alike, so that there is always one best.
fn uneven_node(number: u16) -> Node {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    let (cpu_mhz, memory_mib) = (5000 + u64::from(number) * 3, 8000 + u64::from(number) * 7);
    let mut node = Node { id: NodeId::from_random(bytes), ..node(1, cpu_mhz, memory_mib) };
    node.drivers.insert("raw_exec".to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
    node.compute_class();
    node
}

fn batch(number: u16, count: u32) -> Job {
    let mut job = Job { kind: JobType::Batch, ..job(&format!("job-{number}"), count) };
    let group = &mut job.task_groups[0];
    group.update = None;
    let resources = &mut group.tasks[0].resources;
    (resources.cpu_mhz, resources.memory_mib) = (100 + u32::from(number % 5) * 100, 200 + u32::from(number % 3) * 150);
    job
}

/// What came of scheduling many jobs at a time.
struct Run {
    direct: Arc<Direct>,
    took: Duration,
    rejected: u64,
    computed_again: u64,
}

const COUNT: u32 = 4;

/// Registers `jobs` jobs while nobody works, then lets so many schedulers work until nothing is left to do.
async fn run(nodes: u16, jobs: u16, schedulers: usize) -> Run {
    let mut world = World::default();
    (0..nodes).for_each(|number| world.ready_node(uneven_node(number)));
    let runtime = Runtime::real();
    let direct = Direct::new(world, runtime.clone());
    let (store, services) = (Arc::clone(&direct.store), Arc::clone(&direct.services));
    services.broker.set_paused(true);
    for number in 0..jobs {
        let job = batch(number, COUNT);
        let evaluation = crate::evaluations::for_job(&job, Trigger::JobRegister, &*runtime.random);
        let command = Command::JobRegister { job: Arc::new(job), submission: None, enforce: None, evaluation: Some(evaluation) };
        direct.propose(command).await.unwrap().accepted().unwrap();
    }
    let slow: Arc<dyn Propose> = Arc::new(Slow { direct: Arc::clone(&direct), latency: Duration::from_millis(5) });
    let (queue, applier) = PlanApplier::new(Arc::clone(&store), Arc::clone(&services.broker), Arc::clone(&slow));
    let workers = Workers::new(Arc::clone(&store), Arc::clone(&services), queue.clone(), slow, runtime, schedulers);
    let stop = CancellationToken::new();
    let applying = tokio::spawn(applier.run(stop.clone()));
    let working = tokio::spawn(Arc::clone(&workers).run(stop.clone()));
    let begin = tokio::time::Instant::now();
    services.broker.set_paused(false);
    let mut state = store.snapshot();
    while state.evaluations().any(|evaluation| !evaluation.status.is_terminal()) {
        assert!(begin.elapsed() < Duration::from_secs(300), "evaluations are left: {:?}", services.broker.stats());
        state = store.wait_for(&[TableId::Evaluations], state.table_index(TableId::Evaluations), Duration::from_secs(1)).await;
    }
    let took = begin.elapsed();
    stop.cancel();
    working.await.unwrap();
    applying.await.unwrap();
    Run { direct, took, rejected: queue.stats().rejected, computed_again: workers.in_flight().turned_down() }
}

/// All is placed, nothing twice, and no node has more than it can hold.
fn check(run: &Run, jobs: u16) {
    let state = run.direct.store.snapshot();
    let names: BTreeSet<_> = state.allocations().map(|allocation| allocation.name.clone()).collect();
    assert_eq!((names.len(), state.allocation_count()), (usize::from(jobs) * COUNT as usize, names.len()));
    for drover_scheduler::Member { node, usage, .. } in state.members() {
        assert_eq!(usage.amounts.exceeds(&node.capacity()), None);
        let sum = state.allocations_of_node(node.id).fold(Amounts::default(), |sum, row| sum.plus(row.resources.amounts()));
        assert_eq!(usage.amounts, sum);
    }
}

/// Real threads, on a cluster that ends up nine tenths full.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn eight_workers_with_a_thousand_evaluations_hardly_get_in_each_others_way() {
    let run = run(250, 1000, 8).await;
    check(&run, 1000);
    let placed = run.direct.store.snapshot().allocation_count() as u64;
    eprintln!("{placed} placed in {:?}, {} rejected, {} plans computed again", run.took, run.rejected, run.computed_again);
    assert!(run.rejected * 100 < placed, "{} of {placed} were rejected", run.rejected);
}

/// In virtual time: what is measured is how well workers use the time that commits take.
#[tokio::test(start_paused = true)]
async fn more_workers_are_done_sooner() {
    let mut before = Duration::MAX;
    for schedulers in [1, 2, 4, 8] {
        let run = run(80, 256, schedulers).await;
        check(&run, 256);
        assert_eq!(run.rejected, 0);
        assert!(run.took < before, "{schedulers} workers took {:?}, half as many {before:?}", run.took);
        before = run.took;
    }
}
