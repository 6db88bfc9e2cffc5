use std::sync::Arc;

use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::JobKey,
};
use proptest::prelude::*;

use super::*;
use crate::{fsm::command::Command, testing::*};

fn encoded(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    snapshot::encode(state, &mut bytes).unwrap();
    bytes
}

/// What the rows say the usage of a node is, added up.
fn recounted(state: &State, on: u8) -> Usage {
    let rows: Vec<&Allocation> = state.allocations().filter(|row| row.node_id == node_id(on)).map(|row| &**row).collect();
    Usage::of(rows)
}

fn populated() -> World {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    world.ready_node(node(2, 4000, 4000));
    let web = world.register(job("web", 3));
    world.register(job("web/child", 1));
    world.place(vec![allocation(1, &web, 1), allocation(2, &web, 1), allocation(3, &web, 2)], None);
    world.report(1, vec![report(1, ClientStatus::Running, None), report(2, ClientStatus::Failed, None)]);
    world.run(Command::EvaluationsUpsert { evaluations: vec![evaluation(1, &web)] });
    world.run(Command::KvPut { key: "a/b".to_owned(), value: b"1".to_vec(), flags: 0, check: None });
    world
}

#[test]
fn indexes_find_the_rows_of_others() {
    let world = populated();
    let (state, key) = (&world.state, JobKey::new("default", "web"));
    assert_eq!(state.allocations_of_job(&key).count(), 3);
    assert_eq!(state.allocations_of_node(node_id(1)).count(), 2);
    assert_eq!(state.allocations_of_evaluation(eval_id(1)).count(), 3);
    assert_eq!(state.evaluations_of_job(&key).count(), 1);
    assert_eq!(state.jobs_with_prefix("default", "web").count(), 2);
    assert_eq!(state.allocations_with_prefix(IdPrefix::parse(&alloc_id(2).short()).unwrap()).count(), 1);
    assert_eq!(state.kv_with_prefix("a/").count(), 1);
    assert_eq!(state.members().map(|member| member.usage.allocations).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_table_changes_only_with_its_rows() {
    let mut world = populated();
    let before = world.state.clone();
    let index = world.run(Command::KvPut { key: "x".to_owned(), value: Vec::new(), flags: 0, check: None });
    for table in TableId::ALL {
        let want = if table == TableId::Kv { index } else { before.table_index(table) };
        assert_eq!(world.state.table_index(table), want, "{table:?}");
    }
    // The older snapshot is as it was.
    assert!(before.kv("x").is_none());
}

#[test]
fn snapshots_read_back_to_the_same_state() {
    let world = populated();
    let bytes = encoded(&world.state);
    let read = snapshot::decode(&mut &bytes[..]).unwrap();
    assert_eq!(encoded(&read), bytes);
    assert_eq!((read.index(), read.node_usage(node_id(1))), (world.state.index(), world.state.node_usage(node_id(1))));
    let key = JobKey::new("default", "web");
    assert_eq!((read.job_counts(&key), read.summary(&key)), (world.state.job_counts(&key), world.state.summary(&key)));
    let jobs: Vec<_> = read.allocations_of_job(&key).map(|row| Arc::clone(&row.job)).collect();
    assert!(jobs.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])), "allocations share their job again");
}

#[test]
fn damaged_snapshots_are_refused() {
    let bytes = encoded(&populated().state);
    for (name, damaged) in
        [("empty", Vec::new()), ("cut", bytes[..bytes.len() - 9].to_vec()), ("another file", b"\x81\xa6format\xa3xyz".to_vec())]
    {
        assert!(snapshot::decode(&mut &damaged[..]).is_err(), "{name}");
    }
}

#[test]
fn prefixes_of_ids() {
    for (text, want) in [("", true), ("a1", true), ("a1b", true), ("A1B2C3D4-e5", true), ("xyz", false), (&"a".repeat(33), false)] {
        assert_eq!(IdPrefix::parse(text).is_some(), want, "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_a_change_of_the_named_tables_or_with_time() {
    let mut world = populated();
    let store = Arc::new(StateStore::new(world.state.clone()));
    let seen = store.snapshot().index_of(&[TableId::Kv]);
    let minute = std::time::Duration::from_secs(60);
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.wait_for(&[TableId::Kv], seen, minute).await }
    });
    tokio::task::yield_now().await;
    world.register(job("other", 1));
    store.replace(world.state.clone());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "a change of another table");
    let index = world.run(Command::KvPut { key: "x".to_owned(), value: Vec::new(), flags: 0, check: None });
    store.replace(world.state.clone());
    assert_eq!(waiting.await.unwrap().index(), index);
    // Nothing changes any more: the time, which is virtual here, passes.
    assert_eq!(store.wait_for(&[TableId::Kv], index, minute).await.index(), index);
}

#[test]
fn a_snapshot_is_kept_until_the_next_change() {
    let store = StateStore::new(populated().state);
    let first = store.snapshot();
    assert!(Arc::ptr_eq(&first, &store.snapshot()), "nothing has changed");
    let kept = Arc::downgrade(&first);
    drop(first);
    // What a snapshot shares would be copied.
    store.change(false, |_| assert!(kept.upgrade().is_none(), "nobody reads it"));
}

#[test]
fn readers_never_wait_for_a_change() {
    let store = StateStore::new(populated().state);
    let before = store.snapshot().index();
    store.change(true, |state| {
        state.begin(before + 1);
        assert_eq!(store.snapshot().index(), before, "they see all of a change or nothing");
    });
    assert_eq!(store.snapshot().index(), before + 1);
}

proptest! {
    #[test]
    fn usage_is_what_the_rows_add_up_to(steps in prop::collection::vec((0u8..12, 0u8..4, 1u8..3), 1..60)) {
        let mut world = World::default();
        world.ready_node(node(1, 100_000, 100_000));
        world.ready_node(node(2, 100_000, 100_000));
        let web = world.register(job("web", 3));
        for (number, action, on) in steps {
            match action {
                0 => { world.place(vec![Allocation { resources: resources(10, 10, &[8000 + u16::from(number)]), ..allocation(number, &web, on) }], None); }
                1 => { world.report(on, vec![report(number, ClientStatus::Running, None)]); }
                2 => { world.report(on, vec![report(number, ClientStatus::Complete, None)]); }
                _ => { world.run(Command::EvaluationsForget { evaluations: vec![], allocations: vec![alloc_id(number)] }); }
            }
            for node in [1, 2] {
                prop_assert_eq!(world.state.node_usage(node_id(node)), &recounted(&world.state, node));
            }
            let counts = world.state.job_counts(&web.key());
            let live = world.state.allocations_of_job(&web.key()).filter(|row| !row.is_terminal()).count();
            prop_assert_eq!((counts.live_allocations as usize, counts.allocations as usize), (live, world.state.allocation_count()));
        }
    }
}
