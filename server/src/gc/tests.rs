use drover_model::{allocation::ClientStatus, evaluation::EvalStatus, job::JobType};

use super::*;
use crate::testing::*;

/// A stopped service, a running one, a batch job that is done and one that goes on; all but the running have ended.
fn world() -> World {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    for (number, (name, kind)) in
        [("stopped", JobType::Service), ("runs", JobType::Service), ("done", JobType::Batch)].into_iter().enumerate()
    {
        let number = u8::try_from(number).unwrap() + 1;
        let job = world.register(Job { kind, ..job(name, 2) });
        let done = Evaluation { status: EvalStatus::Complete, ..evaluation(number, &job) };
        world.run(Command::EvaluationsUpsert { evaluations: vec![done] });
        let allocations = [number * 10, number * 10 + 1].map(|id| Allocation { eval_id: eval_id(number), ..allocation(id, &job, 1) });
        world.place(allocations.to_vec(), None);
    }
    world.run(Command::JobDeregister { key: JobKey::new("default", "stopped"), purge: false, no_shutdown_delay: false, evaluation: None });
    let ended = [
        (10, ClientStatus::Complete),
        (11, ClientStatus::Complete),
        (20, ClientStatus::Running),
        (21, ClientStatus::Failed),
        (30, ClientStatus::Complete),
        (31, ClientStatus::Complete),
    ];
    world.report(1, ended.into_iter().map(|(number, status)| report(number, status, None)).collect());
    world
}

#[test]
fn only_what_has_ended_and_is_old_enough_goes() {
    let world = world();
    let config = GcConfig::default();
    let hours = |hours: i64| UnixNanos(world.now().0 + hours * 3600 * SECOND);
    assert_eq!(garbage(&world.state, &config, hours(0), false), Garbage::default());
    let after = garbage(&world.state, &config, hours(2), false);
    assert_eq!(
        after.allocations,
        [alloc_id(10), alloc_id(11)],
        "the failed one waits for its replacement, the batch job remembers what it did"
    );
    assert_eq!((after.evaluations, after.jobs.len()), (vec![eval_id(1)], 0));
    let after = garbage(&world.state, &config, hours(5), false);
    assert_eq!(after.jobs, [JobKey::new("default", "done"), JobKey::new("default", "stopped")]);
    assert_eq!(garbage(&world.state, &config, hours(0), true), after, "forced, without waiting");
}

#[test]
fn commands_forget_what_was_found() {
    let mut world = world();
    let found = garbage(&world.state, &GcConfig::default(), world.now(), true);
    for command in found.into_commands() {
        world.run(command);
    }
    assert_eq!(world.state.jobs().map(|job| job.id.to_string()).collect::<Vec<_>>(), ["runs"]);
    assert_eq!((world.state.allocation_count(), world.state.evaluations().count()), (2, 1));
    assert!(garbage(&world.state, &GcConfig::default(), world.now(), true).is_empty());
}

#[test]
fn a_node_goes_when_it_is_down_and_nothing_is_expected_of_it() {
    let mut world = world();
    world.ready_node(node(2, 1000, 1000));
    for number in [1, 2] {
        world.run(Command::NodeStatus { id: node_id(number), status: NodeStatus::Down, event: None, evaluations: vec![] });
    }
    assert_eq!(garbage(&world.state, &GcConfig::default(), world.now(), true).nodes, [node_id(2)]);
}
