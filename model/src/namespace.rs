//! What divides a cluster: namespaces (of jobs) and node pools (of nodes).

use serde::{Deserialize, Serialize};

use crate::json::{List, Map};

/// The namespace that is always there.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The pool of nodes that name none.
pub const DEFAULT_POOL: &str = "default";
/// The pool that every node is in.
pub const ALL_POOL: &str = "all";

/// A namespace, as it is kept and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Namespace {
    pub name: String,
    pub description: String,
    pub meta: Map<String>,
    /// The quota that counts for it; empty: none.
    pub quota: String,
    /// Tells two contents apart.
    pub hash: String,
    pub capabilities: Option<NamespaceCapabilities>,
    pub node_pool_configuration: Option<Choice>,
    pub vault_configuration: Option<Choice>,
    pub consul_configuration: Option<Choice>,
    pub required_extra_claims: Option<List<String>>,
    pub optional_extra_claims: Option<List<String>>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// What jobs of a namespace may use. An empty list of what is enabled enables everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NamespaceCapabilities {
    pub enabled_task_drivers: List<String>,
    pub disabled_task_drivers: List<String>,
    pub enabled_network_modes: List<String>,
    pub disabled_network_modes: List<String>,
}

/// Which of several (node pools, Vault or Consul clusters) jobs of a namespace may name, and which they get who name none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Choice {
    pub default: String,
    /// Empty: all but those denied.
    pub allowed: List<String>,
    pub denied: List<String>,
}

impl Choice {
    pub fn allows(&self, name: &str) -> bool {
        let named = |list: &List<String>| list.iter().any(|one| one == name);
        name == self.default || (if self.allowed.is_empty() { !named(&self.denied) } else { named(&self.allowed) })
    }
}

impl NamespaceCapabilities {
    pub fn allows_driver(&self, driver: &str) -> bool {
        allows(&self.enabled_task_drivers, &self.disabled_task_drivers, driver)
    }

    pub fn allows_network_mode(&self, mode: &str) -> bool {
        allows(&self.enabled_network_modes, &self.disabled_network_modes, mode)
    }
}

/// What is disabled is so even when it is enabled too.
fn allows(enabled: &[String], disabled: &[String], name: &str) -> bool {
    let named = |list: &[String]| list.iter().any(|one| one == name);
    (enabled.is_empty() || named(enabled)) && !named(disabled)
}

/// A node pool, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodePool {
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Description")]
    pub description: String,
    #[serde(rename = "Hash")]
    pub hash: Option<String>,
    #[serde(rename = "Meta")]
    pub meta: Map<String>,
    /// Nanoseconds.
    #[serde(rename = "NodeIdentityTTL")]
    pub node_identity_ttl: i64,
    #[serde(rename = "SchedulerConfiguration")]
    pub scheduler_configuration: Option<PoolScheduling>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
}

/// How the jobs of a pool are scheduled, where that is said for the pool and not left to what holds for the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PoolScheduling {
    pub scheduler_algorithm: PoolAlgorithm,
    pub memory_oversubscription_enabled: Option<bool>,
}

/// Whether the nodes of a pool are filled up one after another or evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolAlgorithm {
    /// As the cluster's.
    #[default]
    #[serde(rename = "")]
    Inherited,
    #[serde(rename = "binpack")]
    Binpack,
    #[serde(rename = "spread")]
    Spread,
}

/// How long a node's identity is good for where its pool does not say: a day, in nanoseconds.
const NODE_IDENTITY_TTL: i64 = 86_400_000_000_000;

impl Default for NodePool {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            hash: None,
            meta: Map::default(),
            node_identity_ttl: NODE_IDENTITY_TTL,
            scheduler_configuration: None,
            create_index: 0,
            modify_index: 0,
        }
    }
}

impl Namespace {
    /// The one that is always there, as long as nobody has changed it.
    pub fn built_in() -> Self {
        Self {
            name: DEFAULT_NAMESPACE.to_owned(),
            description: "Default shared namespace".to_owned(),
            create_index: 1,
            modify_index: 1,
            ..Self::default()
        }
    }
}

impl NodePool {
    /// Those that are always there and cannot be changed.
    pub fn built_in() -> [Self; 2] {
        let pool = |name: &str, description: &str| Self {
            name: name.to_owned(),
            description: description.to_owned(),
            create_index: 1,
            modify_index: 1,
            ..Self::default()
        };
        [pool(ALL_POOL, "Node pool with all nodes in the cluster."), pool(DEFAULT_POOL, "Default node pool.")]
    }

    pub fn is_built_in(name: &str) -> bool {
        matches!(name, ALL_POOL | DEFAULT_POOL)
    }
}

/// The longest name and description.
const MOST_NAME: usize = 128;
const MOST_DESCRIPTION: usize = 256;

/// Why a namespace or node pool may not be called or described so.
pub fn check(what: &str, name: &str, description: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(fits) {
        return Err(format!("invalid {what} name {name:?}: must match regex ^[a-zA-Z0-9-_]{{1,{MOST_NAME}}}$"));
    }
    if description.len() > MOST_DESCRIPTION {
        return Err(format!("description longer than {MOST_DESCRIPTION}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_named() {
        let list = |text: &str| -> List<String> { List(text.split_whitespace().map(str::to_owned).collect()) };
        for (enabled, disabled, name, want) in [
            ("", "", "docker", true),
            ("", "docker", "docker", false),
            ("raw_exec", "", "docker", false),
            ("raw_exec docker", "docker", "docker", false),
            ("raw_exec", "docker", "raw_exec", true),
        ] {
            let rules = NamespaceCapabilities {
                enabled_task_drivers: list(enabled),
                disabled_task_drivers: list(disabled),
                ..NamespaceCapabilities::default()
            };
            assert_eq!(rules.allows_driver(name), want, "{name} of {enabled:?} without {disabled:?}");
        }
        for (default, allowed, denied, name, want) in [
            ("a", "", "", "b", true),
            ("a", "b", "", "a", true),
            ("a", "b", "", "c", false),
            ("a", "", "c", "c", false),
            ("a", "", "c", "b", true),
        ] {
            let choice = Choice { default: default.to_owned(), allowed: list(allowed), denied: list(denied) };
            assert_eq!(choice.allows(name), want, "{name}");
        }
    }

    #[test]
    fn names_are_plain() {
        for (name, want) in [("team-a_1", true), ("", false), ("a/b", false), ("ü", false), ("a b", false)] {
            assert_eq!(check("namespace", name, "").is_ok(), want, "{name:?}");
        }
        assert!(check("namespace", &"a".repeat(129), "").is_err() && check("namespace", "a", &"d".repeat(257)).is_err());
    }
}
