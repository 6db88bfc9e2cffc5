//! Real peers as child processes, and waiting for what they do.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use drover_integrations::{
    Access,
    consul::{Consul, ConsulConfig},
    http::{Call, DEFAULT_TIMEOUT, Endpoint, Tls},
};
use drover_model::{ids::AllocId, secret::SecretText};
use drover_runtime::{OsRandom, Random};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `probe` gives something.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The program of a peer; none (with a word why) when it is not installed.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let tools = std::env::var_os("DROVER_TOOLS")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/drover/tools")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(tools.map(|tools| tools.join("bin")))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: no {name} on PATH; scripts/setup-peers.sh installs it");
    }
    found
}

/// A child process that ends with its test.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(program: &Path, arguments: &[String], folder: &Path) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Consul in development mode, with all its state in memory.
#[derive(Debug)]
pub(crate) struct ConsulProcess {
    program: PathBuf,
    ports: [u16; 5],
    folder: TempDir,
    process: Option<Process>,
}

impl ConsulProcess {
    /// Chooses its ports; [`ConsulProcess::start`] starts it. None when Consul is not installed.
    pub(crate) fn prepare() -> Option<Self> {
        Some(Self { program: installed("consul")?, ports: free_ports(), folder: TempDir::new().unwrap(), process: None })
    }

    pub(crate) async fn started() -> Option<Self> {
        let mut consul = Self::prepare()?;
        consul.start().await;
        Some(consul)
    }

    pub(crate) async fn start(&mut self) {
        let [http, server, serf, wan, dns] = self.ports;
        let arguments = ["agent", "-dev", "-log-level=err", "-bind=127.0.0.1", "-grpc-port=-1"].map(str::to_owned);
        let ports = [("http", http), ("server", server), ("serf-lan", serf), ("serf-wan", wan), ("dns", dns)]
            .map(|(name, port)| format!("-{name}-port={port}"));
        let arguments: Vec<String> = arguments.into_iter().chain(ports).collect();
        self.process = Some(Process::spawn(&self.program, &arguments, self.folder.path()));
        let raw = self.raw();
        wait_for("Consul's leader", || async {
            let reply = raw.send(Call::get("/v1/status/leader")).await.ok()?;
            // It elects itself a moment after it answers, and is in its own catalogue a moment later.
            let nodes = raw.send(Call::get("/v1/health/service/consul")).await.ok()?;
            (reply.is_success() && reply.body.len() > 4 && nodes.is_success() && nodes.body.len() > 4).then_some(())
        })
        .await;
    }

    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    pub(crate) fn client(&self) -> Consul {
        Consul::new(ConsulConfig { name: "default".into(), address: self.address(), ..ConsulConfig::default() }).unwrap()
    }

    /// Its API, for what tests arrange and look at from outside.
    pub(crate) fn raw(&self) -> Endpoint {
        Endpoint::new("Consul", &self.address(), false, &Tls::default(), DEFAULT_TIMEOUT).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.raw().send(Call::get(path)).await.unwrap();
        serde_json::from_slice(&reply.body).unwrap_or(Value::Null)
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) {
        let reply = self.raw().send(Call::put(path).json(body)).await.unwrap();
        assert!(reply.is_success(), "{path}: {}", String::from_utf8_lossy(&reply.body));
    }
}

pub(crate) fn random() -> Arc<dyn Random> {
    Arc::new(OsRandom)
}

/// Access without a token of its own.
pub(crate) fn access() -> Access {
    Access { alloc_id: AllocId::from_random([1; 16]), task: "app".into(), token: None, namespace: None, partition: None }
}

/// Access with a token.
pub(crate) fn access_with(token: &SecretText) -> Access {
    Access { token: Some(tokio::sync::watch::channel(token.clone()).1), ..access() }
}
