//! What a [`Source`](crate::Source) answers with: plain data, shared between passes, known to nobody's wire format.

use std::collections::BTreeMap;
use std::fmt;

/// The value of a [`Dependency`](crate::Dependency).
#[derive(Clone, PartialEq)]
pub enum Data {
    /// `KvGet`; `None` while the key does not exist.
    Key(Option<Vec<u8>>),
    /// `KvList`, sorted by path, empty values included.
    Keys(Vec<KeyPair>),
    /// `Service`, already filtered by tag and health state.
    Service(Vec<HealthService>),
    /// `Services` and `NomadServices`, sorted by name.
    Services(Vec<ServiceName>),
    /// `Nodes`, sorted by name and address.
    Nodes(Vec<Node>),
    /// `Node`; `None` when there is no such node.
    Node(Option<NodeDetail>),
    /// `Datacenters` and `SecretList`.
    Names(Vec<String>),
    /// `CaRoots`.
    CaRoots(Vec<CaRoot>),
    /// `Partitions`, sorted by name.
    Partitions(Vec<Partition>),
    /// `Peerings`, sorted by partition and name.
    Peerings(Vec<Peering>),
    /// `ExportedServices`, sorted by namespace and name.
    ExportedServices(Vec<ExportedService>),
    /// `ImportedServices`, sorted by namespace and name.
    ImportedServices(Vec<ImportedService>),
    /// `CaLeaf`.
    CaLeaf(CaLeaf),
    /// `SecretRead` and `SecretWrite`; `None` while there is none, and for a write that answered nothing.
    Secret(Option<Secret>),
    /// `PkiCert`.
    Certificate(Certificate),
    /// `NomadVar`; `None` while it does not exist.
    Variable(Option<Variable>),
    /// `NomadVarList`, sorted by path.
    Variables(Vec<VariableMetadata>),
    /// `NomadService`.
    NomadService(Vec<NomadService>),
    /// `File`.
    File(Vec<u8>),
}

impl Data {
    /// The name of the variant: what may be logged.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Keys(_) => "keys",
            Self::Service(_) => "service",
            Self::Services(_) => "services",
            Self::Nodes(_) => "nodes",
            Self::Node(_) => "node",
            Self::Names(_) => "names",
            Self::CaRoots(_) => "ca roots",
            Self::Partitions(_) => "partitions",
            Self::Peerings(_) => "peerings",
            Self::ExportedServices(_) => "exported services",
            Self::ImportedServices(_) => "imported services",
            Self::CaLeaf(_) => "ca leaf",
            Self::Secret(_) => "secret",
            Self::Certificate(_) => "certificate",
            Self::Variable(_) => "variable",
            Self::Variables(_) => "variables",
            Self::NomadService(_) => "nomad service",
            Self::File(_) => "file",
        }
    }
}

impl fmt::Debug for Data {
    /// The kind alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data::{}(..)", self.kind())
    }
}

/// Hides a type's content from `{:?}`, because it holds secrets.
macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

opaque!(KeyPair, Secret, SecretAuth, WrapInfo, Certificate, Variable, CaLeaf);

/// A key of the key-value store with its value.
#[derive(Clone, Default, PartialEq)]
pub struct KeyPair {
    /// The whole path.
    pub path: String,
    pub value: Vec<u8>,
    pub create_index: u64,
    pub modify_index: u64,
    pub lock_index: u64,
    pub flags: u64,
    pub session: String,
}

/// One instance of a service with its health.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthService {
    pub node: String,
    pub node_id: String,
    pub node_address: String,
    pub node_datacenter: String,
    pub node_tagged_addresses: BTreeMap<String, String>,
    pub node_meta: BTreeMap<String, String>,
    pub service_meta: BTreeMap<String, String>,
    /// The service's address, else the node's.
    pub address: String,
    pub service_tagged_addresses: BTreeMap<String, (String, u16)>,
    pub id: String,
    pub name: String,
    /// Sorted.
    pub tags: Vec<String>,
    pub checks: Vec<Check>,
    /// `passing`, `warning`, `critical` or `maintenance`, over all checks.
    pub status: String,
    pub port: u16,
    pub weight_passing: i64,
    pub weight_warning: i64,
    pub namespace: String,
}

