//! Three servers in a simulation, each in its seat.

use drover_runtime::rpc::{ServeLimits, serve};
use futures::FutureExt;

use super::*;

/// What a simulated server leaves for the test to look at.
#[derive(Clone, Default)]
pub(super) struct Seat {
    pub(super) disk: MemoryDisk,
    pub(super) now: Arc<Mutex<Option<(Consensus, Shared)>>>,
    /// The index of its state each time it said that it leads.
    pub(super) led_from: Arc<Mutex<Vec<u64>>>,
}

pub(super) const SERVERS: [&str; 3] = ["a", "b", "c"];

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
    pub(super) fn get(&self) -> Option<(Consensus, Shared)> {
        self.now.lock().unwrap().clone()
    }

    pub(super) fn last_log(&self) -> u64 {
        self.get().map_or(0, |(consensus, _)| consensus.status().last_log_index)
    }

    /// The last entry that is on its disk.
    pub(super) fn flushed(&self) -> u64 {
        self.get().and_then(|(consensus, _)| consensus.inner.log.flushed().upto()).map_or(0, |upto| upto.index)
    }

    pub(super) fn state(&self) -> Pairs {
        self.get().map(|(_, state)| state.lock().unwrap().clone()).unwrap_or_default()
    }
}

/// Drives the simulation until `done`, at most for some virtual minutes.
pub(super) fn until(simulation: &mut turmoil::Sim<'_>, what: &str, done: impl Fn() -> bool) {
    for _ in 0..120_000 {
        if done() {
            return;
        }
        simulation.step().unwrap();
    }
    panic!("it never came true that {what}");
}

pub(super) fn leader(seats: &Seats, among: impl Fn(&str) -> bool) -> Option<&'static str> {
    let leads = |name: &&&'static str| among(name) && seats[*name].get().is_some_and(|(consensus, _)| consensus.is_leader());
    seats.keys().find(leads).copied()
}

/// Proposes from inside of the leader's host, as its services do.
pub(super) async fn write_some(seat: Seat, prefix: &'static str, count: usize) {
    let (consensus, _) = seat.get().unwrap();
    for n in 0..count {
        consensus.propose(put(format!("{prefix}-{n}"))).await.unwrap();
    }
}

/// Proposes something of which nobody will hear: the server ends before it answers.
pub(super) async fn write_in_vain(seat: Seat) -> turmoil::Result {
    let (consensus, _) = seat.get().unwrap();
    assert!(matches!(consensus.propose(put("vain")).await, Err(Error::Shutdown)));
    Ok(())
}

pub(super) fn slow(seat: &Seat, most: Duration) {
    seat.disk.set_slow(Arc::new(sim::SeededRandom::new(5)), most);
}

pub(super) fn others(name: &str) -> impl Iterator<Item = &'static str> {
    SERVERS.into_iter().filter(move |other| *other != name)
}

pub(super) type Seats = BTreeMap<&'static str, Seat>;

/// Three servers, and the one that leads.
pub(super) fn three(seed: u64) -> (turmoil::Sim<'static>, Seats, &'static str) {
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
pub(super) fn crash(simulation: &mut turmoil::Sim<'_>, seats: &Seats, name: &str) {
    simulation.crash(name);
    seats[name].disk.crash();
    seats[name].now.lock().unwrap().take();
}

#[test]
fn three_servers_agree_and_survive_the_leaders_crash() {
    let (mut simulation, seats, old) = three(11);
    let (writer, follower) = (seats[old].clone(), seats[others(old).next().unwrap()].clone());
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
