//! Those who propose: when they hear what became of it, and who else does.

use futures::FutureExt;

use super::{three::*, *};

#[test]
fn followers_hear_of_a_crowds_last_commit_before_the_next_heartbeat() {
    let (mut simulation, seats, name) = three(23);
    for writer in 0..8 {
        simulation.client(format!("writer-{writer}"), write_some(seats[name].clone(), "crowd", 25).map(Ok));
    }
    until(&mut simulation, "the leader has all of them", || seats[name].state().index == 200);
    let before = simulation.elapsed();
    until(&mut simulation, "the others have them", || seats.values().all(|seat| seat.state().index == 200));
    let took = simulation.elapsed() - before;
    // A message takes up to 40 ms, a heartbeat would come 100 to 150 ms after the last entry.
    assert!(took < Duration::from_millis(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_when_the_server_stops() {
    let disk = MemoryDisk::new();
    let (consensus, _) = leading(&disk).await;
    consensus.propose(put("before")).await.unwrap();
    disk.set_slow(Arc::new(sim::SeededRandom::new(5)), Duration::from_secs(3600));
    let (waiting, began) = (consensus.clone(), Instant::now());
    let waiting = tokio::spawn(async move { waiting.propose(put("vain")).await });
    while consensus.status().last_log_index == consensus.status().applied_index {
        tokio::task::yield_now().await;
    }
    consensus.shutdown().await;
    assert!(matches!(waiting.await.unwrap(), Err(Error::Shutdown)));
    assert!(began.elapsed() < proposer::PROPOSE_TIMEOUT, "{:?}", began.elapsed());
}

/// A snapshot takes the place of entries without a word to those who wait for them.
#[test]
fn a_leader_that_was_cut_off_and_got_a_snapshot_can_lead_again() {
    let (mut simulation, seats, old) = three(31);
    others(old).for_each(|other| simulation.partition(old, other));
    let (crowd, heard) = (seats[old].clone(), Arc::new(Mutex::new(Vec::new())));
    let hears = Arc::clone(&heard);
    simulation.client("crowd", async move {
        let (consensus, _) = crowd.get().unwrap();
        let answers = futures::future::join_all((0..20).map(|n| consensus.propose(put(format!("vain-{n}"))))).await;
        *hears.lock().unwrap() = answers;
        Ok(())
    });
    until(&mut simulation, "another leads", || leader(&seats, |name| name != old).is_some());
    let new = leader(&seats, |name| name != old).unwrap();
    simulation.client("writer", write_some(seats[new].clone(), "one", 100).map(Ok));
    until(&mut simulation, "the new leader has a hundred", || seats[new].state().index == 100);

    others(old).for_each(|other| simulation.repair(old, other));
    until(&mut simulation, "all are the same", || seats.values().all(|seat| seat.state() == seats[new].state()));
    assert!(seats[old].get().unwrap().0.status().snapshot_index > 10);
    let repaired = simulation.elapsed();
    until(&mut simulation, "who wrote in vain hears of it", || heard.lock().unwrap().len() == 20);
    assert!(simulation.elapsed() - repaired < Duration::from_secs(1), "{:?}", simulation.elapsed() - repaired);
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert!(heard.iter().all(Result::is_err), "{heard:?}");

    let third = others(old).find(|other| *other != new).unwrap();
    seats[third].get().unwrap().0.hold_elections(true);
    crash(&mut simulation, &seats, new);
    until(&mut simulation, "the first one leads again", || leader(&seats, |name| name == old).is_some());
    simulation.client("writer-2", write_some(seats[old].clone(), "two", 20).map(Ok));
    until(&mut simulation, "both have what it writes", || [old, third].iter().all(|name| seats[*name].state().index == 120));
}
