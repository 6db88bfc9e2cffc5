//! Secrets, read and written by path.

use std::{collections::BTreeMap, fmt, time::Duration};

use drover_model::secret::SecretText;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::{Answer, Query, Result};

/// Reads and writes secrets with the token (or as the workload) that it was made for. Paths are written as in Vault's API, without `/v1/`. What is read as
/// `MOUNT/data/NAME` has its fields below `data.data`, whichever version of the key-value engine the mount has.
pub trait Secrets: Send + Sync + fmt::Debug {
    /// None when there is nothing at the path, or its newest version was deleted.
    fn read<'a>(&'a self, path: &'a str, version: Option<u64>) -> BoxFuture<'a, Result<Option<Secret>>>;

    /// The same, once it is newer than `query.index`; none when the peer cannot wait, and must be asked from time to time.
    fn watch<'a>(&'a self, path: &'a str, version: Option<u64>, query: &'a Query) -> Option<BoxFuture<'a, Result<Answer<Option<Secret>>>>> {
        let _ = (path, version, query);
        None
    }

    /// Writes, and gives what the write answers (a certificate, dynamic credentials); none when it answers nothing.
    fn write<'a>(&'a self, path: &'a str, data: &'a BTreeMap<String, String>) -> BoxFuture<'a, Result<Option<Secret>>>;

    /// The names below a path, sorted; those of folders end in `/`.
    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Extends a lease; gives its new length.
    fn renew<'a>(&'a self, lease_id: &'a str, increment: Duration) -> BoxFuture<'a, Result<Lease>>;

    /// Gives a lease back.
    fn revoke<'a>(&'a self, lease_id: &'a str) -> BoxFuture<'a, Result<()>>;
}

/// How long something may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    pub duration: Duration,
    pub renewable: bool,
}

/// What a path answers.
#[derive(Clone, Default, PartialEq)]
pub struct Secret {
    pub request_id: String,
    pub lease_id: String,
    pub lease: Lease,
    pub data: Map<String, Value>,
    pub warnings: Vec<String>,
    pub auth: Option<SecretAuth>,
    pub wrap: Option<Wrap>,
}

/// A token that came with a secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecretAuth {
    pub token: SecretText,
    pub accessor: String,
    pub policies: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub lease: Lease,
}

/// A secret that is handed on in a wrapper.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wrap {
    pub token: SecretText,
    pub ttl: Duration,
    pub creation_time: String,
    pub wrapped_accessor: String,
}

impl Secret {
    /// A text of `data`; empty when there is none.
    pub fn text(&self, key: &str) -> &str {
        self.data.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    /// Without the data: they are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("lease", &self.lease).field("fields", &self.data.len()).finish_non_exhaustive()
    }
}
