use std::collections::BTreeSet;

use drover_model::{
    allocation::{Allocation, DesiredStatus},
    ids::AllocId,
    plan::Stop,
    spec::Volume,
    volume::AccessMode,
};
use drover_runtime::Runtime;
use proptest::prelude::*;

use super::*;
use crate::{state::State, testing::*};

fn sized(number: u8, job: &Arc<drover_model::job::Job>, on: u8, cpu_mhz: u64, ports: &[u16]) -> Allocation {
    Allocation { resources: resources(cpu_mhz, 10, ports), ..allocation(number, job, on) }
}

fn plan(placements: Vec<Allocation>) -> Plan {
    Plan { placements, ..Plan::default() }
}

fn stop(number: u8, on: u8) -> Stop {
    Stop {
        id: alloc_id(number),
        node_id: node_id(on),
        desired_status: DesiredStatus::Stop,
        description: "".into(),
        client_status: None,
        followup_eval: None,
        preempted_by: None,
    }
}

fn world() -> (World, Arc<drover_model::job::Job>) {
    let mut world = World::default();
    world.ready_node(node(1, 1000, 1000));
    world.ready_node(node(2, 1000, 1000));
    let job = world.register(job("web", 1));
    (world, job)
}

fn split(state: &State, plan: Plan) -> (Vec<AllocId>, Vec<u8>, usize) {
    let checked = check::check(state, &BTreeMap::new(), plan);
    let rejected = [1u8, 2].into_iter().filter(|number| checked.rejected_nodes.contains(&node_id(*number))).collect();
    (checked.placed, rejected, checked.apply.stops.len())
}

#[test]
fn what_fits_is_taken_and_what_does_not_is_named() {
    let (mut world, job) = world();
    world.place(vec![sized(9, &job, 1, 600, &[8080])], None);
    let place = |number, on, cpu, ports: &[u16]| sized(number, &job, on, cpu, ports);
    let cases = [
        ("fits", plan(vec![place(1, 1, 400, &[]), place(2, 2, 1000, &[])]), vec![1, 2], vec![]),
        ("too much cpu on one node", plan(vec![place(1, 1, 401, &[]), place(2, 2, 10, &[])]), vec![2], vec![1]),
        ("together too much", plan(vec![place(1, 2, 600, &[]), place(2, 2, 600, &[])]), vec![], vec![2]),
        ("a port in use", plan(vec![place(1, 1, 10, &[8080])]), vec![], vec![1]),
        ("the same port elsewhere", plan(vec![place(1, 2, 10, &[8080])]), vec![1], vec![]),
        ("the stopped one makes room", Plan { stops: vec![stop(9, 1)], ..plan(vec![place(1, 1, 1000, &[8080])]) }, vec![1], vec![]),
        ("all or nothing", Plan { all_at_once: true, ..plan(vec![place(1, 1, 401, &[]), place(2, 2, 10, &[])]) }, vec![], vec![1, 2]),
        ("no such node", plan(vec![place(1, 7, 10, &[])]), vec![], vec![]),
    ];
    for (name, plan, placed, rejected) in cases {
        let found = split(&world.state, plan);
        assert_eq!((found.0, found.1), (placed.into_iter().map(alloc_id).collect(), rejected), "{name}");
    }
}

#[test]
fn what_was_to_be_replaced_goes_on_when_its_replacement_is_turned_away() {
    let (mut world, job) = world();
    world.place(vec![sized(8, &job, 1, 100, &[]), sized(9, &job, 1, 800, &[])], None);
    let replacement = Allocation { previous_allocation: Some(alloc_id(8)), ..sized(1, &job, 1, 500, &[]) };
    let lost = Stop { client_status: Some(drover_model::allocation::ClientStatus::Lost), ..stop(8, 1) };
    let preempted = Stop { preempted_by: Some(alloc_id(1)), ..stop(9, 2) };
    for (name, stop, stops) in [("runs", stop(8, 1), 0), ("is lost either way", lost, 1), ("was to make room", preempted, 0)] {
        let plan = Plan { stops: vec![stop], ..plan(vec![replacement.clone()]) };
        let (placed, rejected, kept) = split(
            &world.state,
            Plan { placements: vec![Allocation { resources: resources(2000, 10, &[]), ..plan.placements[0].clone() }], ..plan },
        );
        assert_eq!((placed.len(), rejected, kept), (0, vec![1], stops), "{name}");
    }
}

#[test]
fn what_is_kept_running_still_holds_its_room() {
    let (mut world, job) = world();
    world.place(vec![sized(8, &job, 1, 600, &[8080]), sized(9, &job, 2, 600, &[])], None);
    // The successor of 8 does not fit on node 2, so 8 stays where 1 was to take its room, and 1 was to replace 9.
    let successor = Allocation { previous_allocation: Some(alloc_id(8)), ..sized(2, &job, 2, 1001, &[]) };
    let other = Allocation { previous_allocation: Some(alloc_id(9)), ..sized(1, &job, 1, 600, &[8080]) };
    let plan = Plan { stops: vec![stop(8, 1), stop(9, 2)], ..plan(vec![successor, other]) };
    assert_eq!(split(&world.state, plan), (vec![], vec![1, 2], 0));
}

