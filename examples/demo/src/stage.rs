//! The agent, its folder and its ports; and the command line, typed as a user would.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{PATIENCE, shop::Shop};

const LOOK_AGAIN: Duration = Duration::from_millis(25);
const END_LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Stage {
    drover: PathBuf,
    shop: PathBuf,
    job: PathBuf,
    folder: PathBuf,
    address: String,
    ports: [u16; 3],
    agent: Option<Child>,
}

impl Stage {
    pub(crate) fn set(drover: &Path, shop: &Path, job: &Path) -> Result<Self> {
        let absolute = |path: &Path| path.canonicalize().with_context(|| format!("{} is not there; `make demo` builds it", path.display()));
        let folder = std::env::temp_dir().join(format!("drover-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let ports = free_ports()?;
        let address = format!("http://127.0.0.1:{}", ports[0]);
        Ok(Self { drover: absolute(drover)?, shop: absolute(shop)?, job: job.to_owned(), folder, address, ports, agent: None })
    }

    pub(crate) async fn start_agent(&mut self) -> Result<()> {
        let [http, rpc, serf] = self.ports;
        let config = self.folder.join("agent.hcl");
        let data = self.folder.join("data");
        let text = format!(
            "data_dir = {data:?}\nbind_addr = \"127.0.0.1\"\nlog_level = \"WARN\"\nports {{\n  http = {http}\n  rpc  = {rpc}\n  serf = {serf}\n}}\nconsul {{\n  embedded = true\n}}\nvault {{\n  embedded = true\n}}\n"
        );
        std::fs::write(&config, text)?;
        println!("   $ drover agent -dev &");
        let log = std::fs::File::create(self.folder.join("agent.log"))?;
        let agent =
            self.command(&["agent", "-dev", "-config"]).arg(&config).stdout(log.try_clone()?).stderr(log).stdin(Stdio::null()).spawn();
        self.agent = Some(agent.context("cannot start the agent")?);
        let spinner = spinner("the agent starts");
        let end = Instant::now() + PATIENCE;
        loop {
            let nodes = self.quiet(&["node", "status", "-json"]).await;
            if nodes.is_ok_and(|nodes| nodes.contains("\"ready\"")) {
                break;
            }
            if let Some(status) = self.agent.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("the agent ended with {status}:\n{}", self.log());
            }
            ensure!(Instant::now() < end, "no ready node within {} s:\n{}", PATIENCE.as_secs(), self.log());
            sleep(LOOK_AGAIN).await;
        }
        spinner.finish_and_clear();
        Ok(())
    }

    /// Types a command that must succeed.
    pub(crate) async fn run(&self, words: &[&str]) -> Result<()> {
        let code = self.type_in(words).await?;
        ensure!(code == 0, "`drover {}` ended with exit code {code}", words.join(" "));
        Ok(())
    }

    /// Runs the shop in a version, and expects the exit code that tells how its deployment went.
    pub(crate) async fn run_job(&self, version: &str, variables: &[(&str, &str)], expected: i32) -> Result<()> {
        let code = self.run_job_to_any_end(version, variables).await?;
        ensure!(code == expected, "`drover job run` of {version} ended with exit code {code}, not {expected}");
        Ok(())
    }

    pub(crate) async fn run_job_to_any_end(&self, version: &str, variables: &[(&str, &str)]) -> Result<i32> {
        let mut words =
            vec!["job".to_owned(), "run".to_owned(), format!("-var=app={}", self.shop.display()), format!("-var=version={version}")];
        words.extend(variables.iter().map(|(name, value)| format!("-var={name}={value}")));
        words.push(self.job.display().to_string());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.type_in(&words).await
    }

    /// What the shop's clients need: where instances are listed, and whom to trust.
    pub(crate) async fn shop(&self) -> Result<Shop> {
        let ca = self.quiet(&["ca", "show"]).await?;
        Shop::new(&self.address, &ca)
    }

    /// Stops the agent, which stops its tasks, and removes what they left.
    pub(crate) async fn end(&mut self) -> Result<()> {
        if let Some(mut agent) = self.agent.take() {
            if let Some(id) = agent.id() {
                let _ = Command::new("kill").arg(id.to_string()).status().await;
            }
            if timeout(END_LIMIT, agent.wait()).await.is_err() {
                agent.kill().await?;
                bail!("the agent did not end within {} s; its log is {}", END_LIMIT.as_secs(), self.folder.join("agent.log").display());
            }
        }
        std::fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }

    async fn type_in(&self, words: &[&str]) -> Result<i32> {
        println!("   $ drover {}", words.join(" "));
        let status = self.command(words).status();
        let status = timeout(PATIENCE, status).await.with_context(|| format!("`drover {}` took too long", words.join(" ")))??;
        Ok(status.code().unwrap_or(-1))
    }

    async fn quiet(&self, words: &[&str]) -> Result<String> {
        let output = self.command(words).output().await?;
        ensure!(output.status.success(), "`drover {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.drover);
        command.args(words).env("NOMAD_ADDR", &self.address).kill_on_drop(true);
        for name in ["CONSUL_HTTP_ADDR", "VAULT_ADDR", "NOMAD_TOKEN", "NOMAD_NAMESPACE", "NOMAD_REGION"] {
            command.env_remove(name);
        }
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default()
    }
}

fn spinner(text: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("   {spinner} {msg} ({elapsed})").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(text);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn free_ports() -> Result<[u16; 3]> {
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
