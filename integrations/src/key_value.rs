//! The key-value store, read.

use std::fmt;

use drover_model::kv::KvEntry;
use futures::future::BoxFuture;

use crate::{Answer, Query, Result};

/// Reads keys, and waits for them to change. A missing key is an answer (`None`, with an index to wait on), not an error.
pub trait KeyValue: Send + Sync + fmt::Debug {
    fn get<'a>(&'a self, key: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<Option<KvEntry>>>>;

    /// All entries whose key begins with `prefix`, in the order of their keys.
    fn list<'a>(&'a self, prefix: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<KvEntry>>>>;
}
