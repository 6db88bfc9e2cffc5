//! Finding things by the beginning of their id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions};
use crate::{json::List, method};

/// The most ids that are given per kind.
pub const MAX_MATCHES: usize = 20;

/// The kinds of things that can be searched, in the API's words.
pub const CONTEXTS: [&str; 12] = [
    "allocs",
    "jobs",
    "nodes",
    "node_pools",
    "evals",
    "deployment",
    "plugins",
    "volumes",
    "scaling_policy",
    "vars",
    "namespaces",
    "host_volumes",
];

/// Ids that begin with `prefix`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Search {
    pub options: ReadOptions,
    pub prefix: String,
    /// One of [`CONTEXTS`], or `all`.
    pub context: String,
}
method!(Search, "search.prefix", Read<Found>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Found {
    pub matches: BTreeMap<String, List<String>>,
    /// Whether there were more.
    pub truncations: BTreeMap<String, bool>,
}
