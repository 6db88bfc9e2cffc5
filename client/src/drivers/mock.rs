//! A driver that runs nothing: tasks that end when and how their `config` says. For tests and simulations.

use std::{
    collections::BTreeMap,
    fmt,
    fs::OpenOptions,
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::{Boxed, Driver, DriverError, DriverFingerprint, ExecOutput, Exit, TaskConfig, TaskHandle, Usage};

/// Lines that one task may write.
const MOST_REPEATS: u64 = 10_000;

#[derive(Default)]
pub struct MockDriver {
    tasks: Mutex<BTreeMap<u64, Arc<Task>>>,
    counter: AtomicU64,
}

impl fmt::Debug for MockDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockDriver").field("tasks", &self.tasks().len()).finish()
    }
}

struct Task {
    ends: Option<Instant>,
    exit: Exit,
    kill_after: Duration,
    signal_error: String,
    exec: (i32, String),
    killed: watch::Sender<Option<Exit>>,
    signals: Mutex<Vec<String>>,
}

impl MockDriver {
    pub fn new() -> Self {
        Self::default()
    }

    /// The signals that a task got, for tests.
    pub fn signals(&self, handle: &TaskHandle) -> Vec<String> {
        let signals = |task: Arc<Task>| task.signals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.find(handle).map(signals).unwrap_or_default()
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Task>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, handle: &TaskHandle) -> Result<Arc<Task>, DriverError> {
        let id = id_of(handle);
        id.and_then(|id| self.tasks().get(&id).cloned()).ok_or_else(|| DriverError::permanent("the task is not known to the mock driver"))
    }

    async fn begin(&self, task: &TaskConfig) -> Result<TaskHandle, DriverError> {
        let config = Settings(&task.config);
        tokio::time::sleep(config.duration("start_block_for")).await;
        let error = config.text("start_error");
        if !error.is_empty() {
            return Err(DriverError { text: error, is_recoverable: config.flag("start_error_recoverable") });
        }
        write_lines(task, "stdout", &config);
        write_lines(task, "stderr", &config);
        let (run_for, exit) = (config.run_for(), config.exit());
        let exec = config.0.get("exec_command").and_then(Value::as_object).map(Settings);
        let begun = Task {
            ends: run_for.map(|duration| Instant::now() + duration),
            exit,
            kill_after: config.duration("kill_after"),
            signal_error: config.text("signal_error"),
            exec: exec.map(|exec| (exec.number("exit_code"), exec.text("stdout_string"))).unwrap_or_default(),
            killed: watch::channel(None).0,
            signals: Mutex::default(),
        };
        let id = self.counter.fetch_add(1, Ordering::Relaxed);
        self.tasks().insert(id, Arc::new(begun));
        Ok(TaskHandle { driver: "mock_driver".to_owned(), bytes: id.to_le_bytes().to_vec() })
    }
}

impl Task {
    async fn ended(&self) -> Exit {
        let mut killed = self.killed.subscribe();
        let natural = async {
            match self.ends {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = natural => self.exit.clone(),
            exit = killed.wait_for(Option::is_some) => exit.ok().and_then(|exit| exit.clone()).unwrap_or_default(),
        }
    }
}

impl Driver for MockDriver {
    fn name(&self) -> &'static str {
        "mock_driver"
    }

