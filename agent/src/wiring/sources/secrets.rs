//! Secrets and certificates: read, kept alive, read again before they end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_client::parts::VaultPart;
use drover_integrations::{
    Access, Error, Query, Secret, Secrets, certificate,
    lease::{self, Held},
};
use drover_model::secret::SecretText;
use drover_template::Data;

use super::{
    convert,
    kept::Kept,
    watcher::{LEAST_PAUSE, Retry, Watcher, pause_or_new_token},
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
            partition: None,
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
        let asked = version.map(|version| ("version".to_owned(), version.to_string())).into_iter().collect();
        let kept = Kept::lease(&self.task, path, &asked);
        self.take_up(&vault, &kept).await;
        let (mut retry, mut index) = (Retry::new(), 0);
        loop {
            let (secrets, query, token) = (vault.secrets(), Query { index, ..Query::now() }, self.vault_token());
            let read = match secrets.watch(path, version, &query) {
                Some(waited) => waited.await.map(|answer| (Some(answer.next_index(index)), answer.data)),
                None => secrets.read(path, version).await.map(|found| (None, found)),
            };
            match read {
                Ok((Some(next), found)) => {
                    retry.reset();
                    index = next;
                    self.publish(Data::Secret(found.map(convert::secret)));
                    tokio::time::sleep(LEAST_PAUSE).await;
                }
                Ok((None, found)) => {
                    retry.reset();
                    self.keep(&vault, &kept, found, &token).await;
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    // Nothing says that whoever answers next counts on from where the last one was.
                    index = 0;
                    self.pause(&error, &mut retry).await;
                }
            }
        }
    }

    pub(super) async fn watch_written(&self, path: &str, data: &BTreeMap<String, String>) {
        let Some(vault) = self.vault().await else { return };
        let kept = Kept::lease(&self.task, path, data);
        self.take_up(&vault, &kept).await;
        let mut retry = Retry::new();
        loop {
            let token = self.vault_token();
            match vault.secrets().write(path, data).await {
                // Nothing to renew: writing again would only repeat what was done.
                Ok(None) => return self.publish(Data::Secret(None)),
                Ok(found) => {
                    retry.reset();
                    self.keep(&vault, &kept, found, &token).await;
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    self.pause(&error, &mut retry).await;
                }
            }
        }
    }

    fn vault_token(&self) -> SecretText {
        self.task.vault_token.borrow().clone()
    }

    /// Publishes a secret and returns when it is to be read again.
    async fn keep(&self, vault: &Vault, kept: &Kept, found: Option<Secret>, token: &SecretText) {
        let Some(secret) = found else {
            self.publish(Data::Secret(None));
            return tokio::time::sleep(MISSING_PACE.min(self.pace(vault))).await;
        };
        let Some(held) = Held::of(&secret) else {
            let pause = lease::read_again_after(&secret, self.pace(vault), &*self.neighbours.runtime.random);
            self.publish(Data::Secret(Some(convert::secret(secret))));
            return tokio::time::sleep(pause).await;
        };
        kept.write_lease(&held, token, self.neighbours.runtime.clock.now()).await;
        self.hold(vault, kept, held, token).await;
    }

    /// Goes on with the secret that the task was lent before the agent was started, if there is one; returns when it is to be read again.
    async fn take_up(&self, vault: &Vault, kept: &Kept) {
        let token = self.vault_token();
        if let Some(held) = kept.read_lease(&token, self.neighbours.runtime.clock.now()).await {
            self.hold(vault, kept, held, &token).await;
        }
    }

    /// Keeps a lease alive as long as it can be, and as long as the task has the token that it was taken with: they end together.
    async fn hold(&self, vault: &Vault, kept: &Kept, mut held: Held, token: &SecretText) {
        let runtime = &self.neighbours.runtime;
        let secrets = vault.secrets();
        let told = |error: &Error| {
            self.note(error);
        };
        let alive = async {
            loop {
                // The same as before says that it can be renewed again.
                self.publish(Data::Secret(Some(convert::secret(held.secret.clone()))));
                if !held.renewed(&*secrets, &*runtime.random, &told).await {
                    return;
                }
                kept.write_lease(&held, token, runtime.clock.now()).await;
            }
        };
        tokio::select! {
            () = alive => {}
            () = self.another_token(token) => {}
        }
    }

    /// Resolves when the task has another Vault token than this one.
    async fn another_token(&self, held: &SecretText) {
        let mut token = self.task.vault_token.clone();
        if token.wait_for(|token| !token.is_empty() && token != held).await.is_err() {
            // The task is gone, and so is whoever wants to know.
            std::future::pending().await
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
                    self.pause(&error, &mut retry).await;
                }
            }
        }
    }

    /// Has a certificate issued, and another one before it ends. One that the task was given earlier is used until it is due.
    pub(super) async fn watch_certificate(&self, path: &str, data: &BTreeMap<String, String>, previous: &[u8]) {
        let Some(vault) = self.vault().await else { return };
        let (mut retry, runtime) = (Retry::new(), &self.neighbours.runtime);
        let kept = Kept::certificate(&self.task, path, data);
        // What was issued is kept beside the task; a rendered file may hold it, too.
        let rendered = || certificate::from_file(previous).filter(|known| !known.private_key_pem.is_empty());
        let mut known = kept.read_certificate().await.or_else(rendered);
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
                    kept.write_certificate(&certificate).await;
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
                    self.pause(&error, &mut retry).await;
                }
            }
        }
    }

    /// Waits before another attempt. Whoever keeps the token looks at it when it was refused; a new one is worth an attempt at once.
    async fn pause(&self, error: &Error, retry: &mut Retry) {
        if error.is_forbidden() {
            self.task.vault_doubt.notify_one();
        }
        pause_or_new_token(retry.next(&self.neighbours), &self.task.vault_token).await;
    }
}
