//! Neighbours that go away, are sealed, or take a token back, while a task runs: it goes on with what it has, says so, and everything resumes by itself.
//!
//! Consul has its access control on and denies whoever has no token; where Vault knows JWT logins, both are set up by `drover setup`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    consul::{Consul, ROOT_TOKEN},
    processes::{Process, free_ports},
    stack::eventually,
    vault::Vault,
};

const JOB: &str = r#"
job "watch" {
  group "g" {
    network {
      port "http" {}
    }
    service {
      name = "watch"
      port = "http"
    }
    task "app" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo $$ > local/pid; exec sleep 3600"]
      }
      consul {}
      vault {
        role        = "nomad-workloads"
        change_mode = "noop"
      }
      template {
        destination = "local/flag"
        change_mode = "noop"
        data        = "{{ key \"outage/flag\" }}"
      }
      template {
        destination = "secrets/password"
        change_mode = "noop"
        data        = "{{ with secret \"secret/data/default/watch/config\" }}{{ .Data.data.password }}{{ end }}"
      }
      template {
        destination = "secrets/cert.pem"
        change_mode = "noop"
        data        = "{{ with pkiCert \"pki/issue/web\" \"common_name=watch.service.consul\" \"ttl=24h\" }}{{ .Cert }}{{ end }}"
      }
      template {
        destination = "secrets/key.pem"
        change_mode = "noop"
        data        = "{{ with pkiCert \"pki/issue/web\" \"common_name=watch.service.consul\" \"ttl=24h\" }}{{ .Key }}{{ end }}"
      }
      LENT
    }
  }
}
"#;

/// Something with a lease, which ends with the token that it was taken with.
const LENT: &str = r#"template {
        destination = "secrets/lent"
        change_mode = "noop"
        data        = "{{ with secret \"pki/issue/lent\" \"common_name=lent.service.consul\" }}{{ .LeaseID }}{{ end }}"
      }"#;

/// Everything that runs. The agent goes first.
struct Scene {
    agent: Option<Process>,
    consul: Consul,
    vault: Vault,
    /// Whether tasks log in at Vault with their identities.
    logs_in: bool,
    address: String,
    config: PathBuf,
    http: reqwest::Client,
    folder: TempDir,
}

/// Plays all of it. `logs_in`: Vault knows JWT logins; otherwise tasks get children of the agent's token.
pub(crate) async fn play(program: &Path, logs_in: bool) {
    let mut scene = Scene::start(program, logs_in).await;
    scene.set_up();
    scene.run_job().await;
    let pid = scene.until("local/pid", |_| true).await;
    scene.until("local/flag", |text| text == "one").await;
    scene.until("secrets/password", |text| text == "first").await;
    eventually("tokens of their own for the task and the service", || async { (scene.workload_tokens().await == 2).then_some(()) }).await;

    scene.consul_away().await;
    scene.vault_away().await;
    if logs_in {
        scene.vault_token_revoked().await;
    }
    scene.consul_token_deleted().await;
    scene.agent_crashes().await;
    assert_eq!(scene.read("local/pid"), Some(pid.clone()), "the task was never restarted");
    assert!(Path::new("/proc").join(pid.trim()).exists(), "and still runs");
    scene.job_stops().await;
    let log = fs::read_to_string(scene.folder.path().join("agent.log")).unwrap();
    for secret in ["first", "second", "third", "fourth"] {
        assert!(!log.contains(&format!("\"{secret}\"")), "the agent's log holds a secret");
    }
    assert!(!log.contains("panicked"), "{log}");
}

impl Scene {
    async fn start(program: &Path, logs_in: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let consul = Consul::start_guarded(folder.path()).await;
        let vault = match logs_in {
            true => Vault::start_sealed(program, folder.path()).await,
            false => Vault::start_rusty(program, folder.path()).await,
        };
        let [http, rpc, serf] = free_ports();
        let config = folder.path().join("agent.hcl");
        let own = match logs_in {
            true => {
                "create_from_role = \"nomad-workloads\"\n  default_identity {\n    aud = [\"vault.io\"]\n    ttl = \"1h\"\n  }\n".to_owned()
            }
            false => format!("token = {:?}\n", vault.token),
        };
        let identity = "aud = [\"consul.io\"]\n    ttl = \"1h\"";
        let text = format!(
            "data_dir = {:?}\nbind_addr = \"127.0.0.1\"\nlog_level = \"INFO\"\nports {{\n  http = {http}\n  rpc = {rpc}\n  serf = {serf}\n}}\n\
             server {{\n  enabled = true\n  bootstrap_expect = 1\n}}\nclient {{\n  enabled = true\n  template {{\n    vault_default_lease_duration = \"1s\"\n  }}\n}}\n\
             plugin \"raw_exec\" {{\n  config {{\n    enabled = true\n  }}\n}}\n\
             consul {{\n  address = {:?}\n  token = \"{ROOT_TOKEN}\"\n  service_identity {{\n    {identity}\n  }}\n  task_identity {{\n    {identity}\n  }}\n}}\n\
             vault {{\n  enabled = true\n  address = {:?}\n  {own}}}\n",
            folder.path().join("data"),
            consul.address.trim_start_matches("http://"),
            vault.address,
        );
        fs::write(&config, text).unwrap();
        let address = format!("http://127.0.0.1:{http}");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut scene = Self { agent: None, consul, vault, logs_in, address, config, http, folder };
        scene.launch().await;
        scene.consul.put("outage/flag", "one").await;
        scene.write_secret("first").await;
        scene
    }

