//! What `/proc` says of a process.

use std::{collections::BTreeMap, fs, io, time::Duration};

use crate::drivers::ProcessUsage;

/// The kernel counts a process's time in these, whatever its own tick.
const TICKS_PER_SECOND: u64 = 100;
/// Processes of one task that are looked at.
const MOST_PROCESSES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: u8,
    pub(crate) parent: u32,
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
    /// Ticks after the machine's start; together with the number it names one process.
    pub(crate) started: u64,
    pub(crate) resident_pages: u64,
}

pub(crate) fn stat(pid: u32) -> io::Result<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat"))?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The program's name may hold blanks and brackets, so the fields are counted from the last bracket.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index - 3).and_then(|field| field.parse::<u64>().ok());
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        parent: u32::try_from(number(4)?).ok()?,
        user_ticks: number(14)?,
        system_ticks: number(15)?,
        started: number(22)?,
        resident_pages: number(24)?,
    })
}

/// Names this run of the machine: numbers of processes mean nothing in another one.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// All that descends from a process, itself left out.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let (mut found, mut next) = (Vec::new(), vec![pid]);
    while let Some(parent) = next.pop() {
        if found.len() >= MOST_PROCESSES {
            break;
        }
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let children = children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        for child in children {
            found.push(child);
            next.push(child);
        }
    }
    found
}

pub(crate) fn usage(pids: &[u32]) -> BTreeMap<u32, ProcessUsage> {
    let page =
        nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok()).unwrap_or(4096);
    let one = |pid: u32| {
        let stat = stat(pid).ok()?;
        let usage = ProcessUsage {
            user_cpu: ticks(stat.user_ticks),
            system_cpu: ticks(stat.system_ticks),
            memory_bytes: stat.resident_pages.saturating_mul(page),
            swap_bytes: 0,
        };
        Some((pid, usage))
    };
    pids.iter().filter_map(|pid| one(*pid)).collect()
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count.saturating_mul(1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse_the_fields() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194304 7 0 0 0 3 4 0 0 20 0 1 0 183547 430080 17 18446744073709551615 0";
        let want = Stat { state: b'S', parent: 7, user_ticks: 3, system_ticks: 4, started: 183_547, resident_pages: 17 };
        assert_eq!(parse_stat(text), Some(want));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn this_process_is_there() {
        let stat = stat(std::process::id()).unwrap();
        assert!(stat.started > 0 && stat.resident_pages > 0 && !boot_id().is_empty());
    }
}
