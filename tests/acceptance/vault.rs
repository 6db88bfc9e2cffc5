//! A real Vault-compatible server on loopback: RustyVault, OpenBao or Vault.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    processes::{Process, free_ports},
    stack::eventually,
};

#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) ca: String,
    _process: Process,
    http: reqwest::Client,
}

impl Vault {
    /// RustyVault has to be initialised and unsealed, and keeps its state on disk.
    pub(crate) async fn start_rusty(program: &Path, folder: &Path) -> Self {
        let [port, _] = free_ports();
        let address = format!("http://127.0.0.1:{port}");
        let data = folder.join("vault");
        fs::create_dir_all(&data).unwrap();
        let config = folder.join("vault.hcl");
        let text = format!(
            "storage \"file\" {{\n  path = {data:?}\n}}\nlistener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = \"true\"\n}}\n\
             api_addr = \"{address}\"\nlog_level = \"warn\"\nwork_dir = {folder:?}\n"
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.args(["server", "--config"]).arg(&config);
        let mut vault = Self::running(command, folder, address);
        let init = eventually("Vault's init", || vault.call("PUT", "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 }))).await;
        vault.token = init["root_token"].as_str().unwrap().to_owned();
        vault.call("PUT", "sys/unseal", json!({ "key": init["keys"][0] })).await.expect("unseal");
        vault.prepare("sys/mounts/pki/").await;
        vault
    }

    pub(crate) async fn start_dev(program: &Path, folder: &Path) -> Self {
        let [port, _] = free_ports();
        let mut command = Command::new(program);
        command
            .args(["server", "-dev", "-dev-root-token-id=root"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .env("HOME", folder);
        let mut vault = Self::running(command, folder, format!("http://127.0.0.1:{port}"));
        vault.token = "root".to_owned();
        eventually("Vault's health", || vault.call("GET", "sys/health", Value::Null)).await;
        vault.prepare("sys/mounts/pki").await;
        vault
    }

    fn running(command: Command, folder: &Path, address: String) -> Self {
        let process = Process::start("vault", folder, command);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, token: String::new(), ca: String::new(), _process: process, http }
    }

    async fn prepare(&mut self, pki_mount: &str) {
        self.call("POST", pki_mount, json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } })).await.expect("PKI mount");
        let root = self.call("POST", "pki/root/generate/internal", json!({ "common_name": "acceptance.local", "ttl": "8760h" })).await;
        self.ca = root.expect("PKI root")["data"]["certificate"].as_str().unwrap().to_owned();
        let role = json!({ "allowed_domains": "service.consul", "allow_subdomains": true, "allow_ip_sans": true, "max_ttl": "72h",
                           "key_type": "rsa", "key_bits": 2048 });
        self.call("POST", "pki/roles/web", role).await.expect("PKI role");
        // Where the mount is KV v1, this is a plain path with the same nesting once it is read.
        self.call("POST", "secret/data/default/shop/config", json!({ "data": { "password": "s3cret" } })).await.expect("secret");
    }

    /// Lets the workload identities that the agent signs log in.
    pub(crate) async fn trust(&self, agent: &str) {
        let policy = "path \"secret/data/default/shop/*\" { capabilities = [\"read\"] }\npath \"pki/issue/web\" { capabilities = [\"create\", \"update\"] }";
        self.call("PUT", "sys/policies/acl/nomad-workloads", json!({ "policy": policy })).await.expect("policy");
        self.call("POST", "sys/auth/jwt-nomad", json!({ "type": "jwt" })).await.expect("auth method");
        let config = json!({ "jwks_url": format!("{agent}/.well-known/jwks.json"), "jwt_supported_algs": ["RS256", "EdDSA"],
                             "default_role": "nomad-workloads" });
        self.call("POST", "auth/jwt-nomad/config", config).await.expect("auth configuration");
        let role = json!({ "role_type": "jwt", "bound_audiences": ["vault.io"], "user_claim": "/nomad_job_id", "user_claim_json_pointer": true,
                           "token_type": "service", "token_policies": ["nomad-workloads"], "token_period": "30m" });
        self.call("POST", "auth/jwt-nomad/role/nomad-workloads", role).await.expect("role");
    }

    /// None when it could not be asked, or refused.
    async fn call(&self, method: &str, path: &str, body: Value) -> Option<Value> {
        let url = format!("{}/v1/{path}", self.address);
        let mut request = self.http.request(method.parse().unwrap(), url).header("X-Vault-Token", &self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        let text = answer.text().await.ok()?;
        Some(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
