//! A server whose disk is full: a small file system of its own.

use std::{path::Path, process::Command};

use crate::support::{Agent, wait};

const MIB: usize = 1 << 20;
/// Of the file system; a tenth of it is what the server keeps free.
const SIZE: &str = "40m";

/// Mounts a file system in a mount namespace of its own, which ends with the command that takes the shell's place.
const SMALL_DISK: &str = r#"mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@""#;

fn on_small_disk(folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SMALL_DISK, "sh", SIZE]).arg(folder);
    command
}

/// Why this machine cannot play it; none: it can.
fn missing() -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("only root can mount a small file system");
    }
    let folder = tempfile::tempdir().unwrap();
    let tried = on_small_disk(folder.path()).arg("true").output();
    if tried.is_ok_and(|tried| tried.status.success()) { None } else { Some("no file system can be mounted here (unshare --mount)") }
}

/// Fills the disk until so many bytes are left.
fn fill(disk: &Path, left: usize) {
    let free = nix::sys::statvfs::statvfs(disk).unwrap();
    let free = usize::try_from(free.blocks_available() * free.fragment_size()).unwrap();
    std::fs::write(disk.join("filler"), vec![1; free.saturating_sub(left)]).unwrap();
}

#[tokio::test]
async fn writes_are_refused_while_the_disk_is_full_and_accepted_when_it_is_not() {
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mut command = on_small_disk(&disk);
    command.arg(Agent::binary().get_program());
    let mut agent = Agent::start(folder.path(), command).await;
    let disk = agent.sees(&disk);
    let accepted = async |name: &str| agent.write(name).await.is_some_and(|(status, _)| status == 200).then_some(());
    wait("a first write", async || accepted("first").await).await;
    for (round, left) in [("nearly", MIB), ("entirely", 0)] {
        fill(&disk, left);
        let (status, text) = wait("a refusal", async || agent.write(round).await.filter(|(status, _)| *status != 200)).await;
        assert_eq!(status, 503, "{text}");
        assert!(text.starts_with("disk full: ") && text.contains("/disk/server"), "{round}: {text}");
        for query in ["", "?stale", "?consistent"] {
            assert!(agent.reads(query).await.contains("\"first\""), "{round}{query}");
        }
        std::fs::remove_file(disk.join("filler")).unwrap();
        let again = format!("after-{round}");
        wait("a write after room was made", async || accepted(&again).await).await;
        assert!(agent.reads("").await.contains(&again));
    }
    assert!(agent.process.try_wait().unwrap().is_none(), "it runs on");
}
