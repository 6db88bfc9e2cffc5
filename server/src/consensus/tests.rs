//! Servers that agree: alone, after crashes, and three in a simulation.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use drover_runtime::{
    Disk, MemoryDisk, Runtime, TcpNetwork,
    rpc::{ServeLimits, serve},
    sim,
};
use futures::FutureExt;
use openraft::testing::{StoreBuilder, Suite};
use tokio::time::Instant;

use super::{
    log::Flushed,
    types::{StorageError, TypeConfig},
    *,
};
use crate::fsm::command::Proposed;

mod full;
mod halts;
mod proposals;

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

/// For openraft's own tests of what it stores in.
struct Stores {
    real: Option<tempfile::TempDir>,
}

impl StoreBuilder<TypeConfig, LogStore, Adapter> for Stores {
    async fn build(&self) -> Result<((), LogStore, Adapter), StorageError> {
        let (disk, folder): (Arc<dyn Disk>, _) = match &self.real {
            Some(folder) => (Arc::new(drover_runtime::RealDisk), tempfile::tempdir_in(folder).unwrap().keep()),
            None => (Arc::new(MemoryDisk::new()), "/raft".into()),
        };
        let headroom = Arc::new(Headroom::new(Arc::clone(&disk), &folder));
        let log = LogStore::open(Arc::clone(&disk), &folder.join("log"), false).unwrap();
        let adapter =
            Adapter::open(Box::new(Machine(Shared::default())), SnapshotStore::new(disk, &folder), headroom, Flushed::everything())
                .unwrap();
        Ok(((), log, adapter))
    }
}

type OpenraftSuite = Suite<TypeConfig, LogStore, Adapter, Stores, ()>;

/// All of openraft's tests but `get_initial_state_membership_from_log_and_sm`: that one appends entries below what is purged and leaves holes, which openraft
/// itself forbids and our log refuses.
async fn passes_openrafts_own_tests(stores: &Stores) {
    macro_rules! run {
        ($($name:ident)*) => {$(
            let ((), log, adapter) = stores.build().await.unwrap();
            OpenraftSuite::$name(log, adapter).await.expect(stringify!($name));
        )*};
    }
    run! {
        last_membership_in_log_initial
        last_membership_in_log
        last_membership_in_log_multi_step
        get_membership_initial
        get_membership_from_log_and_empty_sm
        get_membership_from_empty_log_and_sm
        get_membership_from_log_le_sm_last_applied
        get_membership_from_log_gt_sm_last_applied_1
        get_membership_from_log_gt_sm_last_applied_2
        get_initial_state_without_init
        get_initial_state_with_state
        get_initial_state_last_log_gt_sm
        get_initial_state_last_log_lt_sm
        get_initial_state_log_ids
        get_initial_state_re_apply_committed
        save_vote
        get_log_entries
        limited_get_log_entries
        try_get_log_entry
        initial_logs
        get_log_state
        get_log_id
        last_id_in_log
        last_applied_state
        purge_logs_upto_0
        purge_logs_upto_5
        purge_logs_upto_20
        delete_logs_since_11
        delete_logs_since_0
        append_to_log
        snapshot_meta
        apply_single
        apply_multiple
    }
    OpenraftSuite::transfer_snapshot(stores).await.unwrap();
}

#[tokio::test]
async fn passes_openrafts_own_tests_in_memory() {
    passes_openrafts_own_tests(&Stores { real: None }).await;
}

