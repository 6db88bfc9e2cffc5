use drover_model::allocation::Allocation;
use drover_runtime::Runtime;

use super::*;
use crate::testing::*;

#[test]
fn a_node_hears_all_and_then_what_changed() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 2));
    world.place(vec![allocation(1, &job, 1), allocation(2, &job, 2)], None);
    let mut sent = SentAllocations::default();
    let mut next = |world: &World| {
        let told = |item: NodeAllocationsItem| {
            (item.complete, item.allocations.into_allocations().iter().map(|row| row.id).collect::<Vec<_>>(), item.removed)
        };
        sent.next(&world.state, node_id(1)).map(told)
    };
    assert_eq!(next(&world), Some((true, vec![alloc_id(1)], vec![])));
    assert_eq!(next(&world), None);
    world.report(1, vec![report(1, ClientStatus::Complete, None)]);
    assert_eq!(next(&world), None, "what it said itself is no news");
    world.place(vec![allocation(3, &job, 1)], None);
    assert_eq!(next(&world), Some((false, vec![alloc_id(3)], vec![])));
    world.run(Command::EvaluationsForget { evaluations: vec![], allocations: vec![alloc_id(1)] });
    assert_eq!(next(&world), Some((false, vec![], vec![alloc_id(1)])));
}

#[test]
fn reports_call_for_evaluations_of_what_failed_or_came_back() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 2));
    let unknown = Allocation { client_status: ClientStatus::Unknown, ..allocation(3, &job, 1) };
    world.place(vec![allocation(1, &job, 1), allocation(2, &job, 1), unknown], None);
    for (name, reports, want) in [
        ("runs", vec![report(1, ClientStatus::Running, None)], None),
        ("failed", vec![report(1, ClientStatus::Failed, None), report(2, ClientStatus::Failed, None)], Some(Trigger::AllocFailure)),
        ("ended well", vec![report(1, ClientStatus::Complete, None)], None),
        ("came back", vec![report(3, ClientStatus::Running, None)], Some(Trigger::Reconnect)),
        ("unheard of", vec![report(9, ClientStatus::Failed, None)], None),
    ] {
        let found = follow_ups(&world.state, &reports, &*Runtime::real().random);
        assert_eq!(found.iter().map(|evaluation| evaluation.triggered_by).collect::<Vec<_>>(), Vec::from_iter(want), "{name}");
    }
}
