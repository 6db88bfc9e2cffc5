//! Secrets and certificates: read, kept alive, read again before they end.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use drover_client::parts::VaultPart;
use drover_integrations::{
    Access, Error, Query, Secret, Secrets,
    certificate::{self, Certificate},
    lease,
};
use drover_template::{Data, Ownership, read_beneath, write_beneath};
use sha2::{Digest, Sha256};

use super::{
    convert,
    watcher::{LEAST_PAUSE, Retry, Watcher, pause_or_new_token},
};

/// How often secrets of the embedded store are looked at: asking it costs next to nothing.
const EMBEDDED_PACE: Duration = Duration::from_secs(2);
/// How often a secret that is not there yet is looked for.
const MISSING_PACE: Duration = Duration::from_secs(5);

/// Where certificates are kept, beneath the task's folder.
const KEPT_CERTIFICATES: &str = "secrets/.certificates";
const KEPT_MODE: u32 = 0o600;
const KEPT_BYTES: usize = 1 << 20;

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

/// Where a certificate outlives the agent: among the task's secrets, which go when the task does.
struct Kept<'a> {
    /// None: nothing is kept.
    folder: Option<&'a Path>,
    file: PathBuf,
}

impl<'a> Kept<'a> {
    /// One for each distinct question.
    fn new(watcher: &'a Watcher, path: &str, data: &BTreeMap<String, String>) -> Self {
        let (cluster, namespace) = watcher.task.vault.as_ref().map_or(("", ""), |used| (&used.cluster, &used.namespace));
        let question = data.iter().fold(format!("{cluster}\0{namespace}\0{path}"), |text, (key, value)| format!("{text}\0{key}={value}"));
        let digest = Sha256::digest(question);
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { folder: watcher.task.kept.as_deref(), file: Path::new(KEPT_CERTIFICATES).join(format!("{name}.pem")) }
    }

    fn read(&self) -> Option<Certificate> {
        let bytes = read_beneath(self.folder?, &self.file, KEPT_BYTES).ok().flatten()?;
        certificate::from_file(&bytes)
    }

    fn write(&self, certificate: &Certificate) {
        let Some(folder) = self.folder else { return };
        let text = certificate.to_file();
        if let Err(error) = write_beneath(folder, &self.file, text.expose().as_bytes(), KEPT_MODE, Ownership::default()) {
            tracing::warn!(%error, "a certificate cannot be kept: an agent that restarts has another one issued");
        }
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
        let (mut retry, mut index) = (Retry::new(), 0);
        loop {
            let (secrets, query) = (vault.secrets(), Query { index, ..Query::now() });
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
                    self.keep(&vault, found).await;
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
                    self.pause(&error, &mut retry).await;
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
                    self.pause(&error, &mut retry).await;
                }
            }
        }
    }

    /// Has a certificate issued, and another one before it ends. One that the task was given earlier is used until it is due.
    pub(super) async fn watch_certificate(&self, path: &str, data: &BTreeMap<String, String>, previous: &[u8]) {
        let Some(vault) = self.vault().await else { return };
        let (mut retry, runtime) = (Retry::new(), &self.neighbours.runtime);
        let kept = Kept::new(self, path, data);
        // What was issued is kept beside the task; a rendered file may hold it, too.
        let mut known = kept.read().or_else(|| certificate::from_file(previous).filter(|known| !known.private_key_pem.is_empty()));
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
                    kept.write(&certificate);
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
