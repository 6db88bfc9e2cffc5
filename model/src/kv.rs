//! Rows of the embedded key-value store and of the embedded secret store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ids::KeyId, secret::SecretText, time::UnixNanos};

/// One key, with the JSON shape of Consul's `/v1/kv`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct KvEntry {
    pub lock_index: u64,
    pub key: String,
    pub flags: u64,
    #[serde(with = "crate::json::base64")]
    pub value: Vec<u8>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// All versions of one secret, as they stand in the servers' state: encrypted under a key of the keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    pub path: String,
    pub versions: BTreeMap<u64, SealedVersion>,
    pub current: u64,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedVersion {
    pub key_id: KeyId,
    pub nonce: Vec<u8>,
    pub sealed: Vec<u8>,
    pub created: UnixNanos,
    pub deleted: bool,
}

/// One version of a secret, opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecretVersion {
    pub path: String,
    pub version: u64,
    pub data: BTreeMap<String, SecretText>,
    pub created: UnixNanos,
}
