//! The process ends at each change of the disk in turn, and is started again: what was answered is there, and all goes on.

use openraft::{
    CommittedLeaderId, EntryPayload, RaftLogReader, RaftSnapshotBuilder,
    storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine},
};

use super::*;
use crate::{
    consensus::types::{Batch, Entry, Item, LogId, SnapshotMeta, StorageError, Vote},
    fsm::command::COMMAND_VERSION,
};
use drover_runtime::disk::Halt;

const FOLDER: &str = "/raft";
const HALTS: [Halt; 3] = [Halt::Before, Halt::Amid, Halt::After];
/// How much of what was not synced gets through, in halves.
const TORN: [usize; 3] = [0, 1, 2];

/// What consensus asks of its storage.
#[derive(Clone, Copy, Debug)]
enum Step {
    Vote(u64),
    /// So many entries of a term.
    Append(u64, u64),
    /// Up to here.
    Commit(u64),
    /// From here on.
    Truncate(u64),
    /// Up to here.
    Apply(u64),
    Snapshot,
    Purge(u64),
    /// A leader's snapshot, of all entries up to here.
    Install(u64),
}

/// All that a server does in its life: elections, entries over several segments, another leader's entries in the place of its own, a snapshot, the log cut behind it, a
/// snapshot of another server when it has been away, and on from there.
const LIFE: [Step; 30] = [
    Step::Vote(1),
    Step::Append(1, 3),
    Step::Commit(1),
    Step::Append(1, 4),
    Step::Append(1, 2),
    Step::Commit(5),
    Step::Vote(2),
    Step::Truncate(6),
    Step::Append(2, 5),
    Step::Commit(9),
    Step::Apply(9),
    Step::Snapshot,
    Step::Append(2, 4),
    Step::Purge(6),
    Step::Append(2, 3),
    Step::Commit(14),
    Step::Apply(14),
    Step::Snapshot,
    Step::Purge(12),
    Step::Vote(3),
    Step::Append(3, 2),
    Step::Install(30),
    Step::Purge(30),
    Step::Append(4, 4),
    Step::Vote(4),
    Step::Commit(33),
    Step::Apply(33),
    Step::Snapshot,
    Step::Purge(32),
    Step::Append(4, 2),
];

/// What has to be on disk.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    vote: Option<u64>,
    /// The term of each entry.
    entries: BTreeMap<u64, u64>,
    purged: Option<u64>,
    /// The last entry of the snapshot.
    snapshot: Option<u64>,
    /// Not on disk: how far the state machine is.
    applied: Option<u64>,
}

impl Kept {
    fn next(&self) -> u64 {
        self.entries.keys().last().copied().max(self.purged).map_or(0, |last| last + 1)
    }

    fn after(&self, step: Step) -> Self {
        let mut after = self.clone();
        match step {
            Step::Vote(term) => after.vote = Some(term),
            Step::Append(term, count) => after.entries.extend((self.next()..self.next() + count).map(|index| (index, term))),
            Step::Commit(_) => {}
            Step::Truncate(from) => drop(after.entries.split_off(&from)),
            Step::Apply(to) => after.applied = Some(to),
            Step::Snapshot => after.snapshot = self.applied,
            Step::Purge(to) => {
                after.entries = after.entries.split_off(&(to + 1));
                after.purged = Some(to);
            }
            Step::Install(to) => (after.snapshot, after.applied) = (Some(to), Some(to)),
        }
        after
    }

    /// What a start finds.
    fn on_disk(&self) -> Self {
        Self { applied: self.snapshot, ..self.clone() }
    }
}

fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term, 7), index)
}

fn entry(term: u64, index: u64) -> Entry {
    let proposed = Proposed { version: COMMAND_VERSION, at: drover_model::time::UnixNanos(5), command: put(format!("{index:03}-{term}")) };
    Entry { log_id: log_id(term, index), payload: EntryPayload::Normal(Batch { items: vec![Item::new(proposed, None).unwrap()] }) }
}

/// A server's storage.
struct Storage {
    log: LogStore,
    adapter: Adapter,
    state: Shared,
}

impl Storage {
    fn open(disk: &MemoryDisk) -> Result<Self, log::Error> {
        let (disk, folder) = (Arc::new(disk.clone()) as Arc<dyn Disk>, Path::new(FOLDER));
        let (headroom, state) = (Arc::new(Headroom::new(Arc::clone(&disk), folder)), Shared::default());
        let log = LogStore::open_small(Arc::clone(&disk), &folder.join("log"))?;
        let adapter = Adapter::open(Box::new(Machine(Arc::clone(&state))), SnapshotStore::new(disk, folder), headroom, log.flushed())?;
        log.check_snapshot(adapter.applied())?;
        Ok(Self { log, adapter, state })
    }

    async fn take(&mut self, step: Step, kept: &Kept) -> Result<(), StorageError> {
        match step {
            Step::Vote(term) => self.log.save_vote(&Vote::new(term, 7)).await,
            Step::Append(term, count) => {
                let entries = (kept.next()..kept.next() + count).map(|index| entry(term, index));
                self.log.blocking_append(entries).await
            }
            Step::Commit(to) => self.log.save_committed(Some(log_id(term_of(kept, to), to))).await,
            Step::Truncate(from) => self.log.truncate(log_id(term_of(kept, from), from)).await,
            Step::Apply(to) => {
                let first = kept.applied.map_or(0, |applied| applied + 1);
                let entries = self.log.try_get_log_entries(first..=to).await?;
                self.adapter.apply(entries).await.map(drop)
            }
            Step::Snapshot => self.adapter.get_snapshot_builder().await.build_snapshot().await.map(drop),
            Step::Purge(to) => self.log.purge(log_id(term_of(kept, to), to)).await,
            Step::Install(to) => {
                let pairs = (0..=to).map(|index| (format!("{index:03}-3"), vec![1, 2, 3])).collect();
                let state = Frozen(Pairs { pairs, index: to + 1 });
                let sealed = snapshot::seal(|out| Box::new(state).write(out)).unwrap();
                let meta = SnapshotMeta { last_log_id: Some(log_id(3, to)), ..SnapshotMeta::default() };
                self.adapter.install_snapshot(&meta, Box::new(io::Cursor::new(sealed))).await
            }
        }
    }

