//! Files that a job wants to have fetched.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use drover_model::job::{Artifact, Task};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::HookError;
use crate::{
    environment::Environment,
    limits,
    tasks::{Scope, events},
};

/// What the incumbent's getter would unpack; here it is refused unless the job says `archive = false`.
const ARCHIVES: [&str; 12] = [".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar", ".zip", ".gz", ".bz2", ".xz"];

pub(super) async fn prepare(scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
    if task.artifacts.is_empty() {
        return Ok(());
    }
    scope.event(events::downloading(scope.now()));
    let environment = scope.environment();
    for artifact in &task.artifacts {
        let fetched = tokio::time::timeout(limits::ARTIFACT_FETCH, fetch(scope, &environment, artifact)).await;
        let fetched = fetched.unwrap_or_else(|_| Err(Failure::passing("it took too long")));
        fetched.map_err(|failure| {
            let text = format!("failed to download artifact {:?}: {}", artifact.getter_source, failure.text);
            HookError { event: Box::new(events::failed_artifact(scope.now(), &text)), is_recoverable: failure.passes }
        })?;
    }
    Ok(())
}

struct Failure {
    text: String,
    passes: bool,
}

impl Failure {
    fn passing(text: impl ToString) -> Self {
        Self { text: text.to_string(), passes: true }
    }

    fn lasting(text: impl ToString) -> Self {
        Self { text: text.to_string(), passes: false }
    }
}

async fn fetch(scope: &Scope, environment: &Environment, artifact: &Artifact) -> Result<(), Failure> {
    let source = environment.interpolate(&artifact.getter_source);
    let (kind, address) = source.split_once("::").map_or((None, source.as_str()), |(kind, rest)| (Some(kind), rest));
    if kind.is_some_and(|kind| !matches!(kind, "http" | "https" | "file")) {
        return Err(Failure::lasting(format!(
            "sources of kind {:?} are not supported; http, https and files are",
            kind.unwrap_or_default()
        )));
    }
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let url: reqwest::Url = with_scheme.parse().map_err(Failure::lasting)?;
    let name =
        url.path_segments().and_then(|mut segments| segments.next_back()).filter(|name| !name.is_empty()).unwrap_or("artifact").to_owned();
    let option = |key: &str| artifact.getter_options.get(key).map(|value| environment.interpolate(value));
    if option("archive").is_none_or(|archive| archive != "false")
        && artifact.getter_mode != "file"
        && ARCHIVES.iter().any(|ending| name.ends_with(ending))
    {
        return Err(Failure::lasting("archives are not unpacked; set options { archive = \"false\" } to have the file itself"));
    }
    let destination = destination(scope, environment, artifact, &name).await?;
    let bytes = Download { url, headers: artifact, environment, insecure: artifact.getter_insecure };
    let digest = bytes.save(&destination).await?;
    match option("checksum") {
        Some(want) => verify(&want, &digest).inspect_err(|_| drop(std::fs::remove_file(&destination))),
        None => Ok(()),
    }
}

/// Beneath the allocation's folder, with no link on the way out of it.
async fn destination(scope: &Scope, environment: &Environment, artifact: &Artifact, name: &str) -> Result<PathBuf, Failure> {
    let wanted = environment.interpolate(&artifact.relative_dest);
    let wanted = if wanted.is_empty() { "local/".to_owned() } else { wanted };
    let relative = super::templates::beneath(scope, &wanted);
    let file = if artifact.getter_mode == "file" { relative } else { relative.join(name) };
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    // An empty write creates the folders as every other file of the task is created, and refuses what leads outside.
    let probe = folder.join(format!(".{name}.fetching"));
    let written = scope.folder(&scope.dirs.alloc_root).write(&probe, b"", 0o644, drover_template::Ownership::default()).await;
    written.map_err(Failure::lasting)?;
    let _ = tokio::fs::remove_file(scope.dirs.alloc_root.join(probe)).await;
    Ok(scope.dirs.alloc_root.join(file))
}

struct Download<'a> {
    url: reqwest::Url,
    headers: &'a Artifact,
    environment: &'a Environment,
    insecure: bool,
}

impl Download<'_> {
    /// Writes it and gives its SHA-256.
    async fn save(&self, path: &Path) -> Result<String, Failure> {
        let _ = tokio::fs::remove_file(path).await;
        let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(path).await.map_err(Failure::passing)?;
        if self.url.scheme() == "file" {
            let source = self.url.to_file_path().map_err(|()| Failure::lasting("the path of a file must be absolute"))?;
            let bytes = tokio::fs::read(&source).await.map_err(|error| Failure::lasting(format!("{}: {error}", source.display())))?;
            file.write_all(&bytes).await.map_err(Failure::passing)?;
            return Ok(hex(Sha256::digest(&bytes).as_slice()));
        }
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(self.insecure).build().map_err(Failure::lasting)?;
        let mut request = client.get(self.url.clone());
        for (key, value) in &self.headers.getter_headers {
            request = request.header(key, self.environment.interpolate(value));
        }
        let mut answer = request.send().await.map_err(|error| Failure::passing(error.without_url()))?;
        if !answer.status().is_success() {
            let text = format!("bad response code: {}", answer.status().as_u16());
            return Err(if answer.status().is_server_error() { Failure::passing(text) } else { Failure { text, passes: true } });
        }
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::passing(error.without_url()))? {
            size += chunk.len() as u64;
            if size > limits::ARTIFACT_BYTES {
                return Err(Failure::lasting(format!("it is larger than {} bytes", limits::ARTIFACT_BYTES)));
            }
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(Failure::passing)?;
        }
        file.flush().await.map_err(Failure::passing)?;
        Ok(hex(hash.finalize().as_slice()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verify(want: &str, digest: &str) -> Result<(), Failure> {
    let (kind, want) = want.split_once(':').unwrap_or(("sha256", want));
    if kind != "sha256" {
        return Err(Failure::lasting(format!("checksums of kind {kind:?} are not supported; sha256 is")));
    }
    if want.eq_ignore_ascii_case(digest) {
        Ok(())
    } else {
        Err(Failure::passing(format!("checksums did not match: expected {want}, got {digest}")))
    }
}
