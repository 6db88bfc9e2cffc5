use drover_model::{job::MigrateStrategy, time::Rfc3339};
use drover_runtime::Runtime;

use super::*;
use crate::testing::*;

/// Three allocations of a service on node 1, which drains.
fn world(max_parallel: u32, kind: JobType, drain: DrainStrategy) -> World {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    world.ready_node(node(2, 4000, 4000));
    let mut spec = Job { kind, ..job("web", 3) };
    spec.task_groups[0].migrate = Some(MigrateStrategy { max_parallel, ..MigrateStrategy::default() });
    let job = world.register(spec);
    world.place((1..=3).map(|number| allocation(number, &job, 1)).collect(), None);
    world.report(1, (1..=3).map(|number| report(number, ClientStatus::Running, Some(true))).collect());
    let command =
        Command::NodeDrain { id: node_id(1), drain: Some(drain), mark_eligible: false, last_drain: None, event: None, evaluations: vec![] };
    world.run(command);
    world
}

fn moved(world: &World) -> usize {
    let commands = decide(&world.state, world.now(), &*Runtime::real().random);
    commands
        .iter()
        .map(|command| if let Command::AllocationsTransition { transitions, .. } = command { transitions.len() } else { 0 })
        .sum()
}

#[test]
fn the_pace_is_the_groups_until_the_deadline() {
    let drain = || DrainStrategy {
        deadline: Duration::from_secs(60),
        force_deadline: Rfc3339(UnixNanos(START + 60 * SECOND)),
        ..DrainStrategy::default()
    };
    let forced = || DrainStrategy { force: true, ..drain() };
    for (name, max_parallel, kind, drain, seconds, want) in [
        ("one at a time", 1, JobType::Service, drain(), 0, 1),
        ("two at a time", 2, JobType::Service, drain(), 0, 2),
        ("the deadline", 1, JobType::Service, drain(), 60, 3),
        ("forced", 1, JobType::Service, forced(), 0, 3),
        ("batch may end by itself", 1, JobType::Batch, drain(), 0, 0),
        ("but not longer than the deadline", 1, JobType::Batch, drain(), 61, 3),
        ("what is everywhere goes last, which is now", 1, JobType::System, drain(), 0, 3),
    ] {
        let mut world = world(max_parallel, kind, drain);
        world.seconds = seconds;
        assert_eq!(moved(&world), want, "{name}");
    }
}

#[test]
fn the_next_goes_when_a_replacement_serves() {
    let mut world = world(1, JobType::Service, DrainStrategy::default());
    let commands = decide(&world.state, world.now(), &*Runtime::real().random);
    commands.into_iter().for_each(|command| assert!(world.run(command) > 0));
    assert_eq!(moved(&world), 0, "one is on its way");
    let job = Arc::clone(world.state.job(&JobKey::new("default", "web")).unwrap());
    world.place(vec![allocation(4, &job, 2)], None);
    assert_eq!(moved(&world), 0, "its replacement does not serve yet");
    world.report(2, vec![report(4, ClientStatus::Running, Some(true))]);
    assert_eq!(moved(&world), 1);
}

#[test]
fn a_node_is_drained_when_everything_has_ended() {
    let mut world = world(3, JobType::Service, DrainStrategy::default());
    world.report(1, (1..=3).map(|number| report(number, ClientStatus::Complete, None)).collect());
    let commands = decide(&world.state, world.now(), &*Runtime::real().random);
    commands.into_iter().for_each(|command| assert!(world.run(command) > 0));
    let node = world.state.node(node_id(1)).unwrap();
    assert!(node.drain.is_none() && !node.is_schedulable());
    assert_eq!(node.last_drain.as_ref().unwrap().status, "complete");
    assert_eq!(node.events.last().unwrap().message, "Node drain complete");
}

#[tokio::test]
async fn no_old_state_is_kept_while_nothing_drains() {
    let runtime = Runtime::real();
    let direct = Direct::new(World::default(), runtime.clone());
    let kept = Arc::downgrade(&direct.store.snapshot());
    let stop = CancellationToken::new();
    let (store, changed) = (Arc::clone(&direct.store), Arc::clone(&direct.services.drains));
    let watching = tokio::spawn(run(store, Arc::clone(&direct) as Arc<dyn Propose>, runtime, changed, stop.clone()));
    // It looks, and waits for a node to change.
    tokio::task::yield_now().await;
    direct.store.change(false, |_| assert!(kept.upgrade().is_none()));
    stop.cancel();
    watching.await.unwrap();
}
