//! What a Vault has mounted where, as far as reading key-value secrets depends on it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_model::json::null_is_default;
use serde::Deserialize;
use tokio::time::Instant;

use super::Vault;
use crate::{
    Result,
    http::{Call, encode},
};

/// How long an answer about a mount is believed.
const BELIEVED: Duration = Duration::from_secs(300);

/// The most mounts that are remembered.
const REMEMBERED: usize = 256;

/// What a path lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// With a slash at its end.
    pub(super) path: String,
    pub(super) kind: MountKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MountKind {
    KeyValue2,
    /// Anything else: paths are taken as they are.
    Plain,
    /// The server does not tell.
    Unknown,
}

/// Answers about mounts, by namespace and mount.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    known: Mutex<BTreeMap<(String, String), (MountKind, Instant)>>,
}

impl Mounts {
    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, String), (MountKind, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, namespace: &str, path: &str) -> Option<Mount> {
        let known = self.known();
        let fitting =
            known.iter().filter(|((of, mount), (_, at))| of == namespace && path.starts_with(mount.as_str()) && at.elapsed() < BELIEVED);
        fitting.max_by_key(|((_, mount), _)| mount.len()).map(|((_, mount), (kind, _))| Mount { path: mount.clone(), kind: *kind })
    }

    fn remember(&self, namespace: &str, mount: &Mount) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((namespace.to_owned(), mount.path.clone()), (mount.kind, Instant::now()));
    }
}

#[derive(Deserialize)]
struct MountAnswer {
    data: MountData,
}

#[derive(Deserialize)]
struct MountData {
    path: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default, deserialize_with = "null_is_default")]
    options: BTreeMap<String, String>,
}

impl Vault {
    /// The mount that `path` lies in.
    pub(super) async fn mount_of(&self, path: &str) -> Result<Mount> {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        if let Some(mount) = self.mounts.remembered(namespace, path) {
            return Ok(mount);
        }
        let guess = || Mount { path: format!("{}/", path.split('/').next().unwrap_or_default()), kind: MountKind::Unknown };
        let call = format!("/v1/sys/internal/ui/mounts/{}", encode(path, "/"));
        let reply = self.send(Call::get(call)).await?;
        let mount = match reply.status {
            200 => {
                let answer: MountAnswer = self.endpoint.parse("GET sys/internal/ui/mounts", &reply.body)?;
                let is_2 = matches!(answer.data.kind.as_str(), "kv" | "generic")
                    && answer.data.options.get("version").is_some_and(|version| version == "2");
                let kind = if is_2 { MountKind::KeyValue2 } else { MountKind::Plain };
                Mount { path: format!("{}/", answer.data.path.trim_end_matches('/')), kind }
            }
            404 | 405 | 501 => guess(),
            // A token that may not ask may still read; next time it may be another token.
            401 | 403 => return Ok(guess()),
            _ => return Err(self.endpoint.refused("GET sys/internal/ui/mounts", &reply, super::answer::refusal)),
        };
        self.mounts.remember(namespace, &mount);
        Ok(mount)
    }
}