    fn fingerprint(&self) -> BoxFuture<'_, DriverFingerprint> {
        std::future::ready(DriverFingerprint::healthy()).boxed()
    }

    fn validate(&self, _config: &serde_json::Map<String, Value>) -> Result<(), DriverError> {
        Ok(())
    }

    fn start<'a>(&'a self, task: &'a TaskConfig) -> Boxed<'a, TaskHandle> {
        self.begin(task).boxed()
    }

    fn recover<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, ()> {
        async { self.find(handle).map(drop) }.boxed()
    }

    fn wait<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, Exit> {
        async { Ok(self.find(handle)?.ended().await) }.boxed()
    }

    fn signal<'a>(&'a self, handle: &'a TaskHandle, signal: &'a str) -> Boxed<'a, ()> {
        async move {
            let task = self.find(handle)?;
            task.signals.lock().unwrap_or_else(PoisonError::into_inner).push(signal.to_owned());
            if task.signal_error.is_empty() { Ok(()) } else { Err(DriverError::recoverable(task.signal_error.clone())) }
        }
        .boxed()
    }

    fn stop<'a>(&'a self, handle: &'a TaskHandle, _signal: &'a str, grace: Duration) -> Boxed<'a, ()> {
        async move {
            let task = self.find(handle)?;
            // A task that takes longer than its grace is killed for good.
            let exit = if task.kill_after > grace { Exit { code: 137, signal: 9, ..Exit::default() } } else { Exit::default() };
            tokio::time::sleep(task.kill_after.min(grace)).await;
            task.killed.send_if_modified(|killed| {
                killed.is_none() && {
                    *killed = Some(exit);
                    true
                }
            });
            Ok(())
        }
        .boxed()
    }

    fn destroy<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, ()> {
        async {
            if let Some(id) = id_of(handle) {
                self.tasks().remove(&id);
            }
            Ok(())
        }
        .boxed()
    }

    fn stats<'a>(&'a self, handle: &'a TaskHandle) -> Boxed<'a, Usage> {
        async { self.find(handle).map(|_| Usage::default()) }.boxed()
    }

    fn exec<'a>(
        &'a self,
        _task: &'a TaskConfig,
        handle: &'a TaskHandle,
        _command: &'a [String],
        _limit: Duration,
    ) -> Boxed<'a, ExecOutput> {
        async {
            let (code, output) = self.find(handle)?.exec.clone();
            Ok(ExecOutput { code, output: output.into_bytes() })
        }
        .boxed()
    }
}

fn id_of(handle: &TaskHandle) -> Option<u64> {
    handle.bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn write_lines(task: &TaskConfig, stream: &str, config: &Settings<'_>) {
    let line = config.text(&format!("{stream}_string"));
    if line.is_empty() {
        return;
    }
    let repeats = u64::try_from(config.number(&format!("{stream}_repeat"))).unwrap_or(0).min(MOST_REPEATS);
    let path = task.dirs.logs.join(format!("{}.{stream}.0", task.name));
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        for _ in 0..=repeats {
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// What a task's `config` says.
pub(crate) struct Settings<'a>(pub(crate) &'a serde_json::Map<String, Value>);

impl Settings<'_> {
    /// How long the task runs; none: until it is stopped.
    pub(crate) fn run_for(&self) -> Option<Duration> {
        self.0.get("run_for").map(|_| self.duration("run_for"))
    }

    /// How it ends by itself.
    pub(crate) fn exit(&self) -> Exit {
        let signal = self.number("exit_signal");
        let code = if signal > 0 { 128 + signal } else { self.number("exit_code") };
        Exit { code, signal, oom_killed: false, message: self.text("exit_err_msg") }
    }

    fn text(&self, key: &str) -> String {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn number(&self, key: &str) -> i32 {
        let value = self.0.get(key);
        let number = value.and_then(Value::as_i64).or_else(|| value.and_then(Value::as_str).and_then(|text| text.parse().ok()));
        number.and_then(|number| i32::try_from(number).ok()).unwrap_or(0)
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"))
    }

    /// A text such as `1m30s`, or nanoseconds.
    fn duration(&self, key: &str) -> Duration {
        match self.0.get(key) {
            Some(Value::Number(nanos)) => Duration::from_nanos(nanos.as_u64().unwrap_or(0)),
            Some(Value::String(text)) => {
                Duration::from_nanos(drover_model::spec::parse_duration(text).ok().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0))
            }
            _ => Duration::ZERO,
        }
    }
}
