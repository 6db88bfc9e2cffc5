use std::path::Path;

use drover_model::{ids::AllocId, job::LogConfig};
use serde_json::json;

use super::*;
use crate::drivers::TaskDirs;

struct Bench {
    folder: tempfile::TempDir,
    driver: RawExec,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let driver = RawExec::new(&folder.path().join("state"), None, true).unwrap();
        Self { folder, driver }
    }

    fn task(&self, script: &str) -> TaskConfig {
        task(self.folder.path(), json!({ "command": "/bin/sh", "args": ["-c", script] }))
    }

    async fn run(&self, task: &TaskConfig) -> Exit {
        let handle = self.driver.start(task).await.unwrap();
        let exit = self.driver.wait(&handle).await.unwrap();
        self.driver.destroy(&handle).await.unwrap();
        exit
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("alloc/logs").join(name)).unwrap_or_default()
    }

    /// Waits until a log has this text: the task has come so far.
    async fn until_logged(&self, name: &str, text: &str) {
        let logged = async {
            while !self.log(name).contains(text) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), logged).await.unwrap_or_else(|_| panic!("{text:?} never stood in {name}"));
    }
}

fn task(root: &Path, config: Value) -> TaskConfig {
    let dirs = TaskDirs::new(root, "app");
    for folder in [&dirs.logs, &dirs.local, &dirs.secrets, &dirs.tmp] {
        fs::create_dir_all(folder).unwrap();
    }
    let env = [("PATH", "/usr/bin:/bin"), ("GREETING", "hello")];
    TaskConfig {
        alloc_id: AllocId::from_random([1; 16]),
        name: "app".to_owned(),
        job_name: "job".to_owned(),
        group: "group".to_owned(),
        user: String::new(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        config: config.as_object().unwrap().clone(),
        dirs,
        cpu_mhz: 100,
        cores: Vec::new(),
        memory_mib: 64,
        memory_max_mib: 0,
        logs: LogConfig::default(),
        ports: Vec::new(),
    }
}

fn exists(pid: u32) -> bool {
    process::stat(pid).is_ok_and(|stat| stat.state != b'Z')
}

#[tokio::test]
async fn output_environment_folder_and_exit_code() {
    let bench = Bench::new();
    let exit = bench.run(&bench.task("echo $GREETING; pwd; env | sort; echo oops >&2; exit 7")).await;
    assert_eq!(exit, Exit { code: 7, ..Exit::default() });
    let out = bench.log("app.stdout.0");
    let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with("_=") && !line.starts_with("PWD=")).collect();
    let folder = bench.folder.path().join("app");
    assert_eq!(lines, ["hello", folder.to_str().unwrap(), "GREETING=hello", "PATH=/usr/bin:/bin"]);
    assert_eq!(bench.log("app.stderr.0"), "oops\n");
    let left: Vec<_> = fs::read_dir(bench.folder.path().join("state/raw_exec")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_signal_ends_it_with_its_number() {
    let bench = Bench::new();
    let exit = bench.run(&bench.task("kill -KILL $$")).await;
    assert_eq!(exit, Exit { code: 137, signal: 9, ..Exit::default() });
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let bench = Bench::new();
    let root = bench.folder.path();
    fs::write(root.join("text"), "no program").unwrap();
    for (config, want) in [
        (json!({ "command": "no-such-program" }), "executable file \"no-such-program\" not found in the task's folder nor in its PATH"),
        (json!({ "command": "/no/such" }), "failed to find the command \"/no/such\": No such file or directory (os error 2)"),
        (
            json!({ "command": "/bin/sh", "work_dir": "/no/such" }),
            "failed to change to folder /no/such: No such file or directory (os error 2)",
        ),
        (json!({ "command": root.join("text").to_str().unwrap() }), "Permission denied"),
    ] {
        let error = bench.driver.start(&task(root, config)).await.unwrap_err();
        assert!(error.text.contains(want) && !error.is_recoverable, "{error:?}");
    }
    let error = bench.driver.start(&TaskConfig { user: "nobody-at-all".to_owned(), ..bench.task("true") }).await.unwrap_err();
    assert_eq!(error.text, "user \"nobody-at-all\" does not exist on this node");
}

#[tokio::test]
async fn a_program_of_the_task_itself_is_found() {
    let bench = Bench::new();
    let mut task = task(bench.folder.path(), json!({ "command": "mine" }));
    let program = task.dirs.local.join("mine");
    fs::write(&program, "#!/bin/sh\necho mine\n").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(bench.run(&task).await.is_success());
    assert_eq!(bench.log("app.stdout.0"), "mine\n");
    task.logs.disabled = true;
    assert!(bench.run(&task).await.is_success());
    assert_eq!(bench.log("app.stdout.0"), "mine\n", "logs that are switched off get nothing");
}

#[tokio::test]
async fn who_ignores_the_signal_is_killed_with_all_that_it_started() {
    let bench = Bench::new();
    let script = "trap '' INT TERM; setsid sleep 1000 & echo $!; sleep 1000 & echo $!; echo up; while true; do sleep 1; done";
    let handle = bench.driver.start(&bench.task(script)).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    let children: Vec<u32> = bench.log("app.stdout.0").lines().filter_map(|line| line.parse().ok()).collect();
    assert!(children.len() == 2 && children.iter().all(|pid| exists(*pid)));
    bench.driver.stop(&handle, "SIGINT", Duration::from_millis(50)).await.unwrap();
    let exit = bench.driver.wait(&handle).await.unwrap();
    assert_eq!(exit, Exit { code: 137, signal: 9, ..Exit::default() });
    assert!(!children.iter().any(|pid| exists(*pid)), "one that left its session is ended too");
}

#[tokio::test]
async fn who_heeds_the_signal_has_time_to_finish() {
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("trap 'echo bye; exit 3' TERM; echo up; while true; do sleep 0.01; done")).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    bench.driver.stop(&handle, "SIGTERM", Duration::from_secs(60)).await.unwrap();
    assert_eq!(bench.driver.wait(&handle).await.unwrap().code, 3);
    assert_eq!(bench.log("app.stdout.0"), "up\nbye\n");
}

#[tokio::test]
async fn signals_reach_the_task() {
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("trap 'echo hup' HUP; echo up; while true; do sleep 0.01; done")).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    bench.driver.signal(&handle, "SIGHUP").await.unwrap();
    bench.until_logged("app.stdout.0", "hup").await;
    assert!(bench.driver.signal(&handle, "SIGNONE").await.is_err());
    bench.driver.destroy(&handle).await.unwrap();
}

