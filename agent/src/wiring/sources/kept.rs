//! What was got for a task and would be got anew for nothing: certificates and leased secrets outlive the agent among the task's secrets, which go when the
//! task does.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use drover_client::{
    files::{FileError, Folder},
    templates::TaskContext,
};
use drover_integrations::{
    certificate::{self, Certificate},
    lease::Held,
};
use drover_model::{secret::SecretText, time::UnixNanos};
use drover_template::Ownership;
use sha2::{Digest, Sha256};

/// Where it is, beneath the task's folder.
const CERTIFICATES: &str = "secrets/.certificates";
const LEASES: &str = "secrets/.leases";
const MODE: u32 = 0o600;
/// What is larger is not kept.
const MOST_BYTES: usize = 1 << 20;

/// The place of one answer.
#[derive(Debug)]
pub(super) struct Kept {
    /// None: nothing is kept.
    folder: Option<Folder>,
    file: PathBuf,
}

impl Kept {
    /// Of the certificate that this question had issued.
    pub(super) fn certificate(task: &TaskContext, path: &str, data: &BTreeMap<String, String>) -> Self {
        Self { folder: task.kept.clone(), file: Path::new(CERTIFICATES).join(format!("{}.pem", digest(task, path, data))) }
    }

    /// Of the secret that reading (with a version) or writing (with data) gave.
    pub(super) fn lease(task: &TaskContext, path: &str, data: &BTreeMap<String, String>) -> Self {
        Self { folder: task.kept.clone(), file: Path::new(LEASES).join(format!("{}.json", digest(task, path, data))) }
    }

    pub(super) async fn read_certificate(&self) -> Option<Certificate> {
        certificate::from_file(&self.read().await?)
    }

    pub(super) async fn write_certificate(&self, certificate: &Certificate) {
        self.write(&certificate.to_file()).await;
    }

    pub(super) async fn read_lease(&self, token: &SecretText, now: UnixNanos) -> Option<Held> {
        Held::from_file(&self.read().await?, token, now)
    }

    pub(super) async fn write_lease(&self, held: &Held, token: &SecretText, now: UnixNanos) {
        if let Some(text) = held.to_file(token, now) {
            self.write(&text).await;
        }
    }

    async fn read(&self) -> Option<Vec<u8>> {
        self.folder.as_ref()?.read(&self.file, MOST_BYTES).await.ok().flatten()
    }

    async fn write(&self, text: &SecretText) {
        let Some(folder) = &self.folder else { return };
        let bytes = text.expose().to_owned();
        if bytes.len() > MOST_BYTES {
            return tracing::debug!(bytes = bytes.len(), "an answer is too large to be kept: an agent that restarts asks anew");
        }
        match folder.write(&self.file, bytes, MODE, Ownership::default()).await {
            Ok(_) | Err(FileError::Ended) => {}
            Err(error) => tracing::warn!(%error, "an answer cannot be kept: an agent that restarts asks anew"),
        }
    }
}

/// One for each distinct question. Of what is asked for it tells nothing.
fn digest(task: &TaskContext, path: &str, data: &BTreeMap<String, String>) -> String {
    let (cluster, namespace) = task.vault.as_ref().map_or(("", ""), |used| (&used.cluster, &used.namespace));
    let question = format!("{cluster}\0{namespace}\0{}", path.trim_matches('/'));
    let question = data.iter().fold(question, |text, (key, value)| format!("{text}\0{key}={value}"));
    Sha256::digest(question).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
