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
