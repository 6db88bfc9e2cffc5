use super::*;
use crate::testing::*;

fn sized(number: u8, job: &Arc<Job>, on: u8, cpu_mhz: u64) -> Allocation {
    Allocation { resources: resources(cpu_mhz, 10, &[]), ..allocation(number, job, on) }
}

fn plan(placements: Vec<Allocation>) -> Plan {
    Plan { placements, ..Plan::default() }
}

fn used(foresight: &Foresight) -> Vec<u64> {
    foresight.nodes().map(|member| member.usage.amounts.cpu_mhz).collect()
}

#[test]
fn what_is_announced_is_seen_until_it_is_in_the_state_or_given_up() {
    let mut world = World::default();
    (1..=3).for_each(|number| world.ready_node(node(number, 1000, 1000)));
    let job = world.register(job("web", 1));
    world.place(vec![sized(9, &job, 2, 100)], None);
    let store = StateStore::new(world.state.clone());
    let ledger = Arc::new(InFlight::default());
    assert_eq!(used(&ledger.foresee(&store)), [0, 100, 0]);
    let first = ledger.announce(&plan(vec![sized(1, &job, 2, 300), sized(2, &job, 3, 50)]), 0, &store).unwrap();
    assert_eq!(used(&ledger.foresee(&store)), [0, 400, 50]);
    assert_eq!(first.given_up(&[alloc_id(1)]), BTreeSet::from([node_id(3)]));
    // Committed, but its worker was not told yet: it counts once.
    world.place(vec![sized(1, &job, 2, 300)], None);
    store.replace(world.state.clone());
    assert_eq!(used(&ledger.foresee(&store)), [0, 400, 50]);
    drop(first);
    assert_eq!(used(&ledger.foresee(&store)), [0, 400, 0]);
}

#[test]
fn of_plans_for_the_same_room_the_first_to_be_announced_wins() {
    let mut world = World::default();
    (1..=2).for_each(|number| world.ready_node(node(number, 1000, 1000)));
    let job = world.register(job("web", 1));
    let store = StateStore::new(world.state);
    for (name, on, cpu_mhz, passes) in
        [("the room is taken", 1, 500, false), ("there is room for both", 1, 400, true), ("elsewhere", 2, 1000, true)]
    {
        let ledger = Arc::new(InFlight::default());
        let seen = ledger.foresee(&store).seen;
        let _first = ledger.announce(&plan(vec![sized(1, &job, 1, 600)]), seen, &store).unwrap();
        let second = ledger.announce(&plan(vec![sized(2, &job, on, cpu_mhz)]), seen, &store);
        assert_eq!(second.is_ok(), passes, "{name}");
        assert_eq!(ledger.turned_down(), u64::from(!passes), "{name}");
    }
}
