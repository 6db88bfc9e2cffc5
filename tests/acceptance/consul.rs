//! A real Consul on loopback.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    processes::{Process, find, free_ports},
    stack::eventually,
};

/// May do everything, where there is access control.
pub(crate) const ROOT_TOKEN: &str = "2f1b6a52-9c0e-4d0c-8a63-1f0d0d3b7a11";

#[derive(Debug)]
pub(crate) struct Consul {
    pub(crate) address: String,
    arguments: Vec<String>,
    folder: PathBuf,
    process: Option<Process>,
    http: reqwest::Client,
}

impl Consul {
    /// In memory, open to everybody.
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::started(folder, &["-dev"]).await
    }

    /// On disk, with access control that denies whoever has no token.
    pub(crate) async fn start_guarded(folder: &Path) -> Self {
        let data = folder.join("consul");
        let settings = format!(
            "performance {{\n  raft_multiplier = 1\n}}\nacl {{\n  enabled = true\n  default_policy = \"deny\"\n  tokens {{\n    \
             master = \"{ROOT_TOKEN}\"\n    agent = \"{ROOT_TOKEN}\"\n  }}\n}}\n"
        );
        let file = folder.join("consul.hcl");
        std::fs::write(&file, settings).unwrap();
        let (data, file) = (format!("-data-dir={}", data.display()), format!("-config-file={}", file.display()));
        let consul = Self::started(folder, &["-server", "-bootstrap-expect=1", "-client=127.0.0.1", &data, &file]).await;
        eventually("Consul's access control", || consul.get("/v1/acl/token/self")).await;
        consul
    }

    async fn started(folder: &Path, kind: &[&str]) -> Self {
        let [http, server, lan, wan, dns] = free_ports();
        let ports = [("http", http), ("server", server), ("dns", dns), ("serf-lan", lan), ("serf-wan", wan)];
        let mut arguments: Vec<String> = ["agent", "-log-level=warn", "-bind=127.0.0.1", "-grpc-port=-1"].map(str::to_owned).into();
        arguments.extend(kind.iter().map(|word| (*word).to_owned()));
        arguments.extend(ports.map(|(name, port)| format!("-{name}-port={port}")));
        let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
        let address = format!("http://127.0.0.1:{http}");
        let mut consul = Self { address, arguments, folder: folder.to_owned(), process: None, http: http_client };
        consul.launch().await;
        consul
    }

    /// Starts it (again).
    pub(crate) async fn launch(&mut self) {
        let mut command = Command::new(find("consul").expect("no consul on PATH: `make peers` installs it"));
        command.args(&self.arguments);
        self.process = Some(Process::start("consul", &self.folder, command));
        eventually("Consul's leader", || async { self.get("/v1/status/leader").await.filter(|leader| leader != "") }).await;
    }

    pub(crate) fn crash(&mut self) {
        if let Some(process) = self.process.take() {
            process.crash();
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.http.get(format!("{}{path}", self.address)).header("X-Consul-Token", ROOT_TOKEN).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    pub(crate) async fn delete(&self, path: &str) {
        let answer = self.http.delete(format!("{}{path}", self.address)).header("X-Consul-Token", ROOT_TOKEN).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        let url = format!("{}/v1/kv/{key}", self.address);
        let put = || self.http.put(&url).header("X-Consul-Token", ROOT_TOKEN).body(value.to_owned()).send();
        // One that has just started says no until it has its leader.
        eventually("a key written", || async { put().await.ok()?.error_for_status().ok() }).await;
    }
}
