//! Secrets by path.

use std::{collections::BTreeMap, time::Duration};

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Vault,
    answer::{self, Answer},
    mounts::{Mount, MountKind},
};
use crate::{
    Access, Result, Secret, Secrets,
    http::{Call, encode},
    secrets::Lease,
};

#[derive(Debug)]
pub(super) struct VaultSecrets {
    pub(super) vault: Vault,
    pub(super) access: Access,
}

impl Secrets for VaultSecrets {
    fn read<'a>(&'a self, path: &'a str, version: Option<u64>) -> BoxFuture<'a, Result<Option<Secret>>> {
        Box::pin(async move {
            let vault = self.vault.acting_as(&self.access);
            let path = path.trim_matches('/');
            let mount = vault.mount_of(path).await?;
            match mount.kind {
                MountKind::KeyValue2 => vault.read_version(&data_path(&mount, path, "data"), version).await,
                MountKind::Plain | MountKind::Unknown => vault.read_plain(&mount, path).await,
            }
        })
    }

    fn write<'a>(&'a self, path: &'a str, data: &'a BTreeMap<String, String>) -> BoxFuture<'a, Result<Option<Secret>>> {
        Box::pin(async move {
            let vault = self.vault.acting_as(&self.access);
            let path = path.trim_matches('/');
            let mount = vault.mount_of(path).await?;
            let (path, body) = match mount.kind {
                MountKind::KeyValue2 => (data_path(&mount, path, "data"), json!({ "data": data })),
                MountKind::Plain | MountKind::Unknown => (path.to_owned(), json!(data)),
            };
            let reply = vault.call(Call::put(url_of(&path)).json(&body), &format!("the write to {path}")).await?;
            if reply.status == 204 || reply.body.is_empty() {
                return Ok(None);
            }
            Ok(Some(vault.endpoint.parse::<Answer>(&format!("the write to {path}"), &reply.body)?.into_secret()))
        })
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let vault = self.vault.acting_as(&self.access);
            let path = path.trim_matches('/');
            let mount = vault.mount_of(&format!("{path}/")).await?;
            let path = if mount.kind == MountKind::KeyValue2 { data_path(&mount, path, "metadata") } else { path.to_owned() };
            let shown = format!("the list of {path}");
            let method = Method::from_bytes(b"LIST").unwrap_or(Method::GET);
            let reply = vault.send(Call::new(method, url_of(&path))).await?;
            if reply.status == 404 {
                return Ok(Vec::new());
            }
            if !reply.is_success() {
                return Err(vault.endpoint.refused(&shown, &reply, answer::refusal));
            }
            let answer: Answer = vault.endpoint.parse(&shown, &reply.body)?;
            let keys = answer.data.get("keys").and_then(Value::as_array).into_iter().flatten();
            let mut names: Vec<String> = keys.filter_map(Value::as_str).map(str::to_owned).collect();
            names.sort();
            Ok(names)
        })
    }

    fn renew<'a>(&'a self, lease_id: &'a str, increment: Duration) -> BoxFuture<'a, Result<Lease>> {
        Box::pin(async move {
            let vault = self.vault.acting_as(&self.access);
            let body = json!({ "lease_id": lease_id, "increment": increment.as_secs() });
            let reply = vault.call(Call::put("/v1/sys/leases/renew").json(&body), "the renewal of a lease").await;
            let reply = reply.map_err(|error| if error.is_unknown_call() { vault.unsupported("renewing a lease") } else { error })?;
            Ok(vault.endpoint.parse::<Answer>("the renewal of a lease", &reply.body)?.lease())
        })
    }

    fn revoke<'a>(&'a self, lease_id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let vault = self.vault.acting_as(&self.access);
            let body = json!({ "lease_id": lease_id });
            match vault.call(Call::put("/v1/sys/leases/revoke").json(&body), "the revocation of a lease").await {
                Err(error) if error.is_unknown_call() => Err(vault.unsupported("revoking a lease")),
                done => done.map(|_| ()),
            }
        })
    }
}

