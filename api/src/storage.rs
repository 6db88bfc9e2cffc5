//! `/v1/kv/...`, `/v1/secret/...`, `/v1/var...` and `/v1/ca`: what the servers keep for others.

use std::collections::BTreeMap;

use drover_model::{
    kv::{KvEntry, SecretVersion},
    rpc::embedded::{CaInfo, SecretName},
    variable::{Variable, VariableLock, VariableMetadata},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Error, Query, segment};

/// A secret that was written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecretWritten {
    pub version: u64,
}

impl Client {
    /// A key's entry; none when there is no such key.
    pub async fn kv_get(&self, key: &str) -> Result<Option<KvEntry>, Error> {
        match self.get::<Vec<KvEntry>>(&kv(key), &[]).await {
            Ok(answer) => Ok(answer.data.into_iter().next()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All entries whose keys begin with `prefix`, in order.
    pub async fn kv_list(&self, prefix: &str) -> Result<Vec<KvEntry>, Error> {
        match self.get::<Vec<KvEntry>>(&kv(prefix), &[("recurse", "true")]).await {
            Ok(answer) => Ok(answer.data),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Writes a key; with `cas`, only when its index is that. Answers whether it was written.
    pub async fn kv_put(&self, key: &str, value: Vec<u8>, cas: Option<u64>) -> Result<bool, Error> {
        let cas = cas.map(|index| index.to_string());
        let query: Vec<(&str, &str)> = cas.iter().map(|index| ("cas", index.as_str())).collect();
        let answer = self.raw("PUT", &kv(key), &query, value).await?;
        Ok(answer.data.starts_with(b"true"))
    }

    pub async fn kv_delete(&self, key: &str, recurse: bool) -> Result<(), Error> {
        let query: &[(&str, &str)] = if recurse { &[("recurse", "true")] } else { &[] };
        self.raw("DELETE", &kv(key), query, Vec::new()).await.map(|_| ())
    }

    /// Adds a version of a secret.
    pub async fn secret_put(&self, path: &str, data: &BTreeMap<String, String>, cas: Option<u64>) -> Result<SecretWritten, Error> {
        let cas = cas.map(|version| version.to_string());
        let query: Vec<(&str, &str)> = cas.iter().map(|version| ("cas", version.as_str())).collect();
        Ok(self.put(&secret(path), &query, &json!({ "Data": data })).await?.data)
    }

    /// A version of a secret; 0 is the newest.
    pub async fn secret_get(&self, path: &str, version: u64) -> Result<Answer<SecretVersion>, Error> {
        self.get(&secret(path), &[("version", &version.to_string())]).await
    }

    pub async fn secret_list(&self, prefix: &str) -> Result<Vec<SecretName>, Error> {
        Ok(self.get("/v1/secrets", &[("prefix", prefix)]).await?.data)
    }

    pub async fn secret_delete(&self, path: &str) -> Result<(), Error> {
        self.delete::<Value>(&secret(path), &[]).await.map(|_| ())
    }

    /// A variable; none when there is none.
    pub async fn variable_get(&self, path: &str) -> Result<Option<Variable>, Error> {
        match self.get::<Variable>(&variable(path), &[]).await {
            Ok(answer) => Ok(Some(answer.data)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The variables whose paths begin with `prefix`, in order.
    pub async fn variable_list(&self, query: Query<'_>) -> Result<Vec<VariableMetadata>, Error> {
        Ok(self.get("/v1/vars", query).await?.data)
    }

    /// Writes a variable; with `cas`, only when its index is that. A conflict is an error with status 409.
    pub async fn variable_put(&self, path: &str, items: &BTreeMap<String, String>, cas: Option<u64>) -> Result<Variable, Error> {
        let cas = cas.map(|index| index.to_string());
        let query: Vec<(&str, &str)> = cas.iter().map(|index| ("cas", index.as_str())).collect();
        Ok(self.put(&variable(path), &query, &json!({ "Items": items })).await?.data)
    }

    /// Deletes a variable; with `cas`, only when its index is that.
    pub async fn variable_delete(&self, path: &str, cas: Option<u64>) -> Result<(), Error> {
        let cas = cas.map(|index| index.to_string());
        let query: Vec<(&str, &str)> = cas.iter().map(|index| ("cas", index.as_str())).collect();
        self.raw("DELETE", &variable(path), &query, Vec::new()).await.map(|_| ())
    }

    /// Takes the lock of a variable, which is made when it is not there. Held by somebody else: an error with status 409.
    pub async fn variable_acquire(&self, path: &str, lock: &VariableLock) -> Result<VariableMetadata, Error> {
        Ok(self.put(&variable(path), &[("lock-acquire", "")], &json!({ "Lock": lock })).await?.data)
    }

    /// Holds a lock for another while.
    pub async fn variable_renew(&self, path: &str, lock: &VariableLock) -> Result<VariableMetadata, Error> {
        Ok(self.put(&variable(path), &[("lock-renew", "")], &json!({ "Lock": lock })).await?.data)
    }

    /// Gives a lock up.
    pub async fn variable_release(&self, path: &str, lock: &VariableLock) -> Result<VariableMetadata, Error> {
        Ok(self.put(&variable(path), &[("lock-release", "")], &json!({ "Lock": lock })).await?.data)
    }

    pub async fn ca(&self) -> Result<CaInfo, Error> {
        Ok(self.get("/v1/ca", &[]).await?.data)
    }

    pub async fn ca_rotate(&self) -> Result<CaInfo, Error> {
        Ok(self.put("/v1/ca/rotate", &[], &json!({})).await?.data)
    }
}

fn kv(key: &str) -> String {
    format!("/v1/kv/{}", segment(key.trim_start_matches('/')))
}

fn variable(path: &str) -> String {
    format!("/v1/var/{}", segment(path.trim_start_matches('/')))
}

fn secret(path: &str) -> String {
    format!("/v1/secret/{}", segment(path.trim_start_matches('/')))
}
