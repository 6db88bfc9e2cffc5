//! The agent with its neighbours, and the command line to drive it with.

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use drover_api::{Client, Options};
use drover_model::{deployment::Deployment, ids::DeploymentId};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    consul::Consul,
    processes::{Process, free_ports},
    shop::Shop,
    vault::Vault,
};

const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whom the agent works with.
#[derive(Debug)]
pub(crate) enum Neighbours {
    Embedded,
    Rusty(PathBuf),
    Vault(PathBuf),
}

/// Everything the story needs. Fields are dropped in order: the agent first, as it still has to say goodbye to its neighbours.
#[derive(Debug)]
pub(crate) struct Stack {
    agent: Process,
    pub(crate) consul: Option<Consul>,
    pub(crate) vault: Option<Vault>,
    pub(crate) address: String,
    pub(crate) api: Client,
    pub(crate) folder: TempDir,
}

impl Stack {
    pub(crate) async fn start(neighbours: Neighbours) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (consul, vault) = match &neighbours {
            Neighbours::Embedded => (None, None),
            Neighbours::Rusty(program) => {
                (Some(Consul::start(folder.path()).await), Some(Vault::start_rusty(program, folder.path()).await))
            }
            Neighbours::Vault(program) => (Some(Consul::start(folder.path()).await), Some(Vault::start_dev(program, folder.path()).await)),
        };
        let [http, rpc, serf] = free_ports();
        let address = format!("http://127.0.0.1:{http}");
        let config = folder.path().join("agent.hcl");
        let ports = format!("ports {{\n  http = {http}\n  rpc = {rpc}\n  serf = {serf}\n}}\n");
        fs::write(&config, ports + &configuration(folder.path(), &neighbours, consul.as_ref(), vault.as_ref())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        command.args(["agent", "-dev", "-config"]).arg(&config);
        let agent = Process::start("agent", folder.path(), command);
        let api = Client::new(Options { address: Some(address.clone()), ..Options::default() }).unwrap();
        let stack = Self { agent, consul, vault, address, api, folder };
        eventually("a ready node", || async {
            let nodes = stack.api.nodes("").await.ok()?.data;
            nodes.iter().any(|node| node.status.as_str() == "ready").then_some(())
        })
        .await;
        match (&neighbours, &stack.vault) {
            (Neighbours::Embedded, _) => drop(stack.drover(&["secret", "put", "secret/default/shop/config", "password=s3cret"])),
            (Neighbours::Vault(_), Some(vault)) => vault.trust(&stack.address).await,
            _ => {}
        }
        stack
    }

    /// Types a command that must succeed; what it printed.
    pub(crate) fn drover(&self, words: &[&str]) -> String {
        let (code, text) = self.try_drover(words);
        assert_eq!(code, 0, "drover {} printed:\n{text}\nagent's log:\n{}", words.join(" "), self.agent.log());
        text
    }

    pub(crate) fn try_drover(&self, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        let output = command.args(words).env("NOMAD_ADDR", &self.address).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }

    /// Runs the shop in a version and answers its deployment.
    pub(crate) async fn run_job(&self, version: &str, variables: &[&str]) -> DeploymentId {
        let app = format!("-var=app={}", sample_app().display());
        let version = format!("-var=version={version}");
        let mut words = vec!["job", "run", "-detach", &app, &version];
        words.extend(variables);
        words.push("examples/shop/shop.nomad.hcl");
        self.drover(&words);
        // By the version: a roll-back just before may get its deployment only now.
        let registered = self.api.job("shop").await.unwrap().data.version;
        eventually("a deployment of the version", || async {
            let deployments = self.api.job_deployments("shop").await.ok()?.data;
            deployments.iter().find(|deployment| deployment.job_version == registered).map(|deployment| deployment.id)
        })
        .await
    }

    pub(crate) async fn deployment(&self, id: DeploymentId, what: &str, reached: impl Fn(&Deployment) -> bool) -> Deployment {
        eventually(what, || async {
            let deployment = self.api.deployment(&id.to_string()).await.ok()?.data;
            assert!(reached(&deployment) || deployment.is_active(), "deployment ended {:?}", deployment.status_description);
            reached(&deployment).then_some(deployment)
        })
        .await
    }

    pub(crate) fn shop(&self) -> Shop {
        let ca = match &self.vault {
            Some(vault) => vault.ca.clone(),
            None => self.drover(&["ca", "show"]),
        };
        Shop::new(self.address.clone(), self.consul.as_ref().map(|consul| consul.address.clone()), &ca)
    }

    pub(crate) async fn set_flag(&self, name: &str, value: &str) {
        let key = format!("shop/flags/{name}");
        match &self.consul {
            Some(consul) => consul.put(&key, value).await,
            None => drop(self.drover(&["kv", "put", &key, value])),
        }
    }

    pub(crate) fn agent_log(&self) -> String {
        self.agent.log()
    }
}

/// Built beside the binary by `make acceptance`.
fn sample_app() -> PathBuf {
    let app = Path::new(env!("CARGO_BIN_EXE_drover")).with_file_name("shop");
    assert!(app.is_file(), "{} is not there: `cargo build --package shop` builds it", app.display());
    app
}

fn configuration(folder: &Path, neighbours: &Neighbours, consul: Option<&Consul>, vault: Option<&Vault>) -> String {
    let data = folder.join("data");
    let mut text = format!("data_dir = {data:?}\nbind_addr = \"127.0.0.1\"\nlog_level = \"INFO\"\n");
    if let Some(consul) = consul {
        text += &format!("consul {{\n  address = {:?}\n}}\n", consul.address.trim_start_matches("http://"));
    }
    text += &match (neighbours, vault) {
        (Neighbours::Rusty(_), Some(vault)) => {
            format!("vault {{\n  enabled = true\n  address = {:?}\n  token = {:?}\n}}\n", vault.address, vault.token)
        }
        (Neighbours::Vault(_), Some(vault)) => format!(
            "vault {{\n  enabled = true\n  address = {:?}\n  jwt_auth_backend_path = \"jwt-nomad\"\n  create_from_role = \"nomad-workloads\"\n  \
             default_identity {{\n    aud = [\"vault.io\"]\n    ttl = \"1h\"\n  }}\n}}\n",
            vault.address
        ),
        _ => "consul {\n  embedded = true\n}\nvault {\n  embedded = true\n}\n".to_owned(),
    };
    text
}

/// What `probe` finds, once it finds something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, probe: impl Fn() -> F) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