    async fn launch(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        command.args(["agent", "-config"]).arg(&self.config);
        self.agent = Some(Process::start("agent", self.folder.path(), command));
        eventually("a ready node", || async {
            let nodes = self.api("/v1/nodes").await?;
            let node = nodes.as_array()?.first()?.clone();
            let full = self.api(&format!("/v1/node/{}", node["ID"].as_str()?)).await?;
            // Both neighbours have been found.
            let known = |key: &str| full["Attributes"][key].is_string();
            (node["Status"] == "ready" && known("consul.version") && known("vault.version")).then_some(())
        })
        .await;
    }

    async fn api(&self, path: &str) -> Option<Value> {
        self.http.get(format!("{}{path}", self.address)).send().await.ok()?.error_for_status().ok()?.json().await.ok()
    }

    fn drover(&self, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        command.args(words).env("NOMAD_ADDR", &self.address).env("CONSUL_HTTP_ADDR", &self.consul.address);
        command.env("CONSUL_HTTP_TOKEN", ROOT_TOKEN).env("VAULT_ADDR", &self.vault.address).env("VAULT_TOKEN", &self.vault.token);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }

    /// What is set up, with the words after `drover setup`.
    fn products(&self) -> &'static [&'static [&'static str]] {
        if self.logs_in { &[&["consul"], &["vault", "-issue", "pki/issue/web", "-issue", "pki/issue/lent"]] } else { &[&["consul"]] }
    }

    /// `drover setup`: says what is missing, writes it, and has nothing to do the second time.
    fn set_up(&self) {
        for words in self.products() {
            let setup = |flag| self.drover(&[&["setup"] as &[&str], words, &[flag]].concat());
            let (code, text) = setup("-check");
            assert!(code == 1 && text.contains("missing"), "{words:?}: {code} {text}");
            let (code, text) = setup("-y");
            assert!(code == 0 && text.contains("created"), "{words:?}: {code} {text}");
            let (code, text) = setup("-y");
            assert!(code == 0 && !text.contains("created") && !text.contains("changed"), "{words:?}: {code} {text}");
            let (code, text) = setup("-check");
            assert!(code == 0, "{words:?}: {text}");
        }
    }

    async fn run_job(&self) {
        let file = self.folder.path().join("watch.nomad.hcl");
        fs::write(&file, JOB.replace("LENT", if self.logs_in { LENT } else { "" })).unwrap();
        let (code, text) = self.drover(&["job", "run", "-detach", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{text}");
    }

    /// A file of the task.
    fn read(&self, file: &str) -> Option<String> {
        let allocations = fs::read_dir(self.folder.path().join("data/alloc")).ok()?;
        allocations.flatten().find_map(|entry| fs::read_to_string(entry.path().join("app").join(file)).ok())
    }

    async fn until(&self, file: &str, is: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{file} as it should be (events: {:?})", self.events().await), || async {
            self.read(file).filter(|text| !text.is_empty() && is(text))
        })
        .await
    }

    async fn events(&self) -> Vec<String> {
        let allocations = self.api("/v1/job/watch/allocations").await.unwrap_or_default();
        let events = allocations[0]["TaskStates"]["app"]["Events"].as_array().cloned().unwrap_or_default();
        events.iter().filter_map(|event| event["DisplayMessage"].as_str().map(str::to_owned)).collect()
    }

    async fn until_event(&self, part: &str) {
        eventually(&format!("an event with {part:?}"), || async {
            self.events().await.iter().any(|event| event.contains(part)).then_some(())
        })
        .await;
    }

