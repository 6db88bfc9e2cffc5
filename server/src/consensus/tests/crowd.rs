//! Many who write at once.

use super::*;

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
