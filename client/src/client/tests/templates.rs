//! What tasks are told when their files change, with one key that the test sets.

use drover_model::job::{ChangeMode, ChangeScript, Template};
use drover_template::{Data, Dependency, Observed, Source, Subscription};

use super::*;

/// A key-value store with one value for all keys.
#[derive(Debug, Clone)]
pub(super) struct OneValue(Arc<watch::Sender<Observed>>);

impl OneValue {
    pub(super) fn new(value: &str) -> Self {
        Self(Arc::new(watch::channel(Self::observed(value)).0))
    }

    fn observed(value: &str) -> Observed {
        Observed::data(Data::Key(Some(value.as_bytes().to_vec())))
    }

    pub(super) fn set(&self, value: &str) {
        self.0.send_replace(Self::observed(value));
    }
}

impl Source for OneValue {
    fn subscribe(&self, _: &Dependency) -> Subscription {
        self.0.subscribe()
    }
}

impl Sources for OneValue {
    fn open(&self, _: Arc<TaskContext>) -> Arc<dyn Source> {
        Arc::new(self.clone())
    }
}

pub(super) fn template(number: usize, mode: ChangeMode) -> Template {
    Template {
        embedded_tmpl: format!("{number}: {{{{ key \"k\" }}}}"),
        dest_path: format!("local/{number}.txt"),
        change_mode: mode,
        perms: "0644".to_owned(),
        ..Template::default()
    }
}

fn script(number: usize, fail_on_error: bool) -> Template {
    let change_script = Some(ChangeScript { command: "/bin/reload".to_owned(), fail_on_error, ..ChangeScript::default() });
    Template { change_script, ..template(number, ChangeMode::Script) }
}

/// Runs a task with these templates, changes the key, and answers with the messages of the events from then on, once `is` holds.
async fn told(config: serde_json::Value, templates: Vec<Template>, is: impl Fn(&TaskState) -> bool) -> Vec<(String, String)> {
    let (servers, folder, value) = (FakeServers::new(), tempfile::tempdir().unwrap(), OneValue::new("one"));
    let drivers: Vec<Arc<dyn Driver>> = vec![Arc::new(MockDriver::new())];
    let client = start_with(folder.path(), true, &servers, drivers, Arc::new(value.clone())).await;
    servers.until("a heartbeat", |seen| seen.heartbeats > 0).await;
    let count = templates.len();
    let task = Task { templates: templates.into(), ..mock_task("app", config) };
    let allocation = allocation(1, JobType::Service, tasks(vec![task]));
    servers.place(allocation.clone()).await;
    let before = servers.until_task(allocation.id, "app", |state| state.state == TaskPhase::Running).await.events.len();
    value.set("two");
    let state = servers.until_task(allocation.id, "app", |state| state.events.len() > before && is(state)).await;
    let local = folder.path().join("allocs").join(allocation.id.to_string()).join("app/local");
    for number in 0..count {
        assert_eq!(fs::read_to_string(local.join(format!("{number}.txt"))).unwrap(), format!("{number}: two"));
    }
    client.shutdown().await;
    state.events.iter().skip(before).map(|event| (event.kind.to_string(), event.display_message.to_string())).collect()
}

fn kinds_of(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_of_several_files_is_one_signal_and_one_script() {
    let templates = vec![template(0, ChangeMode::Signal), template(1, ChangeMode::Signal), script(2, false), script(3, false)];
    let reload = json!({ "exec_command": { "exit_code": 0 } });
    let both = |state: &TaskState| ["Signaling", "Task hook message"].iter().all(|kind| kinds(state).contains(kind));
    let mut told = told(reload, templates, both).await;
    // Which of them is seen first is left open.
    told.sort();
    assert_eq!(kinds_of(&told), ["Signaling", "Task hook message"]);
    assert_eq!(told[0].1, "Template re-rendered");
    assert_eq!(told[1].1, "Template successfully ran script /bin/reload with arguments: []. Exit code: 0");
}

#[tokio::test(start_paused = true)]
async fn a_restart_counts_for_everything() {
    let templates =
        vec![template(0, ChangeMode::Restart), template(1, ChangeMode::Signal), template(2, ChangeMode::Restart), script(3, true)];
    let told = told(json!({}), templates, |state| state.restarts > 0 && state.state == TaskPhase::Running).await;
    assert_eq!(kinds_of(&told), ["Restart Signaled", "Terminated", "Restarting", "Started"]);
    assert_eq!(told[0].1, "Template with change_mode restart re-rendered");
}

#[tokio::test(start_paused = true)]
async fn a_script_that_fails_is_told_and_ends_the_task_where_the_job_says_so() {
    let broken = || json!({ "exec_command": { "exit_code": 3 } });
    let message = "Template ran script /bin/reload with arguments [] on change but it exited with code: 3";
    let kept = told(broken(), vec![script(0, false)], |_| true).await;
    assert_eq!(kept, [("Task hook failed".to_owned(), message.to_owned())]);
    let ended = told(broken(), vec![script(0, true)], |state| state.state == TaskPhase::Dead).await;
    assert_eq!(kinds_of(&ended)[..2], ["Task hook failed", "Killing"]);
    assert_eq!(ended[1].1, "Template script failed, task is being killed");
}
