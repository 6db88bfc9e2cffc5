//! What people ask of the servers' own key-value store, secrets, certificate authority and keyring. What clients ask stands in [`super::node`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{kv::SecretVersion, method, secret::SecretText, time::UnixNanos};

/// Writes one key of the key-value store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KvPut {
    pub key: String,
    #[serde(with = "crate::json::base64")]
    pub value: Vec<u8>,
    pub flags: u64,
    /// Only when the key's index is this (0: when there is no such key).
    pub check: Option<u64>,
}
method!(KvPut, "kv.put", Checked);

/// Deletes a key, or (`recurse`) all keys that begin with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KvDelete {
    pub key: String,
    pub recurse: bool,
    /// Only when the key's index is this.
    pub check: Option<u64>,
}
method!(KvDelete, "kv.delete", Checked);

/// Lists keys that begin with a prefix, in order. With a separator, what comes after its first occurrence behind the prefix is cut off, once for all
/// keys that share it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KvListKeys {
    pub options: ReadOptions,
    pub prefix: String,
    pub separator: String,
}
method!(KvListKeys, "kv.keys", Read<Vec<String>>);

/// Answers a write with a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub index: u64,
    /// False: the condition did not hold, and nothing was changed.
    pub done: bool,
}

/// Adds a version of a secret. The path is `secret/NAMESPACE/JOB/...`; `secret/data/...` is the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretPut {
    pub path: String,
    pub data: BTreeMap<String, SecretText>,
    /// Only when the newest version is this (0: when there is none).
    pub check: Option<u64>,
}
method!(SecretPut, "secret.put", SecretWritten);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretWritten {
    pub index: u64,
    pub version: u64,
    /// False: the condition did not hold, and nothing was changed; `version` is the newest.
    pub done: bool,
}

/// Reads a secret. None when there is none, or its newest version was deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretGet {
    pub options: ReadOptions,
    pub path: String,
    /// 0 is the newest.
    pub version: u64,
}
method!(SecretGet, "secret.get", Read<Option<SecretVersion>>);

/// Lists the secrets below a path: names without their values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretList {
    pub options: ReadOptions,
    pub prefix: String,
}
method!(SecretList, "secret.list", Read<Vec<SecretName>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecretName {
    pub path: String,
    pub version: u64,
    pub versions: usize,
    pub created: UnixNanos,
    pub create_index: u64,
    pub modify_index: u64,
}

/// Deletes a secret with all its versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretDelete {
    pub path: String,
}
method!(SecretDelete, "secret.delete", Checked);

/// Shows the certificate authority; it is made when there is none yet.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CaShow {}
method!(CaShow, "ca.show", CaInfo);

/// Makes another certificate authority. Certificates of the one before stay valid for whoever trusts both.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CaRotate {}
method!(CaRotate, "ca.rotate", CaInfo);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CaInfo {
    pub certificate_pem: String,
    /// Of the authorities before it, newest first.
    pub previous_pem: Vec<String>,
    pub created: UnixNanos,
}

/// Reads the public keys that identities are checked with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Jwks {
    pub options: ReadOptions,
}
method!(Jwks, "identity.jwks", Read<JwksDocument>);

/// As RFC 7517 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwksDocument {
    pub keys: Vec<Jwk>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwk {
    #[serde(rename = "use")]
    pub usage: String,
    pub kty: String,
    pub kid: String,
    pub alg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
}

/// Describes the servers as an OpenID Connect provider; none without a configured issuer.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct OidcConfiguration {}
method!(OidcConfiguration, "identity.oidc", Option<OidcDocument>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcDocument {
    pub issuer: String,
    pub jwks_uri: String,
    pub response_types_supported: Vec<String>,
    pub subject_types_supported: Vec<String>,
    pub id_token_signing_alg_values_supported: Vec<String>,
}
