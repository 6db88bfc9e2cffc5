//! What crashes and disks leave of a log: cut off where nobody was answered, refused with its place elsewhere.

use super::*;

#[tokio::test]
async fn what_was_answered_survives_a_crash_at_any_byte_of_what_was_not() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..3).await;
    let answered = contents(&disk).len();
    // Not synced, so all, nothing or any part of it may survive.
    commit(&mut log, 1).await;
    commit(&mut log, 2).await;
    let written = contents(&disk).len();
    for torn in 0..=written - answered {
        let disk = MemoryDisk::new();
        let mut log = open(&disk, PLAIN).unwrap();
        append(&mut log, 0..3).await;
        commit(&mut log, 1).await;
        commit(&mut log, 2).await;
        disk.crash_keeping(|_, _| torn);
        let mut log = open(&disk, PLAIN).unwrap();
        assert_eq!(indexes(&mut log).await, [0, 1, 2], "{torn} bytes");
        let expected = if torn == written - answered { Some(log_id(2)) } else { (torn * 2 >= written - answered).then(|| log_id(1)) };
        assert_eq!(log.read_committed().await.unwrap(), expected, "{torn} bytes");
        // And it goes on from there.
        append(&mut log, 3..4).await;
        disk.crash();
        assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1, 2, 3], "{torn} bytes");
    }
}

#[tokio::test]
async fn a_torn_append_is_cut_at_any_byte() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    let first = contents(&disk).len();
    append(&mut log, 2..4).await;
    let whole = contents(&disk);
    for cut in first..whole.len() {
        let disk = disk_with(&whole[..cut]);
        let mut log = open(&disk, PLAIN).unwrap();
        assert_eq!(indexes(&mut log).await, [0, 1], "cut at {cut}");
        assert_eq!(contents(&disk).len(), first, "cut at {cut}");
    }
    // Pages need not reach the disk in their order.
    let mut zeroed = whole.clone();
    zeroed[first + 30..first + 60].fill(0);
    disk.damage(&segment(1), |bytes| *bytes = zeroed).unwrap();
    assert_eq!(indexes(&mut open(&disk, PLAIN).unwrap()).await, [0, 1]);
}

#[tokio::test]
async fn a_flipped_byte_in_what_was_answered_is_refused_with_its_place() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, PLAIN).unwrap();
    append(&mut log, 0..2).await;
    let starts = [0, contents(&disk).len()];
    append(&mut log, 2..3).await;
    let answered = contents(&disk).len();
    commit(&mut log, 2).await;
    let whole = contents(&disk);
    for position in 0..answered {
        let mut flipped = whole.clone();
        flipped[position] ^= 0x10;
        let disk = disk_with(&flipped);
        match open(&disk, PLAIN).unwrap_err() {
            Error::Damaged { path, offset, .. } => {
                assert_eq!(path, segment(1));
                assert!(offset as usize <= position && (position < starts[1] || offset as usize == starts[1]), "byte {position}: {offset}");
            }
            // The version's own byte.
            Error::Newer { .. } => assert!((8..10).contains(&position)),
            other => panic!("byte {position}: {other}"),
        }
        assert_eq!(contents(&disk), flipped, "a refused log is left as it is");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let filled = || async {
        let disk = MemoryDisk::new();
        let mut log = open(&disk, TINY).unwrap();
        for index in 0..12 {
            append(&mut log, index..index + 1).await;
        }
        assert!(disk.list(folder()).unwrap().len() > 3);
        disk
    };
    type Harm = fn(&MemoryDisk);
    let cases: [(&str, Harm, &str); 5] = [
        (
            "middle gone",
            |disk| disk.remove(&segment(2)).unwrap(),
            "0000000000000002.log is missing: there are segments before and after it",
        ),
        ("first gone", |disk| disk.remove(&segment(1)).unwrap(), "0000000000000001.log is missing: entries from 0 to"),
        ("emptied", |disk| disk.damage(&segment(2), Vec::clear).unwrap(), "0000000000000002.log is damaged at byte 0: it is shorter than"),
        ("newer", |disk| disk.damage(&segment(1), |bytes| bytes[8] = 9).unwrap(), "has version 9, this binary reads up to 1"),
        (
            "middle cut",
            |disk| disk.damage(&segment(1), |bytes| bytes.truncate(bytes.len() - 1)).unwrap(),
            "0000000000000001.log is damaged",
        ),
    ];
    for (name, harm, text) in cases {
        let disk = filled().await;
        harm(&disk);
        let error = open(&disk, TINY).unwrap_err().to_string();
        assert!(error.contains(text), "{name}: {error}");
        assert!(error.contains("move") || error.contains("newer one"), "{name}: {error}");
    }
    let error = LogStore::open(Arc::new(MemoryDisk::new()), folder(), true).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}
