//! A server as a process, and what tests ask of it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};
use tokio::time::{Instant, sleep};

const BINARY: &str = env!("CARGO_BIN_EXE_drover");
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, ended with the test.
pub(crate) struct Agent {
    pub(crate) process: Child,
    log: PathBuf,
    pub(crate) address: String,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) async fn wait<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "never seen: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

impl Agent {
    /// Starts a server alone that keeps what it has in `folder`. `wrapped`: the command that starts it, which ends with the agent's own.
    pub(crate) async fn start(folder: &Path, wrapped: Command) -> Self {
        Self::start_with(
            folder,
            wrapped,
            "ports {\n  http = 0\n  rpc = 0\n  serf = 0\n}\nserver {\n  enabled = true\n  bootstrap_expect = 1\n}\n",
        )
        .await
    }

    /// The same, where `settings` say what else is configured.
    pub(crate) async fn start_with(folder: &Path, mut wrapped: Command, settings: &str) -> Self {
        let (log, config, disk) = (folder.join("agent.log"), folder.join("agent.hcl"), folder.join("disk"));
        let text = format!("data_dir = \"{}\"\nbind_addr = \"127.0.0.1\"\n{settings}", disk.display());
        std::fs::write(&config, text).unwrap();
        let file = File::create(&log).unwrap();
        wrapped.args(["agent", "-config"]).arg(&config).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        for inherited in ["AWS_CA_BUNDLE", "CONSUL_HTTP_ADDR", "VAULT_ADDR", "NOMAD_TOKEN"] {
            wrapped.env_remove(inherited);
        }
        let mut agent = Self { process: wrapped.spawn().unwrap(), log, address: String::new() };
        agent.says("agent started").await;
        let text = agent.said();
        let (_, rest) = text.split_once("Bind Addrs: HTTP: [").unwrap();
        agent.address = format!("http://{}", rest.split_once(']').unwrap().0);
        agent
    }

    pub(crate) fn binary() -> Command {
        Command::new(BINARY)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log has this.
    pub(crate) async fn says(&self, what: &str) {
        wait(&format!("{what:?} in {}", self.log.display()), async || self.said().contains(what).then_some(())).await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), signal).unwrap();
    }

    /// Runs a command that asks this agent.
    pub(crate) fn ask(&self, words: &[&str]) -> Output {
        Self::binary().args(words).env("NOMAD_ADDR", &self.address).output().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Writes a namespace; none: nobody answered.
    pub(crate) async fn write(&self, name: &str) -> Option<(u16, String)> {
        let url = format!("{}/v1/namespace/{name}", self.address);
        let answer = reqwest::Client::new().put(url).body(format!("{{\"Name\":\"{name}\"}}")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// All namespaces, as the answer has them.
    pub(crate) async fn reads(&self, query: &str) -> String {
        let answer = reqwest::get(format!("{}/v1/namespaces{query}", self.address)).await.unwrap();
        assert!(answer.status().is_success(), "{query}: {answer:?}");
        answer.text().await.unwrap()
    }

    /// The same place, as a process in a mount namespace of its own sees it.
    pub(crate) fn sees(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.process.id(), path.display()))
    }
}