    async fn write_secret(&self, password: &str) {
        let body = json!({ "data": { "password": password } });
        eventually("a secret written", || self.vault.call("POST", "secret/data/default/watch/config", body.clone())).await;
    }

    /// Tokens that came from a login of a workload.
    async fn workload_tokens(&self) -> usize {
        let tokens = self.consul.get("/v1/acl/tokens?authmethod=nomad-workloads").await.unwrap_or_default();
        tokens.as_array().map_or(0, Vec::len)
    }

    async fn consul_away(&mut self) {
        self.consul.crash();
        self.until_event("kv.block(outage/flag) cannot be read").await;
        assert_eq!(self.read("local/flag").as_deref(), Some("one"), "the last value stays");
        self.consul.launch().await;
        self.consul.put("outage/flag", "two").await;
        self.until("local/flag", |text| text == "two").await;
        self.until_event("kv.block(outage/flag) can be read again").await;
    }

    async fn vault_away(&mut self) {
        self.vault.crash();
        self.until_event("vault.read(secret/data/default/watch/config) cannot be read").await;
        assert_eq!(self.read("secrets/password").as_deref(), Some("first"), "the last value stays");
        self.vault.launch();
        self.until_event("is sealed").await;
        assert_eq!(self.read("secrets/password").as_deref(), Some("first"));
        self.vault.unseal().await;
        self.write_secret("second").await;
        self.until("secrets/password", |text| text == "second").await;
    }

    async fn vault_token_revoked(&self) {
        let before = self.until("secrets/vault_token", |_| true).await;
        let lent = self.until("secrets/lent", |_| true).await;
        self.vault.call("POST", "auth/token/revoke", json!({ "token": before.trim() })).await.expect("revocation");
        self.write_secret("third").await;
        self.until("secrets/vault_token", |text| text != before).await;
        self.until("secrets/password", |text| text == "third").await;
        self.until("secrets/lent", |text| text != lent).await;
    }

    async fn consul_token_deleted(&self) {
        let before = self.until("secrets/consul_token", |_| true).await;
        let tokens = self.consul.get("/v1/acl/tokens?authmethod=nomad-workloads").await.unwrap();
        // Of the two, the one that reads as a role is the task's.
        let task = tokens.as_array().unwrap().iter().find(|token| token["Roles"].is_array()).unwrap();
        self.consul.delete(&format!("/v1/acl/token/{}", task["AccessorID"].as_str().unwrap())).await;
        self.consul.put("outage/flag", "three").await;
        self.until("secrets/consul_token", |text| text != before).await;
        self.until("local/flag", |text| text == "three").await;
    }

    /// What the task was given stays its own: no other token, no other certificate, no other lease.
    async fn agent_crashes(&mut self) {
        let lent = self.logs_in.then_some("secrets/lent");
        let files = ["secrets/vault_token", "secrets/consul_token", "secrets/cert.pem", "secrets/key.pem"].into_iter().chain(lent);
        let read = |scene: &Self| files.clone().map(|file| scene.read(file).unwrap()).collect::<Vec<_>>();
        let before = read(self);
        self.agent.take().unwrap().crash();
        self.launch().await;
        self.consul.put("outage/flag", "four").await;
        self.until("local/flag", |text| text == "four").await;
        self.write_secret("fourth").await;
        self.until("secrets/password", |text| text == "fourth").await;
        assert_eq!(read(self), before);
    }

    async fn job_stops(&self) {
        let token = self.read("secrets/vault_token").unwrap();
        let (code, text) = self.drover(&["job", "stop", "-detach", "watch"]);
        assert_eq!(code, 0, "{text}");
        eventually("no service", || async {
            let found = self.consul.get("/v1/catalog/service/watch").await?;
            found.as_array()?.is_empty().then_some(())
        })
        .await;
        // The service's token went with the service, unless the agent that knew it crashed; the task's was given back.
        eventually("the task's Consul token is gone", || async { (self.workload_tokens().await <= 1).then_some(()) }).await;
        if self.logs_in {
            let lookup = json!({ "token": token.trim() });
            eventually("the task's Vault token is gone", || async {
                self.vault.call("POST", "auth/token/lookup", lookup.clone()).await.is_none().then_some(())
            })
            .await;
        }
        for words in self.products() {
            let (code, text) = self.drover(&[&["setup"] as &[&str], words, &["-destroy", "-y"] as &[&str]].concat());
            assert!(code == 0 && text.contains("removed"), "{text}");
            let (code, text) = self.drover(&[&["setup"] as &[&str], words, &["-check"] as &[&str]].concat());
            assert!(code == 1 && text.contains("missing"), "{text}");
        }
    }
}
