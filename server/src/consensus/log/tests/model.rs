//! The log beside a model of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    TruncateBack(u64),
    PurgeForward(u64),
    Vote(u64),
    Commit,
    /// A crash that lets a part of what was not synced through.
    Crash(u64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u64..6).prop_map(Step::Append),
        1 => (1u64..4).prop_map(Step::TruncateBack),
        1 => (1u64..8).prop_map(Step::PurgeForward),
        1 => (1u64..100).prop_map(Step::Vote),
        2 => Just(Step::Commit),
        1 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    entries: BTreeMap<u64, Vec<u8>>,
    next: u64,
    purged: Option<u64>,
    vote: Option<Vote>,
}

async fn check(log: &mut LogStore, model: &Model) {
    let found: BTreeMap<_, _> =
        entries(log).await.into_iter().map(|entry| (entry.log_id.index, rmp_serde::to_vec_named(&entry.payload).unwrap())).collect();
    assert_eq!(found, model.entries);
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id.map(|id| id.index), model.purged);
    assert_eq!(state.last_log_id.map(|id| id.index), model.next.checked_sub(1));
    assert_eq!(log.read_vote().await.unwrap(), model.vote);
}

async fn run(steps: &[Step], limits: Limits) {
    let (disk, mut model) = (MemoryDisk::new(), Model::default());
    let mut log = open(&disk, limits).unwrap();
    for step in steps {
        match *step {
            Step::Append(count) => {
                append(&mut log, model.next..model.next + count).await;
                for index in model.next..model.next + count {
                    model.entries.insert(index, rmp_serde::to_vec_named(&entry(index).payload).unwrap());
                }
                model.next += count;
            }
            Step::TruncateBack(count) => {
                let floor = model.purged.map_or(0, |purged| purged + 1);
                let from = model.next.saturating_sub(count).max(floor);
                if from < model.next {
                    log.truncate(log_id(from)).await.unwrap();
                    model.entries.split_off(&from);
                    model.next = from;
                }
            }
            Step::PurgeForward(count) => {
                let to = model.purged.map_or(0, |purged| purged + 1) + count - 1;
                log.purge(log_id(to)).await.unwrap();
                model.entries = model.entries.split_off(&(to + 1));
                model.purged = Some(to);
                model.next = model.next.max(to + 1);
            }
            Step::Vote(term) => {
                let vote = Vote::new(term, 7);
                log.save_vote(&vote).await.unwrap();
                model.vote = Some(vote);
            }
            Step::Commit if model.next > 0 => commit(&mut log, model.next - 1).await,
            Step::Commit => {}
            Step::Crash(torn) => {
                disk.crash_torn(&drover_runtime::sim::SeededRandom::new(torn));
                log = open(&disk, limits).unwrap();
            }
            Step::Reopen => log = open(&disk, limits).unwrap(),
        }
        check(&mut log, &model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_log_holds_what_a_model_holds_whatever_happens(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            for limits in [TINY, TINY_FILLED] {
                run(&steps, limits).await;
            }
        });
    }
}
