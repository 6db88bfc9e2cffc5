//! The log, as its users see it.

use std::ops::Range;

use drover_runtime::{MemoryDisk, RealDisk};
use openraft::{CommittedLeaderId, EntryPayload, storage::RaftLogStorageExt};

use super::*;
use crate::{
    consensus::types::{Batch, Item},
    fsm::command::{COMMAND_VERSION, Command, Proposed},
};

mod ahead;
mod damage;
mod full;
mod leading;
mod model;

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

/// What the first segment has.
fn contents(disk: &MemoryDisk) -> Vec<u8> {
    disk.read(&segment(1), 1 << 20).unwrap()
}

/// A disk whose log is a segment of these bytes.
fn disk_with(bytes: &[u8]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    disk.create_dir_all(folder()).unwrap();
    disk.write_atomic(&segment(1), bytes).unwrap();
    disk
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