    async fn find(&mut self) -> Kept {
        let entries = self.log.try_get_log_entries(..).await.unwrap();
        let state = self.log.get_log_state().await.unwrap();
        Kept {
            vote: self.log.read_vote().await.unwrap().map(|vote| vote.leader_id.term),
            entries: entries.iter().map(|entry| (entry.log_id.index, entry.log_id.leader_id.term)).collect(),
            purged: state.last_purged_log_id.map(|id| id.index),
            snapshot: self.adapter.applied().map(|id| id.index),
            applied: self.adapter.applied().map(|id| id.index),
        }
    }
}

fn term_of(kept: &Kept, index: u64) -> u64 {
    kept.entries.get(&index).copied().unwrap_or(3)
}

/// Lives until the process ends; gives what was answered for, and what would have been next.
async fn live(disk: &MemoryDisk) -> (Kept, Option<Step>) {
    let Ok(mut storage) = Storage::open(disk) else { return (Kept::default(), None) };
    let mut kept = Kept::default();
    for step in LIFE {
        if storage.take(step, &kept).await.is_err() {
            return (kept, Some(step));
        }
        kept = kept.after(step);
    }
    (kept, None)
}

#[tokio::test]
async fn storage_has_what_was_answered_whichever_operation_is_the_last() {
    let mut played = 0;
    'operations: for operation in 1.. {
        for (how, torn) in HALTS.into_iter().flat_map(|how| TORN.map(|torn| (how, torn))) {
            let disk = MemoryDisk::new();
            disk.halt_at(operation, how);
            let (kept, ended_at) = live(&disk).await;
            if !disk.is_halted() {
                assert_eq!(ended_at.map(|step| format!("{step:?}")), None);
                break 'operations;
            }
            disk.crash_keeping(|_, unsynced| unsynced * torn / 2);
            let place = format!("operation {operation}, {how:?}, {torn} halves, {ended_at:?}");
            let mut storage = Storage::open(&disk).unwrap_or_else(|error| panic!("{place}: {error}"));
            let found = storage.find().await;
            let possible = [Some(kept.clone()), ended_at.map(|step| kept.after(step))].map(|kept| kept.map(|kept| kept.on_disk()));
            assert!(possible.contains(&Some(found.clone())), "{place}: found {found:?}, where it is one of {possible:?}");
            assert_eq!(storage.state.lock().unwrap().pairs.len() as u64, found.snapshot.map_or(0, |last| last + 1), "{place}");
            // And it goes on from there.
            storage.take(Step::Vote(9), &found).await.unwrap();
            let found = found.after(Step::Vote(9));
            storage.take(Step::Append(9, 2), &found).await.unwrap();
            disk.crash();
            let again = Storage::open(&disk).unwrap_or_else(|error| panic!("{place}, again: {error}")).find().await;
            assert_eq!(again, found.after(Step::Append(9, 2)), "{place}");
            played += 1;
        }
    }
    assert!(played > 500, "{played} ends are fewer than this life has operations");
}

/// Writes one key after another; gives those that were answered.
async fn write_until_the_end(disk: &MemoryDisk) -> Vec<String> {
    let mut answered = Vec::new();
    let Ok((consensus, _)) = start(disk).await else { return answered };
    let leading = consensus.leader_changes().wait_for(|now| now.is_self).await.is_ok();
    for number in 0..24 {
        let key = format!("{number:02}");
        if !leading || consensus.propose(put(key.clone())).await.is_err() {
            break;
        }
        answered.push(key);
    }
    consensus.shutdown().await;
    answered
}

async fn start(disk: &MemoryDisk) -> Result<(Consensus, Shared), Error> {
    let state = Shared::default();
    let options = Options { snapshot_entries: 6, trailing_entries: 2, ..options() };
    let consensus = Consensus::start(options, &runtime(disk), Machine(Arc::clone(&state))).await?;
    Ok((consensus, state))
}

#[tokio::test(start_paused = true)]
async fn a_server_has_what_it_answered_whichever_operation_is_the_last() {
    let mut played = 0;
    for operation in 1.. {
        // The three ways take turns; the test above plays all of them.
        let how = HALTS[operation as usize % HALTS.len()];
        let disk = MemoryDisk::new();
        disk.halt_at(operation, how);
        let answered = write_until_the_end(&disk).await;
        if !disk.is_halted() {
            break;
        }
        disk.crash_keeping(|_, unsynced| unsynced / 2);
        let place = format!("operation {operation}, {how:?}");
        let (consensus, state) = start(&disk).await.unwrap_or_else(|error| panic!("{place}: {error}"));
        leads(&consensus).await;
        let lost: Vec<_> = answered.iter().filter(|key| !state.lock().unwrap().pairs.contains_key(*key)).collect();
        assert!(lost.is_empty(), "{place}: lost {lost:?} of {answered:?}");
        consensus.propose(put("after")).await.unwrap_or_else(|error| panic!("{place}: {error}"));
        consensus.shutdown().await;
        played += 1;
    }
    assert!(played > 60, "{played} ends are fewer than two dozen writes have operations");
}