/// As under `nohup`.
#[tokio::test]
async fn a_signal_that_the_agent_ignores_is_the_tasks_to_heed() {
    // SAFETY: nothing else in these tests uses this signal, and ignoring it runs no code.
    #[expect(unsafe_code, reason = "what becomes of signals has no safe wrapper")]
    unsafe { nix::sys::signal::signal(Signal::SIGUSR2, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("trap 'echo heard; exit' USR2; echo up; while true; do sleep 0.01; done")).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    bench.driver.signal(&handle, "SIGUSR2").await.unwrap();
    bench.until_logged("app.stdout.0", "heard").await;
    bench.driver.destroy(&handle).await.unwrap();
}

#[tokio::test]
async fn logs_rotate_and_the_oldest_go() {
    let bench = Bench::new();
    let mut task = bench.task("i=0; while [ $i -lt 34000 ]; do echo 'a line of exactly a hundred bytes, with its end: ..............................................'; i=$((i+1)); done");
    (task.logs.max_files, task.logs.max_file_size_mib) = (2, 1);
    assert!(bench.run(&task).await.is_success());
    let folder = bench.folder.path().join("alloc/logs");
    let mut names: Vec<String> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let stdout: Vec<&String> = names.iter().filter(|name| name.starts_with("app.stdout")).collect();
    assert_eq!(stdout, ["app.stdout.2", "app.stdout.3"]);
    assert_eq!(fs::metadata(folder.join("app.stdout.2")).unwrap().len(), 1 << 20);
}

#[tokio::test]
async fn a_log_that_was_swapped_for_a_link_is_not_followed() {
    let bench = Bench::new();
    let target = bench.folder.path().join("target");
    fs::write(&target, "").unwrap();
    let task = bench.task("echo text");
    std::os::unix::fs::symlink(&target, task.dirs.logs.join("app.stdout.0")).unwrap();
    assert!(bench.run(&task).await.is_success(), "the task does not suffer from its log");
    assert_eq!(fs::read_to_string(&target).unwrap(), "");
}

#[tokio::test]
async fn another_agent_finds_it_again() {
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("echo up; while [ ! -e go ]; do sleep 0.01; done; echo done; exit 5")).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    let state = bench.folder.path().join("state");

    let next = RawExec::new(&state, None, true).unwrap();
    next.retain(std::slice::from_ref(&handle)).await;
    next.recover(&handle).await.unwrap();
    fs::write(bench.folder.path().join("app/go"), "").unwrap();
    assert_eq!(next.wait(&handle).await.unwrap().code, 5);

    // One that ended while no agent was there.
    let last = RawExec::new(&state, None, true).unwrap();
    last.recover(&handle).await.unwrap();
    assert_eq!(last.wait(&handle).await.unwrap().code, 5);
    last.destroy(&handle).await.unwrap();
    assert!(last.recover(&handle).await.is_err(), "it is forgotten");
    assert_eq!(bench.log("app.stdout.0"), "up\ndone\n");
}

