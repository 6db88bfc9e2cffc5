//! What a crash, a full disk and the end of a process leave.

use super::*;
use crate::disk::is_full;

fn disk_with_file() -> (MemoryDisk, PathBuf, Box<dyn DiskFile>) {
    let (disk, path) = (MemoryDisk::new(), PathBuf::from("/data/log"));
    disk.create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = disk.open(&path).unwrap();
    file.append(b"kept").unwrap();
    file.sync().unwrap();
    disk.sync_dir(path.parent().unwrap()).unwrap();
    (disk, path, file)
}

#[test]
fn a_crash_loses_what_was_not_synced() {
    let (disk, path, mut file) = disk_with_file();
    file.append(b"lost").unwrap();
    disk.crash();
    assert_eq!(disk.read(&path, 100).unwrap(), b"kept");
    assert!(file.append(b"x").is_err(), "whoever had it open is gone");
}

#[test]
fn a_torn_write_keeps_a_part() {
    let (disk, path, mut file) = disk_with_file();
    file.append(b"lost").unwrap();
    disk.crash_keeping(|_, _| 2);
    assert_eq!(disk.read(&path, 100).unwrap(), b"keptlo");
}

#[test]
fn a_truncation_that_was_not_synced_is_undone() {
    let (disk, path, mut file) = disk_with_file();
    file.truncate(1).unwrap();
    file.append(b"new").unwrap();
    disk.crash();
    assert_eq!(disk.read(&path, 100).unwrap(), b"kept");
}

#[test]
fn what_was_written_over_comes_back_where_it_was_not_synced() {
    let (disk, path, mut file) = disk_with_file();
    file.write_at(1, b"issed").unwrap();
    file.write_at(0, b"m").unwrap();
    assert_eq!(disk.read(&path, 100).unwrap(), b"missed");
    for (through, want) in [(0, "kept"), (2, "kist"), (5, "kissed"), (6, "missed")] {
        let (disk, path, mut file) = disk_with_file();
        file.write_at(1, b"issed").unwrap();
        file.write_at(0, b"m").unwrap();
        disk.crash_keeping(|_, _| through);
        assert_eq!(disk.read(&path, 100).unwrap(), want.as_bytes(), "{through}");
    }
    file.sync().unwrap();
    disk.crash();
    assert_eq!(disk.read(&path, 100).unwrap(), b"missed");
}

#[test]
fn sectors_get_through_in_any_order() {
    let random = crate::sim::SeededRandom::new(5);
    let mut found = BTreeSet::new();
    for _ in 0..200 {
        let (disk, path, mut file) = disk_with_file();
        file.write_at(4, &[1; 2000]).unwrap();
        disk.crash_torn(&random);
        let left = disk.read(&path, 4000).unwrap();
        assert!(left.starts_with(b"kept"));
        found.insert([4, 600, 1100, 1600].map(|at| left.get(at).copied().unwrap_or(0)));
    }
    assert!(found.contains(&[0, 1, 0, 1]) && found.contains(&[0; 4]) && found.contains(&[1; 4]), "{found:?}");
}

#[test]
fn a_full_disk_takes_what_fits_and_more_when_there_is_room() {
    let (disk, path, mut file) = disk_with_file();
    disk.set_capacity(Some(6));
    assert_eq!(disk.room(&path).unwrap(), Room { free_bytes: 2, total_bytes: 6 });
    assert!(is_full(&file.append(b"lost").unwrap_err()));
    assert_eq!(disk.read(&path, 100).unwrap(), b"keptlo", "as on a disk, a part of it is there");
    assert!(is_full(&disk.write_atomic(&path.with_file_name("other"), b"x").unwrap_err()));
    file.truncate(4).unwrap();
    disk.set_capacity(None);
    file.append(b"more").unwrap();
    assert_eq!(disk.used(), 8);
}

#[test]
fn a_process_ends_at_the_operation_that_it_is_told_to() {
    for (how, want) in [(Halt::Before, "kept"), (Halt::Amid, "keptl"), (Halt::After, "keptlog")] {
        let (disk, path, mut file) = disk_with_file();
        disk.halt_at(2, how);
        assert!(file.sync().is_ok() && !disk.is_halted());
        assert!(file.append(b"log").is_err() && disk.is_halted(), "{how:?}");
        assert!(file.sync().is_err(), "{how:?}: nothing is done any more");
        disk.crash_keeping(|_, unsynced| unsynced);
        assert_eq!(disk.read(&path, 100).unwrap(), want.as_bytes(), "{how:?}");
    }
}

#[test]
fn locks_end_with_their_holder_or_a_crash() {
    let (disk, path) = (MemoryDisk::new(), Path::new("/lock"));
    let held = disk.lock(path).unwrap();
    assert_eq!(disk.lock(path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(held);
    let lost = disk.lock(path).unwrap();
    disk.crash();
    let _after = disk.lock(path).unwrap();
    drop(lost);
    assert!(disk.lock(path).is_err(), "whoever was there before the crash does not unlock it");
}

#[test]
fn names_need_their_folder_synced() {
    let (disk, path, _file) = disk_with_file();
    let other = path.with_file_name("other");
    disk.open(&other).unwrap();
    disk.remove(&path).unwrap();
    disk.crash();
    assert_eq!(disk.list(path.parent().unwrap()).unwrap(), [path]);
}
