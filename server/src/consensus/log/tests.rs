//! The log against crashes, damage, and a model.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use drover_runtime::{MemoryDisk, RealDisk};
use openraft::{CommittedLeaderId, EntryPayload, storage::RaftLogStorageExt};
use proptest::prelude::*;

use super::*;
use crate::{
    consensus::types::{Batch, Item},
    fsm::command::{COMMAND_VERSION, Command, Proposed},
};

const FOLDER: &str = "/raft/log";
const PLAIN: Limits = Limits { segment_bytes: 32 << 20, cache_bytes: 32 << 20, ahead_bytes: 0 };
/// So that a few entries fill a segment, and reads go to the files.
const TINY: Limits = Limits { segment_bytes: 600, cache_bytes: 0, ahead_bytes: 0 };
/// Several groups go over the zeros before there have to be more.
const FILLED: Limits = Limits { ahead_bytes: 700, ..PLAIN };
const TINY_FILLED: Limits = Limits { ahead_bytes: 700, ..TINY };

fn folder() -> &'static Path {
    Path::new(FOLDER)
}

fn segment(number: u64) -> PathBuf {
    index::segment_path(folder(), number)
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 7), index)
}

fn entry(index: u64) -> Entry {
    let command = Command::KvPut { key: format!("key-{index}"), value: vec![0xab; 40], flags: index, check: None };
    let proposed = Proposed { version: COMMAND_VERSION, at: drover_model::time::UnixNanos(5), command };
    Entry { log_id: log_id(index), payload: EntryPayload::Normal(Batch { items: vec![Item::new(proposed, None).unwrap()] }) }
}

fn open(disk: &MemoryDisk, limits: Limits) -> Result<LogStore, Error> {
    open_at(Arc::new(disk.clone()), folder(), false, limits)
}

fn open_at(disk: Arc<dyn Disk>, folder: &Path, expected: bool, limits: Limits) -> Result<LogStore, Error> {
    let headroom = Arc::new(Headroom::new(Arc::clone(&disk), folder));
    LogStore::open_with(disk, folder, expected, limits, headroom)
}

async fn append(log: &mut LogStore, range: Range<u64>) {
    log.blocking_append(range.map(entry)).await.unwrap();
}

async fn commit(log: &mut LogStore, index: u64) {
    log.save_committed(Some(log_id(index))).await.unwrap();
    log.settle().await;
}

async fn entries(log: &mut LogStore) -> Vec<Entry> {
    log.try_get_log_entries(..).await.unwrap()
}

async fn indexes(log: &mut LogStore) -> Vec<u64> {
    entries(log).await.into_iter().map(|entry| entry.log_id.index).collect()
}

#[tokio::test]
async fn a_reopened_log_is_as_it_was() {
    let temporary = tempfile::tempdir().unwrap();
    for (name, disk, path, limits) in [
        ("memory", Arc::new(MemoryDisk::new()) as Arc<dyn Disk>, folder(), PLAIN),
        ("memory, small segments", Arc::new(MemoryDisk::new()), folder(), TINY),
        ("memory, filled ahead", Arc::new(MemoryDisk::new()), folder(), FILLED),
        ("files", Arc::new(RealDisk), &temporary.path().join("a"), PLAIN),
        ("files, small segments", Arc::new(RealDisk), &temporary.path().join("b"), TINY),
        ("files, filled ahead", Arc::new(RealDisk), &temporary.path().join("c"), FILLED),
        ("files, small segments, filled ahead", Arc::new(RealDisk), &temporary.path().join("d"), TINY_FILLED),
    ] {
        let mut log = open_at(Arc::clone(&disk), path, false, limits).unwrap();
        assert!(log.is_pristine(), "{name}");
        let vote = Vote::new_committed(3, 7);
        log.save_vote(&vote).await.unwrap();
        append(&mut log, 0..10).await;
        commit(&mut log, 4).await;
        append(&mut log, 10..30).await;
        log.truncate(log_id(20)).await.unwrap();
        append(&mut log, 20..25).await;
        log.purge(log_id(3)).await.unwrap();
        let before = entries(&mut log).await;
        log.close().await;
        let mut log = open_at(disk, path, true, limits).unwrap();
        assert_eq!(
            entries(&mut log).await.iter().map(|entry| entry.log_id.index).collect::<Vec<_>>(),
            (4..25).collect::<Vec<_>>(),
            "{name}"
        );
        let payload = |entry: &Entry| rmp_serde::to_vec_named(&entry.payload).unwrap();
        assert!(entries(&mut log).await.iter().map(payload).eq(before.iter().map(payload)), "{name}");
        assert_eq!(log.read_vote().await.unwrap(), Some(vote), "{name}");
        assert_eq!(log.read_committed().await.unwrap(), Some(log_id(4)), "{name}");
        let state = log.get_log_state().await.unwrap();
        assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(3)), Some(log_id(24))), "{name}");
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_crash_at_any_byte_of_what_was_not() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..3).await;
    let answered = disk.read(&segment(1), 1 << 20).unwrap().len();
    // Not synced, so all, nothing or any part of it may survive.
    commit(&mut log, 1).await;
    commit(&mut log, 2).await;
    let written = disk.read(&segment(1), 1 << 20).unwrap().len();
    for torn in 0..=written - answered {
        let disk = MemoryDisk::new();
        let mut log = open(&disk, PLAIN).unwrap();
        append(&mut log, 0..3).await;
        commit(&mut log, 1).await;
        commit(&mut log, 2).await;
        disk.crash_keeping(|_, _| torn);
        let mut log = open(&disk, PLAIN).unwrap();
        assert_eq!(indexes(&mut log).await, [0, 1, 2], "{torn} bytes");
        let expected = if torn == written - answered { Some(log_id(2)) } else { (torn * 2 >= written - answered).then(|| log_id(1)) };
        assert_eq!(log.read_committed().await.unwrap(), expected, "{torn} bytes");
        // And it goes on from there.
        append(&mut log, 3..4).await;
        disk.crash();
        assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1, 2, 3], "{torn} bytes");
    }
}