#[tokio::test]
async fn one_that_nobody_wrote_down_is_ended() {
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("echo up; sleep 1000")).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    let other = RawExec::new(&bench.folder.path().join("other"), None, true).unwrap();
    other.retain(&[]).await;
    let task = read_handle(&handle).unwrap().task;
    assert!(exists(task), "another agent's tasks are its own");
    bench.driver.retain(&[]).await;
    assert_eq!(bench.driver.wait(&handle).await.unwrap().signal, 9);
}

#[tokio::test]
async fn a_killed_supervisor_is_noticed_and_its_task_ended() {
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("echo up; exec sleep 1000")).await.unwrap();
    bench.until_logged("app.stdout.0", "up").await;
    let written = read_handle(&handle).unwrap();
    kill(pid(written.supervisor), Signal::SIGKILL).unwrap();
    bench.driver.stop(&handle, "SIGTERM", Duration::from_secs(60)).await.unwrap();
    let exit = bench.driver.wait(&handle).await.unwrap();
    assert!(exit.message.contains("supervisor") && !exit.is_success(), "{exit:?}");
    assert!(!exists(written.task));
}

#[tokio::test]
async fn commands_run_beside_it() {
    let bench = Bench::new();
    let task = bench.task("sleep 1000");
    let handle = bench.driver.start(&task).await.unwrap();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let output =
        bench.driver.exec(&task, &handle, &words(&["sh", "-c", "echo $GREETING; pwd; exit 4"]), Duration::from_secs(60)).await.unwrap();
    let folder = task.dirs.task.display().to_string();
    assert_eq!((output.code, String::from_utf8(output.output).unwrap()), (4, format!("hello\n{folder}\n")));
    let error = bench.driver.exec(&task, &handle, &words(&["sleep", "1000"]), Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error.text, "sleep took longer than 10ms");
    let usage = bench.driver.stats(&handle).await.unwrap();
    assert!(usage.memory_bytes > 0 && !usage.processes.is_empty(), "{usage:?}");
    bench.driver.destroy(&handle).await.unwrap();
}

#[tokio::test]
async fn the_supervisor_is_small() {
    let bench = Bench::new();
    let handle = bench.driver.start(&bench.task("sleep 1000")).await.unwrap();
    let supervisor = read_handle(&handle).unwrap().supervisor;
    let status = fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.split_ascii_whitespace().next().unwrap().parse().unwrap();
    assert!(kib < 256, "{kib} KiB");
    bench.driver.destroy(&handle).await.unwrap();
}
