//! Disks that are full or broken.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_broken_disk_is_told_and_nothing_more_is_written() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    disk.set_broken(true);
    assert!(log.blocking_append([entry(2)]).await.is_err());
    disk.set_broken(false);
    assert!(log.save_vote(&Vote::new(1, 1)).await.unwrap_err().to_string().contains("broken"));
    disk.crash();
    assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_the_log_waits_for_room_and_loses_nothing() {
    let vote = Vote::new(3, 7);
    // As much room as there is beyond what is there already: from none, over each part of each write, to enough.
    for (more, limits) in (0..1200).flat_map(|more| [(more, TINY), (more, TINY_FILLED)]) {
        let disk = MemoryDisk::new();
        let mut log = open(&disk, limits).unwrap();
        append(&mut log, 0..3).await;
        commit(&mut log, 1).await;
        disk.set_capacity(Some(disk.used() + more));
        let (mut writing, mut reader) = (log.clone(), log.clone());
        let work = async {
            for index in 3..8 {
                append(&mut writing, index..index + 1).await;
                commit(&mut writing, index - 1).await;
            }
            writing.save_vote(&vote).await.unwrap();
            writing.purge(log_id(1)).await.unwrap();
        };
        let room = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let waits = reader.shared.writer.headroom.log_waits();
            let found = indexes(&mut reader).await;
            assert!(found.starts_with(&[0, 1, 2]) || found.starts_with(&[2, 3, 4]), "{more}: reads go on: {found:?}");
            disk.set_capacity(None);
            waits
        };
        let ((), waited) = tokio::join!(work, room);
        assert!(!log.shared.writer.headroom.log_waits(), "{more}");
        assert!(waited || more + limits.ahead_bytes as u64 > 600, "{more} bytes cannot be enough");
        disk.crash();
        let mut log = open(&disk, limits).unwrap();
        assert_eq!(indexes(&mut log).await, [2, 3, 4, 5, 6, 7], "{more}");
        assert_eq!(log.read_vote().await.unwrap(), Some(vote), "{more}");
    }
}

#[tokio::test]
async fn a_log_that_waits_for_room_can_be_closed() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    disk.set_capacity(Some(disk.used()));
    let (mut writing, vote) = (log.clone(), Vote::new(1, 1));
    let (written, ()) = tokio::join!(writing.save_vote(&vote), log.close());
    assert!(written.unwrap_err().to_string().contains("closed"));
    disk.set_capacity(None);
    disk.crash();
    assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1]);
}
