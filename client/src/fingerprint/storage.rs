//! The disk that allocations live on.

use std::{collections::BTreeMap, path::Path};

use nix::sys::statvfs::statvfs;

use super::read;
use crate::ClientConfig;

/// Free space in MiB.
pub(super) fn look(config: &ClientConfig, attributes: &mut BTreeMap<String, String>) -> u64 {
    let disk = statvfs(&config.alloc_dir).ok();
    let bytes = |blocks: Option<u64>| blocks.unwrap_or(0).saturating_mul(disk.as_ref().map_or(0, |disk| disk.fragment_size()));
    let or = |configured_mib: u64, measured: u64| if configured_mib > 0 { configured_mib << 20 } else { measured };
    let total = or(config.disk_total_mib, bytes(disk.as_ref().map(|disk| disk.blocks())));
    let free = or(config.disk_free_mib, bytes(disk.as_ref().map(|disk| disk.blocks_available())));
    attributes.insert("unique.storage.volume".to_owned(), device_of(&config.alloc_dir, &read("/proc/self/mounts")));
    attributes.insert("unique.storage.bytestotal".to_owned(), total.to_string());
    free.min(total) >> 20
}

/// The device that is mounted deepest above a path.
fn device_of(path: &Path, mounts: &str) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?))
    });
    let above = mounted.filter(|(_, place)| path.starts_with(place));
    above.max_by_key(|(_, place)| place.len()).map(|(device, _)| device.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\n/dev/b /nope/x xfs rw 0 0\ntmpfs /nope/xy tmpfs rw 0 0\n";
        assert_eq!(device_of(Path::new("/nope/x/alloc"), mounts), "/dev/b");
        assert_eq!(device_of(Path::new("/nope/y"), mounts), "/dev/a");
    }
}