#[tokio::test]
async fn the_evaluations_end_is_committed_with_all_of_its_plan_or_not() {
    let (mut world, job) = world();
    let evaluation = evaluation(1, &job);
    world.run(Command::EvaluationsUpsert { evaluations: vec![evaluation.clone()] });
    let direct = Direct::new(world, Runtime::real());
    let broker = Arc::clone(&direct.services.broker);
    let proposer = Arc::clone(&direct) as Arc<dyn Propose>;
    let (queue, applier) = PlanApplier::new(Arc::clone(&direct.store), Arc::clone(&broker), proposer);
    let stop = CancellationToken::new();
    let running = tokio::spawn(applier.run(stop.clone()));
    broker.enqueue(direct.store.snapshot().evaluation(eval_id(1)).unwrap().clone(), UnixNanos(START));
    let delivery = broker.dequeue().await;
    let done = || vec![Evaluation { status: EvalStatus::Complete, ..evaluation.clone() }];
    let with_eval = |placements| Plan { eval_id: Some(eval_id(1)), ..plan(placements) };
    let too_much = with_eval(vec![sized(1, &job, 1, 5000, &[]), sized(2, &job, 2, 500, &[])]);
    let result = queue.submit(too_much, delivery.token(), Vec::new(), done()).await.unwrap();
    assert_eq!((result.placed.clone(), result.rejected_nodes.clone()), (vec![alloc_id(2)], vec![node_id(1)]));
    assert!(result.refresh_index >= Some(result.index));
    let status = || direct.store.snapshot().evaluation(eval_id(1)).unwrap().status;
    assert_eq!(status(), EvalStatus::Pending);
    let result = queue.submit(with_eval(vec![sized(3, &job, 1, 500, &[])]), delivery.token(), Vec::new(), done()).await.unwrap();
    assert_eq!((result.refresh_index, status()), (None, EvalStatus::Complete));
    let stale = queue.submit(with_eval(vec![sized(4, &job, 1, 100, &[])]), delivery.token() + 1, Vec::new(), done()).await;
    assert!(stale.unwrap_err().is_unavailable(), "another worker's evaluation");
    stop.cancel();
    running.await.unwrap();
}

use drover_model::{evaluation::EvalStatus, time::UnixNanos};

proptest! {
    /// Plans that were made from the same old snapshot, submitted side by side: no node ends up with more than it has, and no port twice.
    #[test]
    fn never_double_books(plans in prop::collection::vec(prop::collection::vec((1u8..4, 1u64..600, 0u16..4), 1..5), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::default();
            for number in 1..4 {
                world.ready_node(node(number, 1000, 1000));
            }
            let job = world.register(job("web", 1));
            let direct = Direct::new(world, Runtime::real());
            let proposer = Arc::clone(&direct) as Arc<dyn Propose>;
            let (queue, applier) = PlanApplier::new(Arc::clone(&direct.store), Arc::clone(&direct.services.broker), proposer);
            let stop = CancellationToken::new();
            let running = tokio::spawn(applier.run(stop.clone()));
            let mut next = 10u8;
            let submissions = plans.into_iter().map(|wanted| {
                let placements = wanted.into_iter().map(|(on, cpu, port)| {
                    next += 1;
                    let ports = if port == 0 { vec![] } else { vec![9000 + port] };
                    sized(next, &job, on, cpu, &ports)
                });
                queue.submit(plan(placements.collect()), 0, Vec::new(), Vec::new())
            });
            let results = futures::future::join_all(submissions.collect::<Vec<_>>()).await;
            stop.cancel();
            running.await.unwrap();
            let state = direct.store.snapshot();
            let placed: usize = results.into_iter().map(|result| result.unwrap().placed.len()).sum();
            assert_eq!(placed, state.allocation_count());
            for drover_scheduler::Member { node, usage, .. } in state.members() {
                assert!(usage.amounts.cpu_mhz <= node.capacity().cpu_mhz);
                let ports: Vec<u16> = state.allocations_of_node(node.id).flat_map(|row| row.resources.host_ports().collect::<Vec<_>>()).collect();
                assert_eq!(ports.len(), ports.iter().collect::<BTreeSet<_>>().len());
            }
        });
    }
}

/// Limits namespace `default`, and `other` with it.
fn limited(world: &mut World, cpu_mhz: i64) {
    world.run(quota_put("team", cpu_mhz));
    for name in ["default", "other"] {
        world.run(Command::NamespacePut { namespace: Box::new(under(name, "team")) });
    }
}

