//! Consensus, with a small state machine: a server alone, and after crashes.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use drover_runtime::{Disk, MemoryDisk, Runtime, TcpNetwork, sim};
use tokio::time::Instant;

use super::*;
use crate::fsm::command::Proposed;

mod full;
mod halts;
mod proposals;
mod storage;
mod three;

/// The last value of every key, and how many commands were applied.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pairs {
    pairs: BTreeMap<String, Vec<u8>>,
    index: u64,
}

type Shared = Arc<Mutex<Pairs>>;

struct Machine(Shared);

impl StateMachine for Machine {
    fn apply(&mut self, proposals: Vec<Proposed>) -> Vec<Applied> {
        let mut state = self.0.lock().unwrap();
        let mut one = |proposed: Proposed| {
            state.index += 1;
            let index = state.index;
            match proposed.command {
                Command::KvPut { key, value, .. } => {
                    state.pairs.insert(key, value);
                    Applied::At { index }
                }
                _ => Applied::Refused { index, status: 400, message: "only puts".into() },
            }
        };
        proposals.into_iter().map(&mut one).collect()
    }

    fn snapshot(&self) -> Box<dyn SnapshotSource> {
        Box::new(Frozen(self.0.lock().unwrap().clone()))
    }

    fn restore(&mut self, input: &mut dyn io::Read) -> Result<(), BoxError> {
        let (pairs, index) = rmp_serde::from_read(input)?;
        *self.0.lock().unwrap() = Pairs { pairs, index };
        Ok(())
    }
}

struct Frozen(Pairs);

impl SnapshotSource for Frozen {
    fn write(self: Box<Self>, out: &mut dyn io::Write) -> Result<(), BoxError> {
        Ok(rmp_serde::encode::write(out, &(&self.0.pairs, self.0.index))?)
    }
}

fn put(key: impl Into<String>) -> Command {
    Command::KvPut { key: key.into(), value: vec![1, 2, 3], flags: 0, check: None }
}

fn runtime(disk: &MemoryDisk) -> Runtime {
    let random = Arc::new(sim::SeededRandom::new(1));
    Runtime { clock: Arc::new(sim::SimClock::new(sim::EPOCH)), random, network: Arc::new(TcpNetwork), disk: Arc::new(disk.clone()) }
}

fn options() -> Options {
    Options { snapshot_entries: 40, trailing_entries: 8, ..Options::new("/server/raft", "10.0.0.1:4647") }
}

async fn start(disk: &MemoryDisk) -> Result<(Consensus, Shared), Error> {
    let state = Shared::default();
    let consensus = Consensus::start(options(), &runtime(disk), Machine(Arc::clone(&state))).await?;
    Ok((consensus, state))
}

async fn leads(consensus: &Consensus) {
    consensus.leader_changes().wait_for(|leadership| leadership.is_self).await.unwrap();
}

/// A server alone that leads.
async fn leading(disk: &MemoryDisk) -> (Consensus, Shared) {
    let (consensus, state) = start(disk).await.unwrap();
    leads(&consensus).await;
    (consensus, state)
}

#[tokio::test(start_paused = true)]
async fn a_server_alone_leads_without_waiting() {
    let disk = MemoryDisk::new();
    for round in ["the first start", "a restart"] {
        let begin = Instant::now();
        let (consensus, _) = leading(&disk).await;
        assert!(begin.elapsed() < Duration::from_millis(100), "{round}: {:?}", begin.elapsed());
        let leadership = consensus.leadership();
        assert_eq!(leadership.leader.unwrap().address, "10.0.0.1:4647");
        consensus.shutdown().await;
        assert!(!consensus.is_leader());
        assert!(matches!(consensus.propose(put("late")).await, Err(Error::Shutdown)));
    }
}

#[tokio::test]
async fn answered_writes_survive_a_crash() {
    let disk = MemoryDisk::new();
    let (consensus, before) = leading(&disk).await;
    let id = consensus.id();
    for n in 0..10 {
        assert_eq!(consensus.propose(put(format!("{n}"))).await.unwrap(), Applied::At { index: n + 1 });
    }
    disk.crash();
    drop(consensus);
    let (consensus, after) = leading(&disk).await;
    assert_eq!(consensus.id(), id);
    assert_eq!(*after.lock().unwrap(), *before.lock().unwrap());
    assert_eq!(consensus.propose(put("more")).await.unwrap(), Applied::At { index: 11 });
    consensus.barrier().await.unwrap();
    consensus.shutdown().await;
}

