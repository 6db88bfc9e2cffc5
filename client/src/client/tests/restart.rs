//! Real processes that outlive their agent.

use super::*;

fn script(script: &str) -> Task {
    let config = json!({ "command": "/bin/sh", "args": ["-c", script] }).as_object().cloned();
    let template = drover_model::job::Template {
        dest_path: "${NOMAD_SECRETS_DIR}/db.env".to_owned(),
        embedded_tmpl: "PASSWORD=hunter2\n".to_owned(),
        envvars: true,
        ..drover_model::job::Template::default()
    };
    Task {
        name: "app".to_owned(),
        driver: "raw_exec".to_owned(),
        config,
        templates: vec![template].into(),
        restart_policy: restarts(0),
        ..Task::default()
    }
}

pub(super) fn raw_exec(folder: &Path) -> Vec<Arc<dyn Driver>> {
    vec![Arc::new(RawExec::new(&folder.join("client"), None, true).unwrap())]
}

async fn text(path: &Path, is: impl Fn(&str) -> bool) -> String {
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is(&text) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn tasks_live_on_and_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let servers = FakeServers::new();
    let client = start(folder.path(), false, &servers, raw_exec(folder.path())).await;
    let id = client.node_id();
    let body = "trap 'echo term; exit 0' TERM; echo up $$ $PASSWORD; while [ ! -e local/go ]; do sleep 0.01; done; echo went; while true; do sleep 0.01; done";
    let task = Task { kill_signal: "SIGTERM".to_owned(), kill_timeout: Duration::from_secs(20), ..script(body) };
    let allocation = allocation(1, JobType::Service, tasks(vec![task]));
    servers.place(allocation.clone()).await;
    servers.until_status(allocation.id, ClientStatus::Running).await;
    let root = folder.path().join("allocs").join(allocation.id.to_string());
    let log = root.join("alloc/logs/app.stdout.0");
    let first = text(&log, |text| text.contains("up ")).await;
    assert!(first.trim_end().ends_with("hunter2"), "{first}");
    client.shutdown().await;

    // Nobody is there, and the log goes on.
    fs::write(root.join("app/local/go"), "").unwrap();
    text(&log, |text| text.contains("went")).await;

    let client = start(folder.path(), false, &servers, raw_exec(folder.path())).await;
    assert_eq!(client.node_id(), id);
    servers.until("both registrations", |seen| seen.registrations == 2).await;
    servers.stop(allocation.id).await;
    let report = servers.until_status(allocation.id, ClientStatus::Complete).await;
    let state = &report.task_states["app"];
    assert_eq!(kinds(state), ["Received", "Task Setup", "Started", "Killing", "Terminated", "Killed"], "one start, no restart");
    assert_eq!(text(&log, |text| text.contains("term")).await, format!("{first}went\nterm\n"));
    assert!(!root.join("app/secrets/db.env").exists(), "no secret is left once it has ended");
    client.shutdown().await;
}

#[tokio::test]
async fn what_ended_meanwhile_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let servers = FakeServers::new();
    let client = start(folder.path(), false, &servers, raw_exec(folder.path())).await;
    let allocation = allocation(1, JobType::Batch, tasks(vec![script("echo up; while [ ! -e local/go ]; do sleep 0.01; done; exit 6")]));
    servers.place(allocation.clone()).await;
    servers.until_status(allocation.id, ClientStatus::Running).await;
    client.shutdown().await;
    let root = folder.path().join("allocs").join(allocation.id.to_string());
    fs::write(root.join("app/local/go"), "").unwrap();
    let statuses = folder.path().join("client/raw_exec");
    while fs::read_dir(&statuses).unwrap().next().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let client = start(folder.path(), false, &servers, raw_exec(folder.path())).await;
    let report = servers.until_status(allocation.id, ClientStatus::Failed).await;
    assert_eq!(report.task_states["app"].events.iter().find(|event| event.kind == "Terminated").unwrap().exit_code, 6);
    client.shutdown().await;
}

#[tokio::test]
async fn a_throw_away_node_takes_its_tasks_along() {
    let folder = tempfile::tempdir().unwrap();
    let servers = FakeServers::new();
    let client = start(folder.path(), true, &servers, raw_exec(folder.path())).await;
    let allocation = allocation(1, JobType::Service, tasks(vec![script("echo $$; exec sleep 1000")]));
    servers.place(allocation.clone()).await;
    let log = folder.path().join("allocs").join(allocation.id.to_string()).join("alloc/logs/app.stdout.0");
    let pid: u32 = text(&log, |text| text.ends_with('\n')).await.trim().parse().unwrap();
    client.shutdown().await;
    assert!(crate::isolation::process::stat(pid).is_err());
}

/// Runs a command and types into it; what it said, and its exit code.
async fn converse(client: &Handle, alloc_id: AllocId, script: &str, tty: bool, typed: &str) -> (String, String, Option<i32>) {
    use drover_model::rpc::client::{AllocExec, AllocExecInput, ExecFrame};
    let session = format!("{script}/{tty}");
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let request = AllocExec { alloc_id, task: "app".to_owned(), command, tty, session: session.clone() };
    let running = client.clone();
    let mut stream = ItemStream::<ExecFrame>::local(move |sink| async move { running.exec(request, sink).await });
    let (mut out, mut err, mut code, mut sent) = (String::new(), String::new(), None, false);
    while let Some(frame) = stream.next().await {
        let frame = frame.unwrap();
        out.push_str(&String::from_utf8_lossy(&frame.stdout));
        err.push_str(&String::from_utf8_lossy(&frame.stderr));
        code = code.or(frame.exit_code);
        if out.contains("ready") && !std::mem::replace(&mut sent, true) {
            let input = AllocExecInput { session: session.clone(), data: typed.as_bytes().to_vec(), close: !tty, size: Some((33, 77)) };
            client.exec_input(input).await.unwrap();
        }
    }
    (out, err, code)
}

#[tokio::test]
async fn people_run_commands_in_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let servers = FakeServers::new();
    let client = start(folder.path(), true, &servers, raw_exec(folder.path())).await;
    let allocation = allocation(1, JobType::Service, tasks(vec![script("exec sleep 1000")]));
    servers.place(allocation.clone()).await;
    servers.until_status(allocation.id, ClientStatus::Running).await;
    let (out, err, code) =
        converse(&client, allocation.id, "echo ready $NOMAD_TASK_NAME; cat; echo err >&2; exit 3", false, "typed\n").await;
    assert_eq!((out.as_str(), err.as_str(), code), ("ready app\ntyped\n", "err\n", Some(3)));
    let (out, _, code) =
        converse(&client, allocation.id, "echo ready; read line; stty size; echo got $line; exit 4", true, "typed\n").await;
    assert!(out.contains("33 77") && out.contains("got typed"), "{out:?}");
    assert_eq!(code, Some(4));
    client.shutdown().await;
}
