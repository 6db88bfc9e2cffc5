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

/// Two that are restarted one after the other.
const PAIR: &str = r#"job "pair" {
  group "g" {
    count = 2
    update {
      min_healthy_time = "10ms"
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args    = ["3600"]
      }
    }
  }
}
"#;

/// Prints what it is dispatched with.
const GREET: &str = r#"job "greet" {
  type = "batch"
  parameterized {
    payload       = "required"
    meta_required = ["who"]
  }
  group "g" {
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo $NOMAD_META_who; cat local/text"]
      }
      dispatch_payload {
        file = "text"
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

    /// What a command prints that ends well.
    fn ok(&self, words: &[&str]) -> String {
        let done = self.drover(words, b"");
        assert!(done.status.success(), "{words:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// What a command says that is refused.
    fn refused(&self, words: &[&str]) -> String {
        let done = self.drover(words, b"");
        assert_eq!(done.status.code(), Some(1), "{words:?}: {done:?}");
        String::from_utf8(done.stderr).unwrap()
    }

    /// Registers a job.
    fn run(&self, folder: &Path, name: &str, text: &str) {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        self.ok(&["job", "run", "-detach", file.to_str().unwrap()]);
    }

    fn signal(&self) {
        interrupt(&self.agent);
    }
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
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
    let mut laptop = Laptop::start(folder.path());
    laptop.run(folder.path(), "stubborn.nomad.hcl", STUBBORN);
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
    let huge = STUBBORN.replace("\"stubborn\" {", "\"huge\" {\n type = \"batch\"");
    laptop.run(folder.path(), "huge.nomad.hcl", &huge.replace("config {", "resources {\n memory = 999999999\n }\n config {"));
    let sentence = "g: 1 of 1 could not be placed: fits on 0 of 1 nodes: 1 lacks 999999999 MiB";
    wait("why it is pending", || why("huge").starts_with(sentence).then_some(()));

    laptop.ok(&["job", "scale", "-detach", "huge", "0"]);
    wait("nothing is asked for any more", || (!why("huge").starts_with("g:")).then_some(()));
    assert!(laptop.refused(&["job", "scale", "huge", "some"]).contains("is no number of allocations"));
    versions_and_counts_have_a_history(&laptop);
    scripts_read_what_they_want(&laptop, folder.path());
    let monitor = Followed::start(&laptop, &folder.path().join("monitor.log"));
    jobs_are_stopped_started_and_restarted(&laptop, folder.path());
    jobs_are_dispatched(&laptop, folder.path());
    monitor.ends_with_a_signal();

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

fn jobs_are_stopped_started_and_restarted(laptop: &Laptop, folder: &Path) {
    laptop.run(folder, "pair.nomad.hcl", PAIR);
    assert!(laptop.refused(&["job", "start", "pair"]).contains("is not stopped"));
    laptop.ok(&["job", "stop", "-detach", "pair"]);
    // Its deployment is followed to the end: both run and are healthy then.
    assert!(laptop.ok(&["job", "start", "pair"]).contains("Status = successful"));

    let allocations = || {
        let stubs: serde_json::Value = serde_json::from_str(&laptop.ok(&["job", "allocs", "-json", "pair"])).unwrap();
        let live = stubs.as_array().unwrap().iter().filter(|stub| stub["ClientStatus"] == "running" && stub["DesiredStatus"] == "run");
        let known = live.map(|stub| (stub["ID"].as_str().unwrap().to_owned(), stub["TaskStates"]["t"]["Restarts"].as_u64().unwrap()));
        known.collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = allocations();
    let restarted = laptop.ok(&["job", "restart", "-batch-size", "50%", "-group", "g", "pai"]);
    assert!(restarted.contains("Batch 2 of 2") && restarted.contains("All allocations restarted"), "{restarted}");
    wait("both allocations in place, with new processes", || {
        (allocations().keys().eq(before.keys()) && allocations() != before).then_some(())
    });
    laptop.ok(&["job", "restart", "-batch-size", "2", "-reschedule", "pair"]);
    wait("two others", || (allocations().len() == 2 && allocations().keys().all(|id| !before.contains_key(id))).then_some(()));
    for (words, said) in [
        (&["job", "restart", "-task", "x", "pair"][..], "has no task \"x\""),
        (&["job", "restart", "-group", "x", "pair"], "has no group \"x\""),
        (&["job", "restart", "-batch-wait", "ask", "pair"], "nobody can be asked"),
        (&["job", "restart", "-batch-size", "0", "pair"], "number from 1"),
        (&["job", "periodic", "force", "pair"], "non-periodic"),
    ] {
        let refused = laptop.refused(words);
        assert!(refused.contains(said), "{words:?}: {refused}");
    }
}

/// Of the job that was scaled.
fn versions_and_counts_have_a_history(laptop: &Laptop) {
    let events = laptop.ok(&["job", "scaling-events", "-verbose", "huge"]);
    let row: Vec<&str> = events.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(row[..3] == ["g", "0", "1"] && events.contains("submitted using the command line"), "{events}");
    laptop.ok(&["job", "tag", "apply", "-name", "first", "-description", "one of it", "-version", "0", "huge"]);
    let refused = laptop.refused(&["job", "tag", "apply", "-name", "first", "huge"]);
    assert!(refused.contains("already exists on a different version"), "{refused}");
    let history = laptop.ok(&["job", "history", "-p", "-diff-tag", "first", "huge"]);
    assert!(history.contains("Tag Description = one of it") && history.contains("Count: \"1\" => \"0\""), "{history}");
    laptop.ok(&["job", "revert", "-detach", "huge", "first"]);
    assert_eq!(laptop.ok(&["job", "inspect", "-version", "2", "huge"]).matches("\"Count\": 1,").count(), 1);
    laptop.ok(&["job", "tag", "unset", "-name", "first", "huge"]);
    assert!(laptop.refused(&["job", "revert", "huge", "first"]).contains("has no version first"));
    assert_eq!(laptop.ok(&["scaling", "policy", "list"]), "No policies found\n");
    assert!(laptop.refused(&["scaling", "policy", "info", "x"]).contains("no scaling policy with prefix or id"));
    laptop.ok(&["job", "scale", "-detach", "huge", "0"]);
}

fn scripts_read_what_they_want(laptop: &Laptop, folder: &Path) {
    for (words, printed) in [
        (&["job", "status", "-t", "{{.ID}} {{.Type}}", "huge"][..], "huge batch\n"),
        (&["job", "status", "-t", "{{range .}}{{.ID}}{{\"\\n\"}}{{end}}"], "huge\nstubborn\n"),
        (&["job", "inspect", "-t", "{{(index .TaskGroups 0).Count}}", "stubborn"], "1\n"),
        (&["job", "history", "-t", "{{len .}}", "stubborn"], "1\n"),
        (&["server-members", "-t", "{{.ServerRegion}}"], "global\n"),
        (&["node-status", "-t", "{{(index . 0).Status}}"], "ready\n"),
        (&["operator", "metrics", "-t", "{{len .Points}}"], "0\n"),
        (&["exec", "-job", "stubborn", "echo", "-json"], "-json\n"),
        (&["service", "list"], "No service registrations found\n"),
    ] {
        assert_eq!(laptop.ok(words), printed, "{words:?}");
    }
    assert!(laptop.ok(&["help", "job", "dispatch"]).contains("[OPTIONS] <JOB> [FILE]"));
    // The address comes from the environment, which nobody typed.
    for words in [&["job"][..], &["job", "tag"], &["job", "dispatch"]] {
        let refused = laptop.refused(words);
        let usage = refused.lines().find(|line| line.starts_with("Usage:")).unwrap();
        assert!(!usage.contains("--address"), "{words:?}: {refused}");
    }
    let example = folder.join("example.nomad.hcl");
    let example = example.to_str().unwrap();
    laptop.ok(&["job", "init", example]);
    assert!(laptop.refused(&["init", "-short", example]).contains("not written over"));
    assert_eq!(laptop.ok(&["job", "validate", example]), "Job validation successful\n");
    let config = folder.join("client.hcl");
    std::fs::write(&config, "data_dir = \"/var/lib/drover\"\nclient {\n  enabled = true\n}\n").unwrap();
    assert_eq!(laptop.ok(&["config", "validate", config.to_str().unwrap()]), "Configuration is valid!\n");
    assert!(laptop.refused(&["config", "validate", example]).contains("not valid"));
    let allocation = laptop.ok(&["job", "allocs", "-t", "{{(index . 0).ID}}", "stubborn"]);
    assert_eq!(laptop.ok(&["alloc", "checks", allocation.trim()]), "No checks found\n");

    let made = laptop.ok(&["operator", "debug", "-duration", "100ms", "-output", folder.to_str().unwrap()]);
    let archive = made.trim().rsplit(' ').next().unwrap();
    let listed = Command::new("tar").args(["-tzf", archive]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(["/agent-self.json\n", "/jobs.json\n", "/monitor.log\n"].iter().all(|name| listed.contains(name)), "{listed}");
    assert!(!listed.contains("missing.txt"), "everything was there to be gathered");
}

fn jobs_are_dispatched(laptop: &Laptop, folder: &Path) {
    laptop.run(folder, "greet.nomad.hcl", GREET);
    let words =
        ["job", "dispatch", "-detach", "-meta", "who=you", "-id-prefix-template", "early", "-idempotency-token", "once", "greet", "-"];
    let dispatched = laptop.drover(&words, b"hello");
    let text = String::from_utf8_lossy(&dispatched.stdout).into_owned();
    assert!(dispatched.status.success() && text.starts_with("Dispatched Job ID = greet/dispatch-early-"), "{dispatched:?}");
    let id = text.lines().next().unwrap().rsplit(' ').next().unwrap();
    wait("what the job prints", || (laptop.drover(&["alloc", "logs", "-job", id], b"").stdout == b"you\nhello").then_some(()));
    let again = laptop.drover(&words, b"hello");
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout).contains(id), "{again:?}");
    assert!(laptop.refused(&["job", "dispatch", "greet", "-"]).contains("Payload is not provided"));
    assert!(laptop.refused(&["job", "dispatch", "-meta", "who", "greet"]).contains("write it as KEY=VALUE"));
    assert_eq!(laptop.ok(&["agent-info", "-t", "{{.config.Region}}"]), "global\n");
    assert!(laptop.refused(&["agent-info", "-t", "{{.config.region}}"]).contains("no entry for key"));
}

/// The agent's log, as somebody follows it.
struct Followed {
    child: Child,
    log: PathBuf,
}

impl Followed {
    fn start(laptop: &Laptop, log: &Path) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["monitor", "-log-level", "trace"]).env("NOMAD_ADDR", &laptop.address);
        let child = command.stdin(Stdio::null()).stdout(File::create(log).unwrap()).spawn().unwrap();
        Self { child, log: log.to_owned() }
    }

    fn ends_with_a_signal(mut self) {
        wait("a line of the agent's log", || std::fs::read_to_string(&self.log).unwrap().contains("[DEBUG] openraft").then_some(()));
        let text = std::fs::read_to_string(&self.log).unwrap();
        assert!(text.contains("[INFO]  client.") && !text.contains("    2"), "lines as they are, from the beginning of the line");
        interrupt(&self.child);
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