#[test]
fn what_is_beyond_the_quota_is_turned_away_although_its_node_has_room() {
    let (mut world, job) = world();
    world.place(vec![sized(8, &job, 1, 100, &[]), sized(9, &job, 2, 200, &[])], None);
    limited(&mut world, 600);
    let place = |number, on, cpu| sized(number, &job, on, cpu, &[]);
    let replaces = |number, on, cpu, old| Allocation { previous_allocation: Some(alloc_id(old)), ..place(number, on, cpu) };
    let preempted = Stop { preempted_by: Some(alloc_id(1)), ..stop(9, 2) };
    for (name, stops, placements, placed, kept) in [
        ("just enough", vec![], vec![place(1, 1, 100), place(2, 2, 200)], vec![1, 2], 0),
        ("one MHz too much", vec![], vec![place(1, 1, 100), place(2, 2, 201)], vec![1], 0),
        ("a smaller one goes on", vec![], vec![place(1, 1, 301), place(2, 2, 300)], vec![2], 0),
        ("what leaves makes room", vec![stop(9, 2)], vec![place(1, 1, 500)], vec![1], 1),
        ("what is evicted does not", vec![preempted], vec![place(1, 1, 301)], vec![], 0),
        ("in exchange", vec![stop(9, 2)], vec![replaces(1, 1, 500, 9)], vec![1], 1),
        ("too much for an exchange", vec![stop(9, 2)], vec![replaces(1, 1, 501, 9)], vec![], 0),
        ("what stays leaves no room", vec![stop(9, 2)], vec![place(2, 1, 300), replaces(1, 2, 301, 9)], vec![2], 0),
    ] {
        let found = split(&world.state, Plan { stops, ..plan(placements) });
        assert_eq!((found.0, found.2), (placed.into_iter().map(alloc_id).collect(), kept), "{name}");
    }
}

proptest! {
    /// The same with a quota that two namespaces share: whatever was planned side by side, what is committed is within it, and of what was turned away nothing is.
    #[test]
    fn never_beyond_a_quota(plans in prop::collection::vec((any::<bool>(), prop::collection::vec((1u8..4, 1u64..300), 1..5)), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::default();
            for number in 1..4 {
                world.ready_node(node(number, 1000, 1000));
            }
            limited(&mut world, 1000);
            let jobs = ["default", "other"].map(|namespace| {
                world.register(drover_model::job::Job { namespace: namespace.into(), ..job("web", 1) })
            });
            let direct = Direct::new(world, Runtime::real());
            let proposer = Arc::clone(&direct) as Arc<dyn Propose>;
            let (queue, applier) = PlanApplier::new(Arc::clone(&direct.store), Arc::clone(&direct.services.broker), proposer);
            let stop = CancellationToken::new();
            let running = tokio::spawn(applier.run(stop.clone()));
            let mut next = 10u8;
            let submissions = plans.into_iter().map(|(other, wanted)| {
                let job = &jobs[usize::from(other)];
                let placements = wanted.into_iter().map(|(on, cpu)| {
                    next += 1;
                    Allocation { namespace: job.namespace.clone(), ..sized(next, job, on, cpu, &[]) }
                });
                queue.submit(plan(placements.collect()), 0, Vec::new(), Vec::new())
            });
            futures::future::join_all(submissions.collect::<Vec<_>>()).await;
            stop.cancel();
            running.await.unwrap();
            let state = direct.store.snapshot();
            let sum: u64 = state.allocations().map(|row| row.resources.amounts().cpu_mhz).sum();
            assert_eq!(state.quota_use("team").cpu_mhz, sum);
            assert!(sum <= 1000, "{sum} of 1000 MHz");
        });
    }
}

proptest! {
    /// Plans that were made side by side for allocations that write one volume: one of them gets it.
    #[test]
    fn never_two_writers(plans in prop::collection::vec(prop::collection::vec((1u8..3, any::<bool>()), 1..4), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::default();
            for number in 1..3 {
                world.ready_node(node(number, 10_000, 10_000));
                world.run(volume_put(number, "data", AccessMode::SingleWriter));
            }
            let jobs = [false, true].map(|read_only| {
                let mut asking = job(if read_only { "reads" } else { "writes" }, 1);
                let asked = Volume { kind: "host".to_owned(), source: "data".to_owned(), read_only, ..Volume::default() };
                asking.task_groups[0].volumes.insert("data".to_owned(), asked);
                world.register(asking)
            });
            let direct = Direct::new(world, Runtime::real());
            let proposer = Arc::clone(&direct) as Arc<dyn Propose>;
            let (queue, applier) = PlanApplier::new(Arc::clone(&direct.store), Arc::clone(&direct.services.broker), proposer);
            let stop = CancellationToken::new();
            let running = tokio::spawn(applier.run(stop.clone()));
            let mut next = 10u8;
            let submissions = plans.into_iter().map(|wanted| {
                let placements = wanted.into_iter().map(|(on, read_only)| {
                    next += 1;
                    sized(next, &jobs[usize::from(read_only)], on, 1, &[])
                });
                queue.submit(plan(placements.collect()), 0, Vec::new(), Vec::new())
            });
            futures::future::join_all(submissions.collect::<Vec<_>>()).await;
            stop.cancel();
            running.await.unwrap();
            let state = direct.store.snapshot();
            for number in 1..3 {
                let writers = state.allocations_of_node(node_id(number)).filter(|row| &*row.job_id == "writes").count();
                assert!(writers <= 1, "{writers} write the volume of node {number}");
            }
        });
    }
}