#[tokio::test]
async fn passes_openrafts_own_tests_on_disk() {
    passes_openrafts_own_tests(&Stores { real: Some(tempfile::tempdir().unwrap()) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_alone_leads_without_waiting() {
    let disk = MemoryDisk::new();
    for round in ["the first start", "a restart"] {
        let begin = Instant::now();
        let (consensus, _) = start(&disk).await.unwrap();
        leads(&consensus).await;
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
    let (consensus, before) = start(&disk).await.unwrap();
    leads(&consensus).await;
    let id = consensus.id();
    for n in 0..10 {
        assert_eq!(consensus.propose(put(format!("{n}"))).await.unwrap(), Applied::At { index: n + 1 });
    }
    disk.crash();
    drop(consensus);
    let (consensus, after) = start(&disk).await.unwrap();
    leads(&consensus).await;
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
    let (consensus, before) = start(&disk).await.unwrap();
    leads(&consensus).await;
    for n in 0..100 {
        consensus.propose(put(format!("{n}"))).await.unwrap();
    }
    let mut metrics = consensus.inner.raft.metrics();
    metrics.wait_for(|metrics| metrics.purged.is_some()).await.unwrap();
    consensus.shutdown().await;
    let (consensus, after) = start(&disk).await.unwrap();
    leads(&consensus).await;
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
    let (consensus, _) = start(&disk).await.unwrap();
    leads(&consensus).await;
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
    let (consensus, _) = start(&disk).await.unwrap();
    leads(&consensus).await;
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
    let (consensus, _) = start(&MemoryDisk::new()).await.unwrap();
    leads(&consensus).await;
    let command = Command::KvPut { key: "k".into(), value: vec![200; proposer::COMMAND_BYTES], flags: 0, check: None };
    assert!(matches!(consensus.propose(command).await, Err(Error::TooLarge { .. })));
    consensus.shutdown().await;
}

/// What a simulated server leaves for the test to look at.
#[derive(Clone, Default)]
struct Seat {
    disk: MemoryDisk,
    now: Arc<Mutex<Option<(Consensus, Shared)>>>,
    /// The index of its state each time it said that it leads.
    led_from: Arc<Mutex<Vec<u64>>>,
}

const SERVERS: [&str; 3] = ["a", "b", "c"];

async fn serve_seat(name: &'static str, seed: u64, seat: Seat) -> turmoil::Result {
    let runtime = sim::runtime(seed, &seat.disk);
    let state = Shared::default();
    let options = Options { bootstrap_expect: 3, name: name.into(), ..Options::new("/raft", format!("{name}:4647")) };
    let options = Options { snapshot_entries: 40, trailing_entries: 8, ..options };
    let consensus = Consensus::start(options, &runtime, Machine(Arc::clone(&state))).await?;
    let listener = runtime.network.listen("0.0.0.0:4647").await?;
    let (led, led_from, applied) = (consensus.clone(), Arc::clone(&seat.led_from), Arc::clone(&state));
    tokio::spawn(async move {
        leads(&led).await;
        led_from.lock().unwrap().push(applied.lock().unwrap().index);
    });
    *seat.now.lock().unwrap() = Some((consensus.clone(), state));
    let hello = Hello::new(Role::Server, "global", name);
    serve(listener, hello, Arc::new(consensus.router()), ServeLimits::default(), CancellationToken::new()).await;
    Ok(())
}

impl Seat {
    fn get(&self) -> Option<(Consensus, Shared)> {
        self.now.lock().unwrap().clone()
    }

    fn last_log(&self) -> u64 {
        self.get().map_or(0, |(consensus, _)| consensus.status().last_log_index)
    }

    /// The last entry that is on its disk.
    fn flushed(&self) -> u64 {
        self.get().and_then(|(consensus, _)| consensus.inner.log.flushed().upto()).map_or(0, |upto| upto.index)
    }

    fn state(&self) -> Pairs {
        self.get().map(|(_, state)| state.lock().unwrap().clone()).unwrap_or_default()
    }
}

/// Drives the simulation until `done`, at most for some virtual minutes.
fn until(simulation: &mut turmoil::Sim<'_>, what: &str, done: impl Fn() -> bool) {
    for _ in 0..120_000 {
        if done() {
            return;
        }
        simulation.step().unwrap();
    }
    panic!("it never came true that {what}");
}

fn leader(seats: &Seats, among: impl Fn(&str) -> bool) -> Option<&'static str> {
    let leads = |name: &&&'static str| among(name) && seats[*name].get().is_some_and(|(consensus, _)| consensus.is_leader());
    seats.keys().find(leads).copied()
}

/// Proposes from inside of the leader's host, as its services do.
async fn write_some(seat: Seat, prefix: &'static str, count: usize) {
    let (consensus, _) = seat.get().unwrap();
    for n in 0..count {
        consensus.propose(put(format!("{prefix}-{n}"))).await.unwrap();
    }
}

/// Proposes something of which nobody will hear: the server ends before it answers.
async fn write_in_vain(seat: Seat) -> turmoil::Result {
    let (consensus, _) = seat.get().unwrap();
    assert!(matches!(consensus.propose(put("vain")).await, Err(Error::Shutdown)));
    Ok(())
}

fn slow(seat: &Seat, most: Duration) {
    seat.disk.set_slow(Arc::new(sim::SeededRandom::new(5)), most);
}

fn others(name: &str) -> impl Iterator<Item = &'static str> {
    SERVERS.into_iter().filter(move |other| *other != name)
}

type Seats = BTreeMap<&'static str, Seat>;

/// Three servers, and the one that leads.
fn three(seed: u64) -> (turmoil::Sim<'static>, Seats, &'static str) {
    let seats: Seats = SERVERS.into_iter().map(|name| (name, Seat::default())).collect();
    let mut simulation = turmoil::Builder::new()
        .rng_seed(seed)
        .max_message_latency(Duration::from_millis(40))
        .simulation_duration(Duration::from_secs(600))
        .build();
    for (name, seed) in SERVERS.into_iter().zip(1..) {
        let seat = seats[name].clone();
        simulation.host(name, move || serve_seat(name, seed, seat.clone()));
    }
    until(&mut simulation, "all have started", || seats.values().all(|seat| seat.get().is_some()));
    let members: BTreeMap<_, _> = seats.iter().map(|(name, seat)| (seat.get().unwrap().0.id(), format!("{name}:4647"))).collect();
    let first = seats["a"].clone();
    simulation.client("operator", async move {
        first.get().unwrap().0.initialize(members).await?;
        Ok(())
    });
    until(&mut simulation, "somebody leads", || leader(&seats, |_| true).is_some());
    let leads = leader(&seats, |_| true).unwrap();
    (simulation, seats, leads)
}

/// What was not synced is gone.
fn crash(simulation: &mut turmoil::Sim<'_>, seats: &Seats, name: &str) {
    simulation.crash(name);
    seats[name].disk.crash();
    seats[name].now.lock().unwrap().take();
}

#[test]
fn three_servers_agree_and_survive_the_leaders_crash() {
    let (mut simulation, seats, old) = three(11);
    let (writer, follower) = (seats[old].clone(), seats[SERVERS.into_iter().find(|name| *name != old).unwrap()].clone());
    simulation.client("writer-1", async move {
        write_some(writer, "one", 100).await;
        let error = follower.get().unwrap().0.propose(put("x")).await.unwrap_err();
        assert!(matches!(&error, Error::NotLeader { address, .. } if address.ends_with(":4647")), "{error}");
        Ok(())
    });
    until(&mut simulation, "the leader has a hundred", || seats[old].state().index == 100);

    crash(&mut simulation, &seats, old);
    until(&mut simulation, "another leads", || leader(&seats, |name| name != old).is_some());
    let new = leader(&seats, |name| name != old).unwrap();
    let writer = seats[new].clone();
    assert_eq!(writer.state().index, 100, "a new leader has all that was answered before it says that it leads");
    simulation.client("writer-2", async move {
        write_some(writer, "two", 100).await;
        Ok(())
    });
    until(&mut simulation, "the new leader has two hundred", || seats[new].state().index == 200);

    // The old one has missed more than the log still holds: it gets a snapshot.
    simulation.bounce(old);
    until(&mut simulation, "all are the same", || seats.values().all(|seat| seat.state() == seats[new].state()));
    assert!(seats[old].get().unwrap().0.status().snapshot_index > 100);
}

#[test]
fn a_leader_that_is_started_again_leads_in_a_new_term_with_all_that_it_answered() {
    for seed in 0..10 {
        let (mut simulation, seats, name) = three(seed);
        let writer = seats[name].clone();
        simulation.client("writer", write_some(writer, "one", 30).map(Ok));
        until(&mut simulation, "the leader has all", || seats[name].state().index == 30);
        // Followers come to have entries that are lost here: these must not be replaced by others.
        slow(&seats[name], Duration::from_secs(1));
        simulation.client("writer-2", write_in_vain(seats[name].clone()));
        until(&mut simulation, "another one has it", || others(name).any(|other| seats[other].last_log() > seats[name].flushed()));
        let term = seats[name].get().unwrap().0.leadership().term;
        crash(&mut simulation, &seats, name);
        // Before anybody has noticed.
        simulation.bounce(name);
        until(&mut simulation, "somebody leads", || leader(&seats, |_| true).is_some());
        let new = leader(&seats, |_| true).unwrap();
        assert!(seats[new].get().unwrap().0.leadership().term > term, "seed {seed}");
        assert!(*seats[new].led_from.lock().unwrap().last().unwrap() >= 30, "seed {seed}");
        let writer = seats[new].clone();
        simulation.client("writer-3", write_some(writer, "three", 10).map(Ok));
        until(&mut simulation, "all are the same", || {
            seats.values().all(|seat| seat.state().index >= 40 && seat.state() == seats[new].state())
        });
    }
}

/// The disks of the leader and of one follower would be a majority; but the leader's has not written it yet.
#[test]
fn what_the_leaders_own_disk_does_not_have_is_neither_answered_nor_shown() {
    for seed in 0..10 {
        let (mut simulation, seats, name) = three(seed);
        simulation.client("writer", write_some(seats[name].clone(), "one", 10).map(Ok));
        until(&mut simulation, "all have ten", || seats.values().all(|seat| seat.state().index == 10));
        let (with, without) = {
            let mut others = others(name);
            (others.next().unwrap(), others.next().unwrap())
        };
        simulation.partition(name, without);
        simulation.partition(with, without);
        slow(&seats[name], Duration::from_secs(1));
        simulation.client("writer-2", write_in_vain(seats[name].clone()));
        until(&mut simulation, "one follower has it", || seats[with].last_log() > seats[name].flushed());
        // Its answer arrives, and the news that all have agreed is under way, were it to be told.
        for _ in 0..100 {
            if seats[name].flushed() >= seats[with].last_log() {
                break;
            }
            assert!(SERVERS.iter().all(|server| seats[*server].state().index == 10), "seed {seed}");
            simulation.step().unwrap();
        }
        crash(&mut simulation, &seats, with);
        crash(&mut simulation, &seats, name);
        slow(&seats[name], Duration::ZERO);
        simulation.repair(name, without);
        simulation.bounce(name);
        until(&mut simulation, "the two go on", || leader(&seats, |_| true).is_some());
        simulation.repair(with, without);
        simulation.bounce(with);
        let new = leader(&seats, |_| true).unwrap();
        simulation.client("writer-3", write_some(seats[new].clone(), "three", 10).map(Ok));
        until(&mut simulation, "all are the same", || {
            seats.values().all(|seat| seat.state().index >= 20 && seat.state() == seats[new].state())
        });
    }
}
