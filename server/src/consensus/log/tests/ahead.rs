//! Zeros ahead of what is written.

use super::*;

/// What a segment has before the zeros that it was filled with.
fn without_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    bytes
}

#[tokio::test]
async fn a_segment_has_zeros_ahead_until_another_one_follows() {
    let (plain, filled) = (MemoryDisk::new(), MemoryDisk::new());
    for (disk, limits) in [(&plain, TINY), (&filled, TINY_FILLED)] {
        let mut log = open(disk, limits).unwrap();
        for index in 0..10 {
            append(&mut log, index..index + 1).await;
        }
    }
    let names = plain.list(folder()).unwrap();
    assert_eq!(names, filled.list(folder()).unwrap());
    for name in &names[..names.len() - 1] {
        assert_eq!(plain.read(name, 4096).unwrap(), filled.read(name, 4096).unwrap(), "{}", name.display());
    }
    let last = names.last().unwrap();
    let (plain_bytes, filled_bytes) = (plain.read(last, 4096).unwrap(), filled.read(last, 4096).unwrap());
    assert!(filled_bytes.len() > plain_bytes.len());
    assert_eq!(without_zeros(filled_bytes.clone()), without_zeros(plain_bytes));
    // They stay when it is opened again, and what comes next is written over them.
    let mut log = open(&filled, TINY_FILLED).unwrap();
    assert_eq!(filled.read(last, 4096).unwrap(), filled_bytes);
    append(&mut log, 10..11).await;
    assert_eq!(filled.read(last, 4096).unwrap().len(), filled_bytes.len());
    assert_eq!(indexes(&mut open(&filled, TINY_FILLED).unwrap()).await, (0..11).collect::<Vec<_>>());
    // A file system may lose that they were taken off.
    filled.damage(&names[0], |bytes| bytes.resize(bytes.len() + 300, 0)).unwrap();
    assert_eq!(indexes(&mut open(&filled, TINY_FILLED).unwrap()).await, (0..11).collect::<Vec<_>>());
    // But not what they would be in the place of.
    filled.damage(&names[0], |bytes| bytes[500..].fill(0)).unwrap();
    let error = open(&filled, TINY_FILLED).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn what_a_crash_leaves_of_a_write_over_zeros_is_cut_off() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, FILLED).unwrap();
    append(&mut log, 0..2).await;
    let before = contents(&disk);
    append(&mut log, 2..4).await;
    let after = contents(&disk);
    assert_eq!(before.len(), after.len(), "it goes over the zeros");
    let changed: Vec<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    // Any part from the front or from the back got through.
    for part in 0..=changed.len() {
        for (name, through, whole) in [("front", &changed[..part], part == changed.len()), ("back", &changed[part..], part == 0)] {
            let mut bytes = before.clone();
            through.iter().for_each(|at| bytes[*at] = after[*at]);
            let disk = disk_with(&bytes);
            let mut log = open(&disk, FILLED).unwrap();
            let expected: &[u64] = if whole { &[0, 1, 2, 3] } else { &[0, 1] };
            assert_eq!(indexes(&mut log).await, expected, "{name} of {part}");
            // What was cut off does not come back behind what takes its place.
            let next = log.get_log_state().await.unwrap().last_log_id.map_or(0, |last| last.index + 1);
            append(&mut log, next..next + 1).await;
            disk.crash();
            assert_eq!(indexes(&mut open(&disk, FILLED).unwrap()).await, (0..=next).collect::<Vec<_>>(), "{name} of {part}");
        }
    }
}