#[tokio::test]
async fn writes_that_wait_share_entries_and_are_answered_each() {
    let (folder, state) = (tempfile::tempdir().unwrap(), Shared::default());
    let options = Options { folder: folder.path().join("raft"), ..options() };
    let consensus = Consensus::start(options, &Runtime::real(), Machine(Arc::clone(&state))).await.unwrap();
    leads(&consensus).await;
    let before = consensus.status().last_log_index;
    let proposals = (0..2000).map(|n| consensus.propose(put(format!("{n:04}"))));
    let answers = futures::future::join_all(proposals).await;
    let mut indexes: Vec<u64> = answers.into_iter().map(|answer| answer.unwrap().index()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (1..=2000).collect::<Vec<_>>());
    assert_eq!(state.lock().unwrap().pairs.len(), 2000);
    let entries = consensus.status().last_log_index - before;
    assert!(entries < 50, "{entries} entries for 2000 commands");
    let refused = consensus.propose(Command::KvDelete { key: "x".into(), recurse: false, check: None }).await.unwrap();
    assert!(matches!(refused, Applied::Refused { status: 400, .. }));
    consensus.shutdown().await;
}

#[tokio::test]
async fn snapshots_replace_the_log_and_must_not_be_missing() {
    let disk = MemoryDisk::new();
    let (consensus, before) = leading(&disk).await;
    for n in 0..100 {
        consensus.propose(put(format!("{n}"))).await.unwrap();
    }
    let mut metrics = consensus.inner.raft.metrics();
    metrics.wait_for(|metrics| metrics.purged.is_some()).await.unwrap();
    consensus.shutdown().await;
    let (consensus, after) = leading(&disk).await;
    assert_eq!(*after.lock().unwrap(), *before.lock().unwrap());
    consensus.shutdown().await;
    let snapshot = Path::new("/server/raft/snapshot");
    let whole = disk.read(snapshot, 1 << 20).unwrap();
    for position in 0..whole.len() {
        disk.damage(snapshot, |bytes| bytes[position] ^= 0x10).unwrap();
        let error = start(&disk).await.unwrap_err().to_string();
        assert!(error.contains("/server/raft/snapshot"), "byte {position}: {error}");
        disk.damage(snapshot, |bytes| bytes[position] ^= 0x10).unwrap();
    }
    disk.remove(snapshot).unwrap();
    let error = start(&disk).await.unwrap_err().to_string();
    assert!(error.contains("/server/raft/snapshot is missing"), "{error}");
}

#[tokio::test]
async fn a_folder_is_one_servers() {
    let disk = MemoryDisk::new();
    let (consensus, _) = start(&disk).await.unwrap();
    let error = start(&disk).await.unwrap_err().to_string();
    assert!(error.contains("/server/raft is used by another process"), "{error}");
    consensus.shutdown().await;
    start(&disk).await.unwrap().0.shutdown().await;
}

#[tokio::test]
async fn a_lost_log_or_id_is_refused() {
    let disk = MemoryDisk::new();
    let (consensus, _) = leading(&disk).await;
    consensus.shutdown().await;
    let id = disk.read(Path::new("/server/raft/id"), 100).unwrap();
    disk.remove(Path::new("/server/raft/id")).unwrap();
    assert!(start(&disk).await.unwrap_err().to_string().contains("/server/raft/id is missing"));
    disk.write_atomic(Path::new("/server/raft/id"), &id).unwrap();
    for path in disk.list(Path::new("/server/raft/log")).unwrap() {
        disk.remove(&path).unwrap();
    }
    assert!(start(&disk).await.unwrap_err().to_string().contains("its log is gone"));
}

#[tokio::test]
async fn a_broken_disk_stops_this_server_and_nobody_is_told_otherwise() {
    let disk = MemoryDisk::new();
    let (consensus, _) = leading(&disk).await;
    disk.set_broken(true);
    assert!(matches!(consensus.propose(put("x")).await, Err(Error::Storage(_) | Error::Shutdown)));
    consensus.leader_changes().wait_for(|leadership| !leadership.is_self).await.unwrap();
    assert!(consensus.status().failure.unwrap().contains("broken"));
    consensus.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_cluster_there_is_no_leader() {
    let state = Shared::default();
    let options = Options { bootstrap_expect: 3, ..options() };
    let consensus = Consensus::start(options, &runtime(&MemoryDisk::new()), Machine(state)).await.unwrap();
    assert!(matches!(consensus.propose(put("x")).await, Err(Error::NoLeader)));
    assert!(matches!(consensus.barrier().await, Err(Error::NoLeader)));
    assert!(consensus.peers().is_empty());
    consensus.shutdown().await;
}

#[tokio::test]
async fn a_large_command_is_refused_before_it_is_proposed() {
    let (consensus, _) = leading(&MemoryDisk::new()).await;
    let command = Command::KvPut { key: "k".into(), value: vec![200; proposer::COMMAND_BYTES], flags: 0, check: None };
    assert!(matches!(consensus.propose(command).await, Err(Error::TooLarge { .. })));
    consensus.shutdown().await;
}
