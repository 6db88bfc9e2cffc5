//! Variables: small named sets of texts that job authors keep beside their jobs.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{KeyId, Name},
    job::Job,
    secret::SecretText,
    spec::format_duration,
    time::{UnixNanos, nanos, nanos_of},
};

/// The most that names and values of one variable's items take together.
pub const ITEMS_LIMIT: usize = 64 << 10;
/// The longest path.
pub const PATH_LIMIT: usize = 128;

/// All of a variable but its items: what lists show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VariableMetadata {
    pub namespace: Name,
    pub path: String,
    pub create_index: u64,
    pub modify_index: u64,
    pub create_time: UnixNanos,
    pub modify_time: UnixNanos,
    /// Who holds it, while somebody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<VariableLock>,
}

/// A variable, opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Variable {
    #[serde(flatten)]
    pub metadata: VariableMetadata,
    pub items: BTreeMap<String, SecretText>,
}

/// Which variables a task may read because it is that task, without anybody's permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableReach {
    namespace: Name,
    task: String,
    paths: Vec<String>,
}

impl VariableReach {
    /// That of a task of `job`. An instance of a periodic or parameterized job reads what that one reads, too.
    pub fn of(job: &Job, group: &str, task: &str) -> Self {
        let root = "nomad/jobs";
        let mut paths = vec![root.to_owned()];
        for job in [&*job.id, job.parent_id.as_str()].into_iter().filter(|id| !id.is_empty()) {
            paths.extend([format!("{root}/{job}"), format!("{root}/{job}/{group}"), format!("{root}/{job}/{group}/{task}")]);
        }
        Self { namespace: job.namespace.clone(), task: task.to_owned(), paths }
    }

    pub fn namespace(&self) -> &Name {
        &self.namespace
    }

    pub fn includes(&self, namespace: &str, path: &str) -> bool {
        *self.namespace == *namespace && self.paths.iter().any(|own| own == path)
    }

    /// Why it may not read another one, and what it may.
    pub fn refusal(&self, namespace: &str, path: &str) -> String {
        let elsewhere = if *self.namespace == *namespace { String::new() } else { format!(" of namespace {namespace:?}") };
        let own = self.paths.join(", ");
        format!(
            "task {:?} may not read variable {path:?}{elsewhere}: tasks read {own} in their own namespace ({:?})",
            self.task, &*self.namespace
        )
    }
}

/// A lock as the API writes it. Durations are texts like `15s`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariableLock {
    #[serde(rename = "TTL")]
    pub ttl: String,
    #[serde(rename = "LockDelay")]
    pub lock_delay: String,
    #[serde(rename = "ID")]
    pub id: String,
}

/// How a lock that is asked for shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockTerms {
    /// Random; whoever knows it is the holder. Empty when it is asked for: the servers draw one.
    pub id: String,
    /// How long it holds without being renewed.
    #[serde(with = "nanos")]
    pub ttl: Duration,
    /// How long after it has run out nobody else gets it.
    #[serde(with = "nanos")]
    pub delay: Duration,
}

/// A lock in the servers' state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLock {
    pub terms: LockTerms,
    pub renewed: UnixNanos,
}

impl StoredLock {
    pub fn is_held(&self, now: UnixNanos) -> bool {
        now < self.renewed.plus(self.terms.ttl)
    }

    /// Whether it has run out, but nobody else may have it yet.
    pub fn is_delaying(&self, now: UnixNanos) -> bool {
        !self.is_held(now) && now < self.renewed.plus(self.terms.ttl).plus(self.terms.delay)
    }

    pub fn view(&self) -> VariableLock {
        let LockTerms { id, ttl, delay } = &self.terms;
        VariableLock { ttl: format_duration(nanos_of(*ttl)), lock_delay: format_duration(nanos_of(*delay)), id: id.clone() }
    }
}

/// A variable in the servers' state: its items are encrypted under a key of the keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVariable {
    pub namespace: Name,
    pub path: Name,
    pub create_index: u64,
    pub modify_index: u64,
    pub create_time: UnixNanos,
    pub modify_time: UnixNanos,
    pub sealed: SealedItems,
    pub lock: Option<StoredLock>,
}

/// The encrypted items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedItems {
    pub key_id: KeyId,
    pub nonce: Vec<u8>,
    pub bytes: Vec<u8>,
}

impl StoredVariable {
    /// What may be shown without opening it.
    pub fn metadata(&self, now: UnixNanos) -> VariableMetadata {
        VariableMetadata {
            namespace: self.namespace.clone(),
            path: self.path.to_string(),
            create_index: self.create_index,
            modify_index: self.modify_index,
            create_time: self.create_time,
            modify_time: self.modify_time,
            lock: self.lock.as_ref().filter(|lock| lock.is_held(now)).map(StoredLock::view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_holds_then_delays_then_is_free() {
        let terms = LockTerms { id: "a".into(), ttl: Duration::from_secs(10), delay: Duration::from_secs(5) };
        let lock = StoredLock { terms, renewed: UnixNanos(100) };
        let at = |seconds| UnixNanos(100).plus(Duration::from_secs(seconds));
        for (seconds, held, delaying) in [(0, true, false), (9, true, false), (10, false, true), (14, false, true), (15, false, false)] {
            assert_eq!((lock.is_held(at(seconds)), lock.is_delaying(at(seconds))), (held, delaying), "{seconds}");
        }
        assert_eq!(lock.view().lock_delay, "5s");
    }
}