#[tokio::test]
async fn a_torn_append_is_cut_at_any_byte() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    let first = disk.read(&segment(1), 1 << 20).unwrap().len();
    append(&mut log, 2..4).await;
    let whole = disk.read(&segment(1), 1 << 20).unwrap();
    for cut in first..whole.len() {
        let disk = MemoryDisk::new();
        disk.create_dir_all(folder()).unwrap();
        disk.write_atomic(&segment(1), &whole[..cut]).unwrap();
        let mut log = open(&disk, PLAIN).unwrap();
        assert_eq!(indexes(&mut log).await, [0, 1], "cut at {cut}");
        assert_eq!(disk.read(&segment(1), 1 << 20).unwrap().len(), first, "cut at {cut}");
    }
    // Pages need not reach the disk in their order.
    let mut zeroed = whole.clone();
    zeroed[first + 30..first + 60].fill(0);
    disk.damage(&segment(1), |bytes| *bytes = zeroed).unwrap();
    assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1]);
}

/// What a segment has before the zeros that it was filled with.
fn without_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    bytes
}

#[tokio::test]
async fn a_segment_has_zeros_ahead_until_another_one_follows() {
    let (plain, filled) = (MemoryDisk::new(), MemoryDisk::new());
    for (disk, limits) in [(&plain, TINY), (&filled, TINY_FILLED)] {
        let mut log = open(disk, limits).unwrap();
        for index in 0..10 {
            append(&mut log, index..index + 1).await;
        }
    }
    let names = plain.list(folder()).unwrap();
    assert_eq!(names, filled.list(folder()).unwrap());
    for name in &names[..names.len() - 1] {
        assert_eq!(plain.read(name, 4096).unwrap(), filled.read(name, 4096).unwrap(), "{}", name.display());
    }
    let last = names.last().unwrap();
    let (plain_bytes, filled_bytes) = (plain.read(last, 4096).unwrap(), filled.read(last, 4096).unwrap());
    assert!(filled_bytes.len() > plain_bytes.len());
    assert_eq!(without_zeros(filled_bytes.clone()), without_zeros(plain_bytes));
    // They stay when it is opened again, and what comes next is written over them.
    let mut log = open(&filled, TINY_FILLED).unwrap();
    assert_eq!(filled.read(last, 4096).unwrap(), filled_bytes);
    append(&mut log, 10..11).await;
    assert_eq!(filled.read(last, 4096).unwrap().len(), filled_bytes.len());
    assert_eq!(indexes(&mut open(&filled, TINY_FILLED).unwrap()).await, (0..11).collect::<Vec<_>>());
    // A file system may lose that they were taken off.
    filled.damage(&names[0], |bytes| bytes.resize(bytes.len() + 300, 0)).unwrap();
    assert_eq!(indexes(&mut open(&filled, TINY_FILLED).unwrap()).await, (0..11).collect::<Vec<_>>());
    // But not what they would be in the place of.
    filled.damage(&names[0], |bytes| bytes[500..].fill(0)).unwrap();
    let error = open(&filled, TINY_FILLED).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn what_a_crash_leaves_of_a_write_over_zeros_is_cut_off() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, FILLED).unwrap();
    append(&mut log, 0..2).await;
    let before = disk.read(&segment(1), 1 << 20).unwrap();
    append(&mut log, 2..4).await;
    let after = disk.read(&segment(1), 1 << 20).unwrap();
    assert_eq!(before.len(), after.len(), "it goes over the zeros");
    let changed: Vec<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    // Any part from the front or from the back got through.
    for part in 0..=changed.len() {
        for (name, through, whole) in [("front", &changed[..part], part == changed.len()), ("back", &changed[part..], part == 0)] {
            let disk = MemoryDisk::new();
            disk.create_dir_all(folder()).unwrap();
            let mut bytes = before.clone();
            through.iter().for_each(|at| bytes[*at] = after[*at]);
            disk.write_atomic(&segment(1), &bytes).unwrap();
            let mut log = open(&disk, FILLED).unwrap();
            let expected: &[u64] = if whole { &[0, 1, 2, 3] } else { &[0, 1] };
            assert_eq!(indexes(&mut log).await, expected, "{name} of {part}");
            // What was cut off does not come back behind what takes its place.
            let next = log.get_log_state().await.unwrap().last_log_id.map_or(0, |last| last.index + 1);
            append(&mut log, next..next + 1).await;
            disk.crash();
            assert_eq!(indexes(&mut open(&disk, FILLED).unwrap()).await, (0..=next).collect::<Vec<_>>(), "{name} of {part}");
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_in_what_was_answered_is_refused_with_its_place() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    let starts = [0, disk.read(&segment(1), 1 << 20).unwrap().len()];
    append(&mut log, 2..3).await;
    let answered = disk.read(&segment(1), 1 << 20).unwrap().len();
    commit(&mut log, 2).await;
    let whole = disk.read(&segment(1), 1 << 20).unwrap();
    for position in 0..answered {
        let disk = MemoryDisk::new();
        disk.create_dir_all(folder()).unwrap();
        let mut flipped = whole.clone();
        flipped[position] ^= 0x10;
        disk.write_atomic(&segment(1), &flipped).unwrap();
        match open(&disk, PLAIN).unwrap_err() {
            Error::Damaged { path, offset, .. } => {
                assert_eq!(path, segment(1));
                assert!(offset as usize <= position && (position < starts[1] || offset as usize == starts[1]), "byte {position}: {offset}");
            }
            // The version's own byte.
            Error::Newer { .. } => assert!((8..10).contains(&position)),
            other => panic!("byte {position}: {other}"),
        }
        assert_eq!(disk.read(&segment(1), 1 << 20).unwrap(), flipped, "a refused log is left as it is");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let filled = || async {
        let disk = MemoryDisk::new();
        let mut log = open(&disk, TINY).unwrap();
        for index in 0..12 {
            append(&mut log, index..index + 1).await;
        }
        assert!(disk.list(folder()).unwrap().len() > 3);
        disk
    };
    type Harm = fn(&MemoryDisk);
    let cases: [(&str, Harm, &str); 5] = [
        (
            "middle gone",
            |disk| disk.remove(&segment(2)).unwrap(),
            "0000000000000002.log is missing: there are segments before and after it",
        ),
        ("first gone", |disk| disk.remove(&segment(1)).unwrap(), "0000000000000001.log is missing: entries from 0 to"),
        ("emptied", |disk| disk.damage(&segment(2), Vec::clear).unwrap(), "0000000000000002.log is damaged at byte 0: it is shorter than"),
        ("newer", |disk| disk.damage(&segment(1), |bytes| bytes[8] = 9).unwrap(), "has version 9, this binary reads up to 1"),
        (
            "middle cut",
            |disk| disk.damage(&segment(1), |bytes| bytes.truncate(bytes.len() - 1)).unwrap(),
            "0000000000000001.log is damaged",
        ),
    ];
    for (name, harm, text) in cases {
        let disk = filled().await;
        harm(&disk);
        let error = open(&disk, TINY).unwrap_err().to_string();
        assert!(error.contains(text), "{name}: {error}");
        assert!(error.contains("move") || error.contains("newer one"), "{name}: {error}");
    }
    let error = LogStore::open(Arc::new(MemoryDisk::new()), folder(), true).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

#[tokio::test]
async fn purged_segments_are_removed_and_their_vote_is_kept() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, TINY).unwrap();
    let vote = Vote::new(9, 7);
    log.save_vote(&vote).await.unwrap();
    for index in 0..20 {
        append(&mut log, index..index + 1).await;
    }
    let before = disk.list(folder()).unwrap().len();
    log.purge(log_id(15)).await.unwrap();
    assert!(disk.list(folder()).unwrap().len() < before);
    disk.crash();
    let mut log = open(&disk, TINY).unwrap();
    assert_eq!(indexes(&mut log).await, [16, 17, 18, 19]);
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
    // A snapshot can be ahead of the log.
    log.purge(log_id(50)).await.unwrap();
    append(&mut log, 51..53).await;
    disk.crash();
    assert_eq!(indexes(&mut open(&disk, TINY).unwrap()).await, [51, 52]);
}

#[tokio::test]
async fn a_broken_disk_is_told_and_nothing_more_is_written() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    disk.set_broken(true);
    assert!(log.blocking_append([entry(2)]).await.is_err());
    disk.set_broken(false);
    assert!(log.save_vote(&Vote::new(1, 1)).await.unwrap_err().to_string().contains("broken"));
    disk.crash();
    assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_the_log_waits_for_room_and_loses_nothing() {
    let vote = Vote::new(3, 7);
    // As much room as there is beyond what is there already: from none, over each part of each write, to enough.
    for (more, limits) in (0..1200).flat_map(|more| [(more, TINY), (more, TINY_FILLED)]) {
        let disk = MemoryDisk::new();
        let mut log = open(&disk, limits).unwrap();
        append(&mut log, 0..3).await;
        commit(&mut log, 1).await;
        disk.set_capacity(Some(disk.used() + more));
        let (mut writing, mut reader) = (log.clone(), log.clone());
        let work = async {
            for index in 3..8 {
                append(&mut writing, index..index + 1).await;
                commit(&mut writing, index - 1).await;
            }
            writing.save_vote(&vote).await.unwrap();
            writing.purge(log_id(1)).await.unwrap();
        };
        let room = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let waits = reader.shared.writer.headroom.log_waits();
            let found = indexes(&mut reader).await;
            assert!(found.starts_with(&[0, 1, 2]) || found.starts_with(&[2, 3, 4]), "{more}: reads go on: {found:?}");
            disk.set_capacity(None);
            waits
        };
        let ((), waited) = tokio::join!(work, room);
        assert!(!log.shared.writer.headroom.log_waits(), "{more}");
        assert!(waited || more + limits.ahead_bytes as u64 > 600, "{more} bytes cannot be enough");
        disk.crash();
        let mut log = open(&disk, limits).unwrap();
        assert_eq!(indexes(&mut log).await, [2, 3, 4, 5, 6, 7], "{more}");
        assert_eq!(log.read_vote().await.unwrap(), Some(vote), "{more}");
    }
}

