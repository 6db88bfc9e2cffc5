//! A real Vault-compatible server on loopback: RustyVault, OpenBao or Vault.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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
    program: PathBuf,
    folder: PathBuf,
    unseal_key: String,
    process: Option<Process>,
    http: reqwest::Client,
}

impl Vault {
    /// RustyVault has to be initialised and unsealed, and keeps its state on disk.
    pub(crate) async fn start_rusty(program: &Path, folder: &Path) -> Self {
        let mut vault = Self::start_on_disk(program, folder, &format!("log_level = \"warn\"\nwork_dir = {folder:?}\n"), true).await;
        vault.prepare("sys/mounts/pki/").await;
        vault
    }

    /// A real OpenBao or Vault that keeps its state on disk, and is sealed whenever it starts.
    pub(crate) async fn start_sealed(program: &Path, folder: &Path) -> Self {
        let mut vault = Self::start_on_disk(program, folder, "disable_mlock = true\n", false).await;
        vault.call("POST", "sys/mounts/secret", json!({ "type": "kv", "options": { "version": "2" } })).await.expect("key-value mount");
        vault.prepare("sys/mounts/pki").await;
        let lent = json!({ "allowed_domains": "service.consul", "allow_subdomains": true, "max_ttl": "72h", "generate_lease": true });
        vault.call("POST", "pki/roles/lent", lent).await.expect("PKI role with leases");
        vault
    }

    async fn start_on_disk(program: &Path, folder: &Path, settings: &str, is_rusty: bool) -> Self {
        let [port, _] = free_ports();
        let address = format!("http://127.0.0.1:{port}");
        let data = folder.join("vault");
        fs::create_dir_all(&data).unwrap();
        let disable = if is_rusty { "\"true\"" } else { "true" };
        let text = format!(
            "storage \"file\" {{\n  path = {data:?}\n}}\nlistener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = {disable}\n}}\n\
             api_addr = \"{address}\"\n{settings}"
        );
        fs::write(folder.join("vault.hcl"), text).unwrap();
        let mut vault = Self::at(program, folder, address);
        vault.launch();
        let init = eventually("Vault's init", || vault.call("PUT", "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 }))).await;
        vault.token = init["root_token"].as_str().unwrap().to_owned();
        vault.unseal_key = init["keys"][0].as_str().unwrap().to_owned();
        vault.unseal().await;
        vault
    }

    fn at(program: &Path, folder: &Path, address: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (token, ca, unseal_key) = Default::default();
        Self { address, token, ca, program: program.to_owned(), folder: folder.to_owned(), unseal_key, process: None, http }
    }

    /// Starts (again) what keeps its state on disk.
    pub(crate) fn launch(&mut self) {
        let mut command = Command::new(&self.program);
        // OpenBao and Vault read the one, RustyVault the other.
        command.args(["server", if self.program.ends_with("rvault") { "--config" } else { "-config" }]).arg(self.folder.join("vault.hcl"));
        command.env("HOME", &self.folder);
        self.process = Some(Process::start("vault", &self.folder, command));
    }

    pub(crate) fn crash(&mut self) {
        if let Some(process) = self.process.take() {
            process.crash();
        }
    }

    pub(crate) async fn unseal(&self) {
        let key = json!({ "key": self.unseal_key });
        eventually("an unsealed Vault", || async {
            let status = self.call("PUT", "sys/unseal", key.clone()).await?;
            (status["sealed"] == false).then_some(())
        })
        .await;
        // It takes a moment until everything is mounted.
        eventually("Vault's mounts", || self.call("GET", "sys/mounts", Value::Null)).await;
    }

    pub(crate) async fn start_dev(program: &Path, folder: &Path) -> Self {
        let [port, _] = free_ports();
        let mut command = Command::new(program);
        command
            .args(["server", "-dev", "-dev-root-token-id=root"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .env("HOME", folder);
        let mut vault = Self::at(program, folder, format!("http://127.0.0.1:{port}"));
        vault.process = Some(Process::start("vault", folder, command));
        vault.token = "root".to_owned();
        eventually("Vault's health", || vault.call("GET", "sys/health", Value::Null)).await;
        vault.prepare("sys/mounts/pki").await;
        vault
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
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Option<Value> {
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
