//! Secrets and certificates: read, kept alive, read again before they end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_client::parts::VaultPart;
use drover_integrations::{Access, Secret, Secrets, certificate, lease};
use drover_template::Data;

use super::{
    convert,
    watcher::{Retry, Watcher},
};

/// How often secrets of the embedded store are looked at: asking it costs next to nothing.
const EMBEDDED_PACE: Duration = Duration::from_secs(2);
/// How often a secret that is not there yet is looked for.
const MISSING_PACE: Duration = Duration::from_secs(5);

/// The Vault of a task, with the task's own token.
struct Vault {
    part: VaultPart,
    access: Access,
}

impl Vault {
    /// The token is read anew for every call.
    fn secrets(&self) -> Arc<dyn Secrets> {
        self.part.cluster.secrets(&self.access)
    }
}

impl Watcher {
    /// Waits for the task's token, where there has to be one. None: it will never have any, which has been told.
    async fn vault(&self) -> Option<Vault> {
        let used = self.task.vault.as_ref();
        let name = used.map(|used| used.cluster.as_str()).filter(|name| !name.is_empty()).unwrap_or("default");
        let Some(part) = self.neighbours.vault.get(name).cloned() else {
            self.fail_for_good(format!("no Vault named {name:?} is configured"));
            return None;
        };
        let mut token = self.task.vault_token.clone();
        if part.cluster.tokens().is_some() {
            if used.is_none() {
                self.fail_for_good("the task reads secrets but has no vault block");
                return None;
            }
            if token.wait_for(|token| !token.is_empty()).await.is_err() {
                // The task is gone.
                return None;
            }
        }
        let access = Access {
            alloc_id: self.task.alloc_id,
            task: self.task.task.clone(),
            token: Some(self.task.vault_token.clone()),
            namespace: used.map(|used| used.namespace.clone()).filter(|name| !name.is_empty()),
        };
        Some(Vault { part, access })
    }

    fn pace(&self, vault: &Vault) -> Duration {
        if vault.part.cluster.is_embedded() { EMBEDDED_PACE } else { self.neighbours.default_lease }
    }

    pub(super) async fn watch_secret(&self, path: &str, version: Option<&str>) {
        let version = match version.map(str::parse::<u64>).transpose() {
            Ok(version) => version,
            Err(_) => return self.fail_for_good(format!("vault.read({path}): the version must be a number")),
        };
        let Some(vault) = self.vault().await else { return };
        let mut retry = Retry::new();
        loop {
            match vault.secrets().read(path, version).await {
                Ok(found) => {
                    retry.reset();
                    self.keep(&vault, found).await;
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    self.pause_or_new_token(retry.next(&self.neighbours)).await;
                }
            }
        }
    }

    pub(super) async fn watch_written(&self, path: &str, data: &BTreeMap<String, String>) {
        let Some(vault) = self.vault().await else { return };
        let mut retry = Retry::new();
        loop {
            match vault.secrets().write(path, data).await {
                // Nothing to renew: writing again would only repeat what was done.
                Ok(None) => return self.publish(Data::Secret(None)),
                Ok(found) => {
                    retry.reset();
                    self.keep(&vault, found).await;
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    self.pause_or_new_token(retry.next(&self.neighbours)).await;
                }
            }
        }
    }

    /// Publishes a secret and returns when it is to be read again.
    async fn keep(&self, vault: &Vault, found: Option<Secret>) {
        let Some(mut secret) = found else {
            self.publish(Data::Secret(None));
            return tokio::time::sleep(MISSING_PACE.min(self.pace(vault))).await;
        };
        self.publish(Data::Secret(Some(convert::secret(secret.clone()))));
        loop {
            let pause = lease::read_again_after(&secret, self.pace(vault), &*self.neighbours.runtime.random);
            tokio::time::sleep(pause).await;
            if !secret.lease.renewable || secret.lease_id.is_empty() {
                return;
            }
            match vault.secrets().renew(&secret.lease_id, secret.lease.duration).await {
                // A lease that is extended less and less has reached its end: another secret is due.
                Ok(extended) if extended.duration > lease::SHORTEST && extended.duration * 2 > secret.lease.duration => {
                    secret.lease = extended
                }
                Ok(_) => return,
                Err(error) => {
                    self.note(&error);
                    return;
                }
            }
        }
    }

    pub(super) async fn watch_secret_names(&self, path: &str) {
        let Some(vault) = self.vault().await else { return };
        let mut retry = Retry::new();
        loop {
            match vault.secrets().list(path).await {
                Ok(names) => {
                    retry.reset();
                    self.publish(Data::Names(names));
                    tokio::time::sleep(self.pace(&vault)).await;
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    self.pause_or_new_token(retry.next(&self.neighbours)).await;
                }
            }
        }
    }

    /// Has a certificate issued, and another one before it ends. One that the task was given earlier is used until it is due.
    pub(super) async fn watch_certificate(&self, path: &str, data: &BTreeMap<String, String>, previous: &[u8]) {
        let Some(vault) = self.vault().await else { return };
        let (mut retry, runtime) = (Retry::new(), &self.neighbours.runtime);
        let mut known = certificate::from_file(previous).filter(|known| !known.private_key_pem.is_empty() || previous.is_empty());
        loop {
            if let Some(certificate) = known.take() {
                let due = certificate.validity.renew_after(runtime.clock.now(), &*runtime.random);
                if !due.is_zero() {
                    self.publish(Data::Certificate(convert::certificate(&certificate)));
                    tokio::time::sleep(due).await;
                }
            }
            match certificate::issue(&*vault.secrets(), path, data).await {
                Ok(certificate) => {
                    retry.reset();
                    // Never in a busy loop, however short its life.
                    if certificate.validity.renew_after(runtime.clock.now(), &*runtime.random).is_zero() {
                        self.publish(Data::Certificate(convert::certificate(&certificate)));
                        tokio::time::sleep(lease::SHORTEST).await;
                    }
                    known = Some(certificate);
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    self.pause_or_new_token(retry.next(&self.neighbours)).await;
                }
            }
        }
    }

    /// Waits before another attempt; a new token is worth one at once.
    async fn pause_or_new_token(&self, pause: Duration) {
        let mut token = self.task.vault_token.clone();
        token.mark_unchanged();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(()) = token.changed() => {}
        }
    }
}