#[tokio::test]
async fn a_log_that_waits_for_room_can_be_closed() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    disk.set_capacity(Some(disk.used()));
    let (mut writing, vote) = (log.clone(), Vote::new(1, 1));
    let (written, ()) = tokio::join!(writing.save_vote(&vote), log.close());
    assert!(written.unwrap_err().to_string().contains("closed"));
    disk.set_capacity(None);
    disk.crash();
    assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1]);
}

#[tokio::test]
async fn readers_get_a_bounded_part_but_at_least_one() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    let large = |index| {
        let command = Command::KvPut { key: "k".into(), value: vec![0; 5 << 20], flags: 0, check: None };
        let proposed = Proposed { version: COMMAND_VERSION, at: drover_model::time::UnixNanos(5), command };
        Entry { log_id: log_id(index), payload: EntryPayload::Normal(Batch { items: vec![Item::new(proposed, None).unwrap()] }) }
    };
    log.blocking_append((0..4).map(large)).await.unwrap();
    let mut reader = log.get_log_reader().await;
    assert_eq!(reader.limited_get_log_entries(0, 4).await.unwrap().len(), 1);
    assert_eq!(reader.try_get_log_entries(1..4).await.unwrap().len(), 3);
}

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

/// The server that [`log_id`]'s entries are from.
const OWNER: u64 = 7;
const SLOW: Duration = Duration::from_secs(1);

