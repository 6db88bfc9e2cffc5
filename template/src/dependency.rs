//! What a template can ask for. Equal dependencies share one watcher and one value.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

mod query;

pub use query::QueryError;
pub(crate) use query::{kv_path, pairs, secret_path};
pub(crate) use query::{node_name, nomad_service, nomad_variable, nomad_variable_list, partition_scope, plain_scope, service_query};

/// Where in Consul a question is asked; all absent means the agent's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub datacenter: Option<String>,
    pub namespace: Option<String>,
    pub partition: Option<String>,
    pub peer: Option<String>,
    pub sameness_group: Option<String>,
    /// Sort by distance from this node (`_agent` for the local one).
    pub near: Option<String>,
}

/// One thing that templates read. Its text form appears in events (`Missing: kv.block(app/flag)`), and never shows what is sent to Vault.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    /// One key of the key-value store -> [`Data::Key`](crate::Data::Key).
    KvGet { key: String, scope: Scope },
    /// All keys under a prefix, in order -> [`Data::Keys`](crate::Data::Keys).
    KvList { prefix: String, scope: Scope },
    /// Instances of a service; `filters` are health states (`any passing warning critical maintenance`) -> [`Data::Service`](crate::Data::Service).
    Service { name: String, tag: Option<String>, filters: Vec<String>, scope: Scope, connect: bool },
    /// Names and tags of all services -> [`Data::Services`](crate::Data::Services).
    Services { scope: Scope },
    /// All nodes -> [`Data::Nodes`](crate::Data::Nodes).
    Nodes { scope: Scope },
    /// One node with its services; no name means the local agent's -> [`Data::Node`](crate::Data::Node).
    Node { name: Option<String>, scope: Scope },
    /// Names of datacenters -> [`Data::Names`](crate::Data::Names).
    Datacenters { ignore_failing: bool },
    /// The roots of Connect's CA -> [`Data::CaRoots`](crate::Data::CaRoots).
    CaRoots,
    /// A Connect leaf certificate -> [`Data::CaLeaf`](crate::Data::CaLeaf).
    CaLeaf { service: String },
    /// Consul's admin partitions -> [`Data::Partitions`](crate::Data::Partitions).
    Partitions,
    /// Consul's peerings with other clusters, of one partition -> [`Data::Peerings`](crate::Data::Peerings).
    Peerings { scope: Scope },
    /// What a partition lets others use -> [`Data::ExportedServices`](crate::Data::ExportedServices).
    ExportedServices { scope: Scope },
    /// What a partition may use of others -> [`Data::ImportedServices`](crate::Data::ImportedServices).
    ImportedServices { scope: Scope },
    /// A secret, read -> [`Data::Secret`](crate::Data::Secret). `path` is as written, without slashes around it.
    SecretRead { path: String, version: Option<String> },
    /// A secret, by writing `data` -> [`Data::Secret`](crate::Data::Secret).
    SecretWrite { path: String, data: BTreeMap<String, String> },
    /// Names under a path -> [`Data::Names`](crate::Data::Names).
    SecretList { path: String },
    /// A certificate with its key -> [`Data::Certificate`](crate::Data::Certificate).
    PkiCert { path: String, data: BTreeMap<String, String> },
    /// A variable of the orchestrator -> [`Data::Variable`](crate::Data::Variable). No namespace means the task's.
    NomadVar { path: String, namespace: Option<String>, region: Option<String> },
    /// Variables under a prefix -> [`Data::Variables`](crate::Data::Variables).
    NomadVarList { prefix: String, namespace: Option<String>, region: Option<String> },
    /// Instances of a service that the orchestrator itself registers -> [`Data::NomadService`](crate::Data::NomadService).
    /// `choose` = how many, by which key, through rendezvous hashing.
    NomadService { name: String, tag: Option<String>, region: Option<String>, choose: Option<(u32, String)> },
    /// Names and tags of those services -> [`Data::Services`](crate::Data::Services).
    NomadServices { region: Option<String> },
    /// A file's content -> [`Data::File`](crate::Data::File). The source confines the path.
    File { path: String },
}

impl Dependency {
    /// True for data that must appear in no message.
    pub fn is_secret(&self) -> bool {
        matches!(
            self,
            Self::SecretRead { .. } | Self::SecretWrite { .. } | Self::PkiCert { .. } | Self::NomadVar { .. } | Self::CaLeaf { .. }
        )
    }
}