impl Vault {
    /// Reads one version of a secret of a versioned mount; the newest when none is given.
    async fn read_version(&self, path: &str, version: Option<u64>) -> Result<Option<Secret>> {
        let version = version.map(|version| version.to_string());
        let secret = self.read_literally(path, version.as_deref()).await?;
        // A deleted version still has its meta data.
        Ok(secret.filter(|secret| secret.data.get("data").is_some_and(|data| !data.is_null())))
    }

    /// Reads from a mount without versions, or one that does not tell. A path that is written for a versioned one (`MOUNT/data/...`) finds the secret
    /// there or at `MOUNT/...`, and has its fields below `data` as well, so that one template reads both.
    async fn read_plain(&self, mount: &Mount, path: &str) -> Result<Option<Secret>> {
        let versioned_name = path.strip_prefix(&mount.path).and_then(|rest| rest.strip_prefix("data/"));
        let mut found = self.read_literally(path, None).await?;
        let Some(name) = versioned_name else { return Ok(found) };
        if found.is_none() {
            // A server that refuses the second path only says that there is nothing to be found at the first.
            found = match self.read_literally(&format!("{}{name}", mount.path), None).await {
                Err(error) if error.is_forbidden() => None,
                answer => answer?,
            };
        }
        Ok(found.map(nested))
    }

    async fn read_literally(&self, path: &str, version: Option<&str>) -> Result<Option<Secret>> {
        let shown = format!("the read of {path}");
        let reply = self.send(Call::get(url_of(path)).query_option("version", version)).await?;
        match reply.status {
            404 => Ok(None),
            _ if reply.is_success() => Ok(Some(self.endpoint.parse::<Answer>(&shown, &reply.body)?.into_secret())),
            _ => Err(self.endpoint.refused(&shown, &reply, answer::refusal)),
        }
    }
}

/// Adds the fields below `data` unless they stand there already.
fn nested(mut secret: Secret) -> Secret {
    if !secret.data.get("data").is_some_and(Value::is_object) {
        let fields: Map<String, Value> = secret.data.clone();
        secret.data.insert("data".to_owned(), fields.into());
    }
    secret
}

/// The path of a versioned mount's API for what people may write without it: `secret/x` is `secret/data/x`.
fn data_path(mount: &Mount, path: &str, api: &str) -> String {
    let rest = path.strip_prefix(&mount.path).unwrap_or_default();
    let (first, name) = rest.split_once('/').unwrap_or((rest, ""));
    match first {
        "data" | "metadata" => format!("{}{api}/{name}", mount.path),
        // These have no other form.
        "delete" | "undelete" | "destroy" | "config" if api == "data" => path.to_owned(),
        _ => format!("{}{api}/{rest}", mount.path),
    }
}

fn url_of(path: &str) -> String {
    format!("/v1/{}", encode(path, "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_versioned_mounts_may_be_written_either_way() {
        let mount = Mount { path: "team/kv/".into(), kind: MountKind::KeyValue2 };
        for (path, api, full) in [
            ("team/kv/data/a/b", "data", "team/kv/data/a/b"),
            ("team/kv/a/b", "data", "team/kv/data/a/b"),
            ("team/kv/data", "metadata", "team/kv/metadata/"),
            ("team/kv/data/a", "metadata", "team/kv/metadata/a"),
            ("team/kv/metadata/a", "metadata", "team/kv/metadata/a"),
            ("team/kv/a", "metadata", "team/kv/metadata/a"),
        ] {
            assert_eq!(data_path(&mount, path, api), full, "{path}");
        }
    }

    #[test]
    fn unversioned_fields_also_stand_below_data() {
        let secret = |value: Value| Secret { data: value.as_object().unwrap().clone(), ..Secret::default() };
        assert_eq!(Value::Object(nested(secret(json!({"a": 1}))).data), json!({"a": 1, "data": {"a": 1}}));
        assert_eq!(Value::Object(nested(secret(json!({"data": {"a": 1}}))).data), json!({"data": {"a": 1}}));
        assert_eq!(Value::Object(nested(secret(json!({"data": "x"}))).data), json!({"data": {"data": "x"}}));
    }
}