fn slow_disk() -> MemoryDisk {
    let disk = MemoryDisk::new();
    disk.set_slow(Arc::new(drover_runtime::sim::SeededRandom::new(3)), SLOW);
    disk
}

/// The log of a server that leads.
async fn leading(disk: &MemoryDisk) -> LogStore {
    let mut log = open(disk, PLAIN).unwrap();
    log.set_owner(OWNER);
    log.save_vote(&Vote::new_committed(1, OWNER)).await.unwrap();
    log
}

/// How long an append takes that `server` makes after `vote`, and whether it is on disk then.
async fn append_as(server: u64, vote: Vote, entry: Entry) -> (Duration, bool) {
    let mut log = open(&slow_disk(), PLAIN).unwrap();
    log.set_owner(server);
    log.save_vote(&vote).await.unwrap();
    let (begin, last) = (tokio::time::Instant::now(), entry.log_id);
    log.blocking_append([entry]).await.unwrap();
    let (took, flushed) = (begin.elapsed(), log.flushed().upto() == Some(last));
    log.flushed().until(last).await.unwrap();
    assert!(begin.elapsed() > Duration::ZERO, "nothing is on this disk at once");
    (took, flushed)
}

#[tokio::test(start_paused = true)]
async fn only_a_leaders_own_commands_are_taken_up_before_they_are_on_disk() {
    let led = Vote::new_committed(1, OWNER);
    assert_eq!(append_as(OWNER, led, entry(0)).await, (Duration::ZERO, false));
    let later = Entry { log_id: LogId::new(CommittedLeaderId::new(2, OWNER), 0), ..entry(0) };
    let members = openraft::Membership::new(vec![[OWNER].into()], BTreeMap::from([(OWNER, "a".to_owned().into())]));
    for (name, server, vote, entry) in [
        ("a follower's", 8, led, entry(0)),
        ("of its own, from when it led, that another leader sends", OWNER, Vote::new_committed(2, 8), entry(0)),
        ("before it is elected", OWNER, Vote::new(1, OWNER), entry(0)),
        ("of another term", OWNER, led, later),
        ("who takes part", OWNER, led, Entry { payload: EntryPayload::Membership(members), ..entry(0) }),
        ("a new leader's first", OWNER, led, Entry { payload: EntryPayload::Blank, ..entry(0) }),
    ] {
        let (took, flushed) = append_as(server, vote, entry).await;
        assert!(took > Duration::ZERO && flushed, "{name}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vote_is_answered_when_all_before_it_is_on_disk() {
    let disk = slow_disk();
    let mut log = leading(&disk).await;
    append(&mut log, 0..5).await;
    assert_eq!(log.flushed().upto(), None);
    log.save_vote(&Vote::new(2, 8)).await.unwrap();
    assert_eq!(log.flushed().upto(), Some(log_id(4)));
    disk.crash();
    let mut log = open(&disk, PLAIN).unwrap();
    assert_eq!(indexes(&mut log).await, [0, 1, 2, 3, 4]);
    assert_eq!(log.flushed().upto(), Some(log_id(4)), "what a start finds is on disk");
}

#[tokio::test]
async fn a_leader_that_is_started_again_does_not_lead_by_its_old_vote() {
    let disk = MemoryDisk::new();
    for (vote, server, after) in [
        (Vote::new_committed(3, OWNER), OWNER, Vote::new(3, OWNER)),
        (Vote::new_committed(4, OWNER), 8, Vote::new_committed(4, OWNER)),
        (Vote::new(5, OWNER), OWNER, Vote::new(5, OWNER)),
    ] {
        let mut log = open(&disk, TINY).unwrap();
        log.save_vote(&vote).await.unwrap();
        let mut log = open(&disk, TINY).unwrap();
        log.set_owner(server);
        assert_eq!(log.read_vote().await.unwrap(), Some(after));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_cannot_write_fails_whoever_waits_for_it_and_the_next_append() {
    let disk = slow_disk();
    let mut log = leading(&disk).await;
    disk.set_broken(true);
    append(&mut log, 0..1).await;
    let error = log.flushed().until(log_id(0)).await.unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");
    disk.set_broken(false);
    assert!(log.blocking_append([entry(1)]).await.unwrap_err().to_string().contains("broken"));
    assert_eq!(log.flushed().upto(), None);
}
