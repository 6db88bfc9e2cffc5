//! A leader's log, which is written while its followers write theirs.

use std::{collections::BTreeMap, time::Duration};

use super::*;

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
