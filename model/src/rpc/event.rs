//! What changes in the servers' state, as a stream.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ids::Name, json::List, stream_method};

/// The kinds of rows whose changes are told, in the API's words.
pub const TOPICS: [&str; 6] = ["Job", "Evaluation", "Allocation", "Deployment", "Node", "Service"];

/// What somebody wants to hear of: a topic (or `*`), and a key of it (or `*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicFilter {
    pub topic: String,
    pub key: String,
}

/// Tells of changes from now on, or of what has changed since an index. Changes of one row that follow each other quickly may be told as one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventStream {
    pub topics: Vec<TopicFilter>,
    /// `*` is every namespace.
    pub namespace: Name,
    /// 0: from now on.
    pub index: u64,
}
stream_method!(EventStream, "events.stream", EventBatch);

/// What one index changed. One without events only says that the stream is alive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EventBatch {
    pub index: u64,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    #[serde(rename = "Topic")]
    pub topic: String,
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(rename = "Key")]
    pub key: String,
    #[serde(rename = "Namespace")]
    pub namespace: String,
    #[serde(rename = "FilterKeys")]
    pub filter_keys: List<String>,
    #[serde(rename = "Index")]
    pub index: u64,
    /// The row under its topic's name.
    #[serde(rename = "Payload")]
    pub payload: Value,
}