impl fmt::Debug for Dependency {
    /// The text form, so that a log line cannot show what is sent to Vault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KvGet { key, scope } => write!(f, "kv.block({key}{scope})"),
            Self::KvList { prefix, scope } => write!(f, "kv.list({prefix}{scope})"),
            Self::Service { name, tag, filters, scope, connect } => write_service(f, name, tag.as_deref(), filters, scope, *connect),
            Self::Services { scope } => write!(f, "catalog.services{}", Bracketed(&scope.to_string())),
            Self::Nodes { scope } => write!(f, "catalog.nodes{}", Bracketed(&scope.to_string())),
            Self::Node { name, scope } => {
                write!(f, "catalog.node{}", Bracketed(&format!("{}{scope}", name.as_deref().unwrap_or_default())))
            }
            Self::Datacenters { .. } => f.write_str("catalog.datacenters"),
            Self::CaRoots => f.write_str("connect.caroots"),
            Self::CaLeaf { service } => write!(f, "connect.caleaf({service})"),
            Self::Partitions => f.write_str("list.partitions"),
            Self::Peerings { scope } => write!(f, "list.peerings{}", Bracketed(&scope.to_string())),
            Self::ExportedServices { scope } => write!(f, "list.exported-services{}", Bracketed(&scope.to_string())),
            Self::ImportedServices { scope } => write!(f, "list.imported-services{}", Bracketed(&scope.to_string())),
            Self::SecretRead { path, version: None } => write!(f, "vault.read({path})"),
            Self::SecretRead { path, version: Some(version) } => write!(f, "vault.read({path}.v{version})"),
            Self::SecretWrite { path, data } => write!(f, "vault.write({path} -> {})", fingerprint(data)),
            Self::SecretList { path } => write!(f, "vault.list({path})"),
            Self::PkiCert { path, data } => write!(f, "vault.pki({path} -> {})", fingerprint(data)),
            Self::NomadVar { path, namespace, region } => {
                write!(f, "nomad.var.block({path}{})", Place(namespace.as_deref(), region.as_deref()))
            }
            Self::NomadVarList { prefix, namespace, region } => {
                write!(f, "nomad.var.list({prefix}{})", Place(namespace.as_deref(), region.as_deref()))
            }
            Self::NomadService { name, tag, region, choose } => {
                write!(f, "nomad.service(")?;
                tag.as_deref().map_or(Ok(()), |tag| write!(f, "{tag}."))?;
                write!(f, "{name}")?;
                region.as_deref().map_or(Ok(()), |region| write!(f, "@{region}"))?;
                choose.as_ref().map_or(Ok(()), |(count, key)| write!(f, "[{count}:{key}]"))?;
                f.write_str(")")
            }
            Self::NomadServices { region } => {
                write!(f, "nomad.services{}", Bracketed(&region.as_deref().map(|region| format!("@{region}")).unwrap_or_default()))
            }
            Self::File { path } => write!(f, "file({path})"),
        }
    }
}

impl fmt::Display for Scope {
    /// In the order of the query grammar: `?query@datacenter~near`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = '?';
        for (name, value) in
            [("ns", &self.namespace), ("partition", &self.partition), ("peer", &self.peer), ("sameness-group", &self.sameness_group)]
        {
            if let Some(value) = value {
                write!(f, "{separator}{name}={value}")?;
                separator = '&';
            }
        }
        self.datacenter.as_deref().map_or(Ok(()), |datacenter| write!(f, "@{datacenter}"))?;
        self.near.as_deref().map_or(Ok(()), |near| write!(f, "~{near}"))
    }
}

fn write_service(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    tag: Option<&str>,
    filters: &[String],
    scope: &Scope,
    connect: bool,
) -> fmt::Result {
    f.write_str(if connect { "health.connect(" } else { "health.service(" })?;
    tag.map_or(Ok(()), |tag| write!(f, "{tag}."))?;
    write!(f, "{name}{scope}")?;
    if !filters.is_empty() {
        write!(f, "|{}", filters.join(","))?;
    }
    f.write_str(")")
}

/// Tells two writes apart without showing what is written.
fn fingerprint(data: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    for (key, value) in data {
        for part in [key, value] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
    }
    digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// `(text)`, or nothing for an empty text.
struct Bracketed<'a>(&'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "({})", self.0) }
    }
}

/// `@namespace.region`, as far as given.
struct Place<'a>(Option<&'a str>, Option<&'a str>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (None, None) => Ok(()),
            (Some(namespace), None) => write!(f, "@{namespace}"),
            (namespace, Some(region)) => write!(f, "@{}.{region}", namespace.unwrap_or("default")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_what_events_show_and_hides_what_is_written() {
        let none = Scope::default;
        let data = || BTreeMap::from([("password".to_owned(), "hunter2".to_owned())]);
        for (dependency, want) in [
            (Dependency::KvGet { key: "nl/m1".into(), scope: none() }, "kv.block(nl/m1)"),
            (Dependency::KvList { prefix: "a".into(), scope: Scope { datacenter: Some("dc2".into()), ..none() } }, "kv.list(a@dc2)"),
            (
                Dependency::Service {
                    name: "web".into(),
                    tag: Some("v1".into()),
                    filters: vec!["any".into()],
                    scope: none(),
                    connect: false,
                },
                "health.service(v1.web|any)",
            ),
            (Dependency::Services { scope: none() }, "catalog.services"),
            (Dependency::SecretRead { path: "secret/a".into(), version: None }, "vault.read(secret/a)"),
            (
                Dependency::NomadVar { path: "a".into(), namespace: Some("ns".into()), region: Some("global".into()) },
                "nomad.var.block(a@ns.global)",
            ),
        ] {
            assert_eq!(dependency.to_string(), want);
        }
        let write = Dependency::SecretWrite { path: "p".into(), data: data() };
        assert!(!format!("{write} {write:?}").contains("hunter2"));
        assert_ne!(write.to_string(), Dependency::SecretWrite { path: "p".into(), data: BTreeMap::new() }.to_string());
    }
}
