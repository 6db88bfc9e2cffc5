//! A real Consul on loopback.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    processes::{Process, find, free_ports},
    stack::eventually,
};

#[derive(Debug)]
pub(crate) struct Consul {
    pub(crate) address: String,
    _process: Process,
    http: reqwest::Client,
}

impl Consul {
    pub(crate) async fn start(folder: &Path) -> Self {
        let consul = find("consul").expect("no consul on PATH: `make peers` installs it");
        let [http, server, lan, wan, dns] = free_ports();
        let mut command = Command::new(consul);
        command.args(["agent", "-dev", "-log-level=warn", "-bind=127.0.0.1", "-grpc-port=-1"]);
        command.args([format!("-http-port={http}"), format!("-server-port={server}"), format!("-dns-port={dns}")]);
        command.args([format!("-serf-lan-port={lan}"), format!("-serf-wan-port={wan}")]);
        let process = Process::start("consul", folder, command);
        let address = format!("http://127.0.0.1:{http}");
        let consul = Self { address, _process: process, http: reqwest::Client::builder().no_proxy().build().unwrap() };
        eventually("Consul's leader", || async { consul.get("/v1/status/leader").await.filter(|leader| leader != "") }).await;
        consul
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.http.get(format!("{}{path}", self.address)).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        let answer = self.http.put(format!("{}/v1/kv/{key}", self.address)).body(value.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success());
    }
}