/// One health check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Check {
    pub node: String,
    pub id: String,
    pub name: String,
    pub status: String,
    pub notes: String,
    pub output: String,
    pub service_id: String,
    pub service_name: String,
    pub service_tags: Vec<String>,
    pub kind: String,
}

/// A service's name and all its tags.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceName {
    pub name: String,
    /// Sorted.
    pub tags: Vec<String>,
}

/// A node of the catalogue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    pub id: String,
    pub node: String,
    pub address: String,
    pub datacenter: String,
    pub tagged_addresses: BTreeMap<String, String>,
    pub meta: BTreeMap<String, String>,
}

/// A node with what runs on it, sorted by service and id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeDetail {
    pub node: Node,
    pub services: Vec<NodeService>,
}

/// A service on a node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeService {
    pub id: String,
    pub service: String,
    pub tags: Vec<String>,
    pub meta: BTreeMap<String, String>,
    pub port: u16,
    pub address: String,
    pub enable_tag_override: bool,
}

/// A root certificate of Connect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CaRoot {
    pub id: String,
    pub name: String,
    pub root_cert_pem: String,
    pub active: bool,
}

/// A Connect leaf certificate.
#[derive(Clone, Default, PartialEq)]
pub struct CaLeaf {
    pub cert_pem: String,
    pub private_key_pem: String,
    pub service: String,
    pub valid_after: String,
    pub valid_before: String,
}

/// An admin partition of Consul.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Partition {
    pub name: String,
    pub description: String,
}

/// A peering with another cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peering {
    pub id: String,
    pub name: String,
    pub partition: String,
    pub meta: BTreeMap<String, String>,
    /// `ACTIVE` and the like.
    pub state: String,
    pub peer_id: String,
    pub peer_server_name: String,
    pub peer_server_addresses: Vec<String>,
    pub imported_services: Vec<String>,
    pub exported_services: Vec<String>,
    pub create_index: u64,
    pub modify_index: u64,
    pub remote_partition: String,
    pub remote_datacenter: String,
}

/// A service that other partitions or clusters may use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExportedService {
    pub service: String,
    pub partition: String,
    pub namespace: String,
    /// Names of the clusters that may use it, sorted.
    pub peers: Vec<String>,
    /// Names of the partitions that may use it, sorted.
    pub partitions: Vec<String>,
}

/// A service of another partition or cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportedService {
    pub service: String,
    pub namespace: String,
    pub source_partition: String,
    pub source_peer: String,
}

/// What Vault answers. `data` keeps numbers as they were written.
#[derive(Clone, Default, PartialEq)]
pub struct Secret {
    pub request_id: String,
    pub lease_id: String,
    pub lease_duration: i64,
    pub renewable: bool,
    pub data: serde_json::Map<String, serde_json::Value>,
    pub warnings: Vec<String>,
    pub auth: Option<SecretAuth>,
    pub wrap_info: Option<WrapInfo>,
}

/// A token that came with a secret.
#[derive(Clone, Default, PartialEq)]
pub struct SecretAuth {
    pub client_token: String,
    pub accessor: String,
    pub policies: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub lease_duration: i64,
    pub renewable: bool,
}

/// A wrapped answer.
#[derive(Clone, Default, PartialEq)]
pub struct WrapInfo {
    pub token: String,
    pub ttl: i64,
    pub creation_time: String,
    pub wrapped_accessor: String,
}

/// A certificate in PEM form, each part ending in a newline.
#[derive(Clone, Default, PartialEq)]
pub struct Certificate {
    pub cert: String,
    /// Empty when the certificate came from a file that holds no key.
    pub key: String,
    /// The issuing CA.
    pub ca: String,
    pub ca_chain: Vec<String>,
}

/// A variable of the orchestrator.
#[derive(Clone, Default, PartialEq)]
pub struct Variable {
    pub metadata: VariableMetadata,
    pub items: BTreeMap<String, String>,
}

/// All of a variable but its items. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VariableMetadata {
    pub namespace: String,
    pub path: String,
    pub create_index: u64,
    pub modify_index: u64,
    pub create_time: i64,
    pub modify_time: i64,
}

/// An instance of a service that the orchestrator itself registers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NomadService {
    pub id: String,
    pub name: String,
    pub node: String,
    pub address: String,
    pub port: u16,
    pub datacenter: String,
    /// Sorted.
    pub tags: Vec<String>,
    pub job_id: String,
    pub alloc_id: String,
}
