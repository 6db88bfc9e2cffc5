//! What somebody at a laptop does with the binary: start everything, run a job, work in it, and press Ctrl-C twice.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use tokio::time::Instant;

const BINARY: &str = env!("CARGO_BIN_EXE_drover");
const PATIENCE: Duration = Duration::from_secs(60);

/// Heeds no signal that can be ignored, and would take half a minute to be killed.
const STUBBORN: &str = r#"job "stubborn" {
  group "g" {
    task "t" {
      driver       = "raw_exec"
      kill_timeout = "30s"
      config {
        command = "/bin/sh"
        args    = ["-c", "trap '' INT TERM HUP; echo $$ > local/pid; while true; do sleep 1; done"]
      }
    }
  }
}
"#;

/// A throw-away agent, ended with the test.
struct Laptop {
    agent: Child,
    log: PathBuf,
    address: String,
}

impl Laptop {
    fn start(folder: &Path) -> Self {
        let (log, config) = (folder.join("agent.log"), folder.join("agent.hcl"));
        std::fs::write(&config, "ports {\n  http = 0\n  rpc = 0\n  serf = 0\n}\n").unwrap();
        let file = File::create(&log).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["agent", "-dev", "-config"]).arg(&config).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        for inherited in ["AWS_CA_BUNDLE", "CONSUL_HTTP_ADDR", "VAULT_ADDR", "NOMAD_TOKEN"] {
            command.env_remove(inherited);
        }
        let agent = command.spawn().unwrap();
        let mut laptop = Self { agent, log, address: String::new() };
        laptop.until("the banner", |log| log.contains("agent started"));
        let text = laptop.text();
        let (_, rest) = text.split_once("Bind Addrs: HTTP: [").unwrap();
        laptop.address = format!("http://{}", rest.split_once(']').unwrap().0);
        laptop
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn until(&self, what: &str, is: impl Fn(&str) -> bool) {
        wait(&format!("{what} in {}", self.text()), || is(&self.text()).then_some(()));
    }

    fn drover(&self, words: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(words).env("NOMAD_ADDR", &self.address).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    fn signal(&self) {
        assert!(Command::new("kill").args(["-INT", &self.agent.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Laptop {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "never seen: {what}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_job_is_run_worked_in_and_left_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stubborn.nomad.hcl");
    std::fs::write(&file, STUBBORN).unwrap();
    let mut laptop = Laptop::start(folder.path());
    let run = laptop.drover(&["job", "run", "-detach", file.to_str().unwrap()], b"");
    assert!(run.status.success(), "{run:?}");
    let exec = |laptop: &Laptop, command: &[&str], input: &[u8]| {
        laptop.drover(&[&["alloc", "exec", "-job", "stubborn"][..], command].concat(), input)
    };
    let pid: u32 = wait("the task's own number", || {
        let shown = exec(&laptop, &["cat", "local/pid"], b"");
        String::from_utf8_lossy(&shown.stdout).trim().parse().ok()
    });

    let piped = exec(&laptop, &["sh", "-c", "cat > local/in; wc -c < local/in; echo -n oops >&2; exit 7"], &[b'x'; 300_000]);
    assert_eq!((piped.status.code(), String::from_utf8_lossy(&piped.stdout).trim()), (Some(7), "300000"), "{piped:?}");
    assert_eq!(piped.stderr, b"oops");
    let listed = laptop.drover(&["alloc", "fs", "-job", "stubborn", "t/local"], b"");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("293.0 KiB") && listed.contains("pid"), "{listed}");
    let printed = laptop.drover(&["alloc", "fs", "-job", "stubborn", "t/local/pid"], b"");
    assert_eq!(String::from_utf8_lossy(&printed.stdout).trim(), pid.to_string());

    let why = |job: &str| String::from_utf8_lossy(&laptop.drover(&["job", "why", job], b"").stdout).into_owned();
    assert_eq!(why("stubborn"), "Everything that it asks for is running.\n");
    let huge = folder.path().join("huge.nomad.hcl");
    std::fs::write(
        &huge,
        STUBBORN
            .replace("\"stubborn\" {", "\"huge\" {\n type = \"batch\"")
            .replace("config {", "resources {\n memory = 999999999\n }\n config {"),
    )
    .unwrap();
    let run = laptop.drover(&["job", "run", "-detach", huge.to_str().unwrap()], b"");
    assert!(run.status.success(), "{run:?}");
    let sentence = "g: 1 of 1 could not be placed: fits on 0 of 1 nodes: 1 lacks 999999999 MiB";
    wait("why it is pending", || why("huge").starts_with(sentence).then_some(()));

    let scaled = laptop.drover(&["job", "scale", "-detach", "huge", "0"], b"");
    assert!(scaled.status.success(), "{scaled:?}");
    wait("nothing is asked for any more", || (!why("huge").starts_with("g:")).then_some(()));
    let refused = laptop.drover(&["job", "scale", "huge", "some"], b"");
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("is no number of allocations"), "{refused:?}");

    let process = PathBuf::from(format!("/proc/{pid}"));
    assert!(process.exists());
    laptop.signal();
    laptop.until("word of what is awaited", |log| log.contains("another signal kills"));
    assert!(process.exists() && laptop.agent.try_wait().unwrap().is_none(), "it has half a minute");
    laptop.signal();
    laptop.until("that the second one was heard", |log| log.contains("Caught second signal: killing tasks"));
    let ended = laptop.agent.wait().unwrap();
    assert!(ended.success(), "{ended:?} {}", laptop.text());
    assert!(!process.exists(), "nothing is left behind");
}
