//! The Vault client against a real RustyVault.

use std::collections::BTreeMap;

use drover_integrations::{
    Error, VaultCluster as _, certificate,
    http::{Call, DEFAULT_TIMEOUT, Endpoint, Tls},
    tokens::{Login, Proof},
    vault::{Vault, VaultConfig},
};
use drover_model::secret::SecretText;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Process, access_with, free_ports, installed, wait_for};

struct Rusty {
    raw: Endpoint,
    address: String,
    token: SecretText,
    _process: Process,
    _folder: TempDir,
}

impl Rusty {
    /// Started, unsealed, with a PKI and a secret.
    async fn start() -> Option<Self> {
        let program = installed("rvault")?;
        let folder = TempDir::new().unwrap();
        let [port] = free_ports();
        let address = format!("http://127.0.0.1:{port}");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let config = format!(
            "storage \"file\" {{\n  path = \"{}\"\n}}\nlistener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = \"true\"\n}}\n\
             api_addr = \"{address}\"\nlog_level = \"error\"\nwork_dir = \"{}\"\n",
            data.display(),
            folder.path().display()
        );
        let file = folder.path().join("vault.hcl");
        std::fs::write(&file, config).unwrap();
        let arguments = ["server".to_owned(), "--config".to_owned(), file.display().to_string()];
        let process = Process::spawn(&program, &arguments, folder.path());
        let raw = Endpoint::new("Vault", &address, true, &Tls::default(), DEFAULT_TIMEOUT).unwrap();
        let begun: Value = wait_for("RustyVault's first answer", || async {
            let reply = raw.send(Call::put("/v1/sys/init").json(&json!({"secret_shares": 1, "secret_threshold": 1}))).await.ok()?;
            serde_json::from_slice(&reply.body).ok()
        })
        .await;
        let token = SecretText::new(begun["root_token"].as_str().unwrap());
        let rusty = Self { raw, address, token, _process: process, _folder: folder };
        rusty.put("sys/unseal", json!({"key": begun["keys"][0]})).await;
        rusty.put("sys/mounts/pki/", json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}})).await;
        rusty.put("pki/root/generate/internal", json!({"common_name": "test.local", "ttl": "8760h"})).await;
        let role = json!({"allowed_domains": "service.consul", "allow_subdomains": true, "allow_ip_sans": true, "max_ttl": "72h", "key_type": "ec", "key_bits": 256});
        rusty.put("pki/roles/web", role).await;
        rusty.put("secret/data/default/shop/config", json!({"data": {"password": "s3cret"}})).await;
        rusty.put("secret/default/shop/plain", json!({"password": "plain"})).await;
        Some(rusty)
    }

    async fn put(&self, path: &str, body: Value) {
        // It takes seal and unseal by PUT alone, and mounts by POST alone.
        let call = if path.ends_with("seal") { Call::put(format!("/v1/{path}")) } else { Call::post(format!("/v1/{path}")) };
        let call = call.header("x-vault-token", self.token.clone()).json(&body);
        let reply = self.raw.send(call).await.unwrap();
        assert!(reply.is_success(), "{path}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
    }

    fn vault(&self) -> Vault {
        Vault::new(VaultConfig {
            name: "default".into(),
            address: self.address.clone(),
            token: self.token.clone(),
            ..VaultConfig::default()
        })
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_lives_with_a_child_token() {
    let Some(rusty) = Rusty::start().await else { return };
    let vault = rusty.vault();
    let tokens = vault.tokens().unwrap();
    let login = Login { proof: Proof::Policies(Vec::new()), role: "nomad-workloads".into(), ..Login::default() };
    let token = tokens.login(&login).await.unwrap();
    assert_eq!(token.policies, ["default", "nomad-workloads"], "never the agent's own");
    assert!(!token.lease.duration.is_zero());
    assert!(tokens.lookup(&token.text).await.unwrap().ttl.as_secs() > 3600);

    let secrets = vault.secrets(&access_with(&token.text));
    let secret = secrets.read("secret/data/default/shop/config", None).await.unwrap().unwrap();
    assert_eq!(secret.data["data"]["password"], "s3cret");
    let plain = secrets.read("secret/data/default/shop/plain", None).await.unwrap().unwrap();
    assert_eq!((plain.data["data"]["password"].as_str(), plain.text("password")), (Some("plain"), "plain"));
    assert!(secrets.read("secret/data/default/shop/nothing", None).await.unwrap().is_none());
    assert_eq!(secrets.list("secret/data/default/shop").await.unwrap(), ["config"]);

    // It cannot renew, which is no reason to give the token up.
    assert!(matches!(tokens.renew(&token.text).await, Err(Error::Unsupported { .. })));
    tokens.revoke(&token.text).await.unwrap();
    assert!(secrets.read("secret/data/default/shop/config", None).await.unwrap_err().is_forbidden());
    tokens.revoke(&token.text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_issued_with_their_validity() {
    let Some(rusty) = Rusty::start().await else { return };
    let vault = rusty.vault();
    let secrets = vault.secrets(&access_with(&rusty.token));
    let parameters: BTreeMap<String, String> = [("common_name", "shop.service.consul"), ("ip_sans", "127.0.0.1"), ("ttl", "24h")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let issued = certificate::issue(&*secrets, "pki/issue/web", &parameters).await.unwrap();
    assert!(issued.certificate_pem.ends_with("-----END CERTIFICATE-----\n"));
    assert!(issued.private_key_pem.expose().contains("PRIVATE KEY") && issued.issuing_ca_pem.contains("BEGIN CERTIFICATE"));
    assert_eq!(issued.ca_chain_pem, std::slice::from_ref(&issued.issuing_ca_pem));
    let life = issued.validity.not_after - issued.validity.not_before;
    assert!((86_000..=90_000).contains(&life), "{life}");
    let written = format!("{}{}{}", issued.private_key_pem.expose(), issued.certificate_pem, issued.issuing_ca_pem);
    let found = certificate::from_file(written.as_bytes()).unwrap();
    assert_eq!(
        (found.validity, found.certificate_pem, found.private_key_pem),
        (issued.validity, issued.certificate_pem, issued.private_key_pem)
    );

    // Sealed, it says so, and is an answer to whoever asks how it is.
    assert!(!vault.status().await.unwrap().sealed);
    rusty.put("sys/seal", json!({})).await;
    assert!(matches!(secrets.read("secret/data/default/shop/config", None).await, Err(Error::Sealed { .. })));
    assert!(vault.status().await.unwrap().sealed);
}
