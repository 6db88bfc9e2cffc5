//! Supervisors that nobody knows of: started, and then the agent died before it had written that down.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use nix::sys::signal::{Signal, kill};

use super::pid;
use crate::isolation::process;

/// How a supervisor is shown among the machine's processes: it names the agent's folder, so that two agents on one machine know theirs apart.
pub(super) fn title(folder: &Path) -> OsString {
    let mut title = b"drover-shim:".to_vec();
    title.extend(folder.as_os_str().as_bytes());
    OsString::from_vec(title)
}

/// Ends every supervisor of this folder, with its task, whose status file is not among `known`.
pub(super) fn end(folder: &Path, known: &BTreeSet<String>) {
    let title = title(folder);
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for number in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Ok(line) = fs::read(format!("/proc/{number}/cmdline")) else { continue };
        let mut arguments = line.split(|byte| *byte == 0);
        if arguments.next() != Some(title.as_bytes()) {
            continue;
        }
        let status = arguments.next().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
        if !known.contains(&status) {
            tracing::warn!(supervisor = number, "a task that nobody knows of is ended");
            for task in process::descendants(number) {
                // The supervisor then ends by itself.
                let _ = kill(pid(task), Signal::SIGKILL);
            }
        }
    }
}
