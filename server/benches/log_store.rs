//! Appends that are on disk before they return: our segment log beside redb. See `docs/decisions/0002-log-store.md`.

use std::{path::Path, sync::Arc};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drover_model::time::UnixNanos;
use drover_runtime::RealDisk;
use drover_server::{
    consensus::{Batch, TypeConfig, log::LogStore},
    fsm::command::{COMMAND_VERSION, Command, Proposed},
};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, storage::RaftLogStorageExt};
use redb::{Database, TableDefinition};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// About what a small command has.
const COMMAND_BYTES: usize = 1024;

fn folder() -> tempfile::TempDir {
    // Beside the build, since the folder for temporary files is often in memory.
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the benchmark")
}

/// One entry with so many commands.
fn entry(index: u64, commands: usize) -> Entry<TypeConfig> {
    let command = Command::KvPut { key: "key".into(), value: vec![7; COMMAND_BYTES], flags: 0, check: None };
    let proposed = Proposed { version: COMMAND_VERSION, at: UnixNanos(1), command };
    let batch = Batch::new(vec![proposed; commands]).expect("commands can be encoded");
    Entry { log_id: LogId::new(CommittedLeaderId::new(1, 1), index), payload: EntryPayload::Normal(batch) }
}

fn segment_log(criterion: &mut Criterion, commands: usize, folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut log = LogStore::open(Arc::new(RealDisk), folder, false).expect("a new log");
    let mut index = 0;
    let mut group = criterion.benchmark_group("durable append");
    group.throughput(Throughput::Elements(commands as u64));
    group.bench_function(BenchmarkId::new("segment log", commands), |bencher| {
        let next = || {
            index += 1;
            entry(index - 1, commands)
        };
        bencher.iter_batched(next, |entry| runtime.block_on(log.blocking_append([entry])).expect("an append"), BatchSize::PerIteration);
    });
}

fn redb(criterion: &mut Criterion, commands: usize, folder: &Path) {
    let database = Database::create(folder.join("redb")).expect("a new database");
    let mut index = 0;
    let mut group = criterion.benchmark_group("durable append");
    group.throughput(Throughput::Elements(commands as u64));
    group.bench_function(BenchmarkId::new("redb", commands), |bencher| {
        let next = || {
            index += 1;
            entry(index - 1, commands)
        };
        let append = |entry: Entry<TypeConfig>| {
            let bytes = rmp_serde::to_vec_named(&entry).expect("an entry can be encoded");
            let transaction = database.begin_write().expect("a transaction");
            transaction.open_table(TABLE).expect("the table").insert(entry.log_id.index, bytes.as_slice()).expect("an insert");
            transaction.commit().expect("a commit");
        };
        bencher.iter_batched(next, append, BatchSize::PerIteration);
    });
}

/// What the disk itself takes: one write at the end of a file, one sync.
fn disk(criterion: &mut Criterion, commands: usize, folder: &Path) {
    use drover_runtime::Disk;
    let mut file = RealDisk.open(&folder.join("raw")).expect("a file");
    let bytes = vec![7; commands * COMMAND_BYTES];
    let mut group = criterion.benchmark_group("durable append");
    group.throughput(Throughput::Elements(commands as u64));
    group.bench_function(BenchmarkId::new("bare file", commands), |bencher| {
        bencher.iter(|| {
            file.append(&bytes).expect("a write");
            file.sync().expect("a sync");
        });
    });
}

fn compare(criterion: &mut Criterion) {
    for commands in [1, 16, 256] {
        let folder = folder();
        disk(criterion, commands, folder.path());
        segment_log(criterion, commands, folder.path());
        redb(criterion, commands, folder.path());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(3));
    targets = compare
}
criterion_main!(benches);
