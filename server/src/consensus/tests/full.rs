//! A server alone, whose disk is full.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_server_whose_disk_runs_short_refuses_writes_until_there_is_room() {
    let disk = MemoryDisk::new();
    let (consensus, state) = leading(&disk).await;
    consensus.propose(put("before")).await.unwrap();
    // A tenth is kept.
    disk.set_capacity(Some(disk.used() + disk.used() / 10));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let Err(Error::Full(text)) = consensus.propose(put("refused")).await else { panic!("there is no room") };
    assert!(text.starts_with("disk full: 0 KiB free in /server/raft, where this server keeps 0 KiB"), "{text}");
    assert!(!text.contains("may still be done") && consensus.is_short_of_room());
    consensus.barrier().await.unwrap();
    assert!(consensus.is_leader());
    disk.set_capacity(None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    consensus.propose(put("after")).await.unwrap();
    assert_eq!(state.lock().unwrap().pairs.keys().collect::<Vec<_>>(), ["after", "before"]);
    consensus.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_all_at_once_stops_nothing_for_good() {
    let disk = MemoryDisk::new();
    let (consensus, state) = leading(&disk).await;
    for n in 0..30 {
        consensus.propose(put(format!("{n}"))).await.unwrap();
    }
    // Nobody has looked yet: the log itself finds out.
    disk.set_capacity(Some(disk.used()));
    // More than the log's file has zeros for.
    let Err(Error::Full(text)) = consensus.propose(put("late".repeat(4 << 10))).await else { panic!("there is no room") };
    assert!(text.ends_with("this write may still be done once there is room"), "{text}");
    let Err(Error::Full(text)) = consensus.propose(put("refused")).await else { panic!("there is no room") };
    assert!(text.ends_with("reads go on"), "{text}");
    consensus.barrier().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(state.lock().unwrap().pairs.len(), 30);
    disk.set_capacity(None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 30..60 {
        consensus.propose(put(format!("{n}"))).await.unwrap();
    }
    assert_eq!(state.lock().unwrap().pairs.len(), 61, "what was on its way is done by now");
    assert_eq!(consensus.status().failure, None);
    let before = state.lock().unwrap().clone();
    consensus.shutdown().await;
    let (consensus, after) = leading(&disk).await;
    assert_eq!(*after.lock().unwrap(), before);
    consensus.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_waits_for_room() {
    let disk = MemoryDisk::new();
    let (consensus, _) = leading(&disk).await;
    for n in 0..20 {
        consensus.propose(put(format!("{n}"))).await.unwrap();
    }
    disk.set_capacity(Some(disk.used()));
    consensus.snapshot().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(consensus.status().snapshot_index, 0);
    disk.set_capacity(None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(consensus.status().snapshot_index >= 20);
    assert_eq!(consensus.status().failure, None);
    consensus.shutdown().await;
}
