//! Data of a file of cases, as answers to dependencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_template::data::{
    Certificate, ExportedService, HealthService, ImportedService, KeyPair, NomadService, Partition, Peering, Secret, ServiceName, Variable,
    VariableMetadata,
};
use drover_template::{Data, Dependency};
use serde_json::Value;

/// What the outside holds.
pub(crate) struct Fixture {
    keys: BTreeMap<String, String>,
    services: Vec<HealthService>,
    secrets: BTreeMap<String, Value>,
    variables: BTreeMap<String, BTreeMap<String, String>>,
    files: BTreeMap<String, String>,
    federation: Value,
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn service(value: &Value) -> HealthService {
    HealthService {
        id: word(value, "id"),
        name: word(value, "name"),
        node: word(value, "node"),
        address: word(value, "address"),
        status: "passing".to_owned(),
        port: u16::try_from(value["port"].as_u64().unwrap()).unwrap(),
        tags: value["tags"].as_array().into_iter().flatten().map(|tag| tag.as_str().unwrap().to_owned()).collect(),
        service_meta: texts(&value["meta"]),
        ..HealthService::default()
    }
}

impl Fixture {
    pub(crate) fn new(data: &Value) -> Self {
        let variables = data["variables"].as_object().into_iter().flatten();
        Self {
            keys: texts(&data["keys"]),
            services: data["services"].as_array().into_iter().flatten().map(service).collect(),
            secrets: data["secrets"].as_object().into_iter().flatten().map(|(path, value)| (path.clone(), value.clone())).collect(),
            variables: variables.map(|(path, items)| (path.clone(), texts(items))).collect(),
            files: texts(&data["files"]),
            federation: data["federation"].clone(),
        }
    }

    /// The answer of a source that has all there is; `None` waits for ever.
    pub(crate) fn answer(&self, dependency: &Dependency) -> Option<Arc<Data>> {
        let data = match dependency {
            Dependency::KvGet { key, .. } => Data::Key(self.keys.get(key).map(|value| value.clone().into_bytes())),
            Dependency::KvList { prefix, .. } => {
                let below = self.keys.iter().filter(|(path, _)| path.starts_with(prefix));
                Data::Keys(
                    below.map(|(path, value)| KeyPair { path: path.clone(), value: value.clone().into(), ..KeyPair::default() }).collect(),
                )
            }
            Dependency::Service { name, tag, .. } => {
                let fits = |service: &&HealthService| service.name == *name && tag.as_ref().is_none_or(|tag| service.tags.contains(tag));
                Data::Service(self.services.iter().filter(fits).cloned().collect())
            }
            Dependency::Services { .. } => {
                let names: BTreeMap<&str, &HealthService> = self.services.iter().map(|service| (service.name.as_str(), service)).collect();
                Data::Services(
                    names.values().map(|service| ServiceName { name: service.name.clone(), tags: service.tags.clone() }).collect(),
                )
            }
            Dependency::Partitions
            | Dependency::Peerings { .. }
            | Dependency::ExportedServices { .. }
            | Dependency::ImportedServices { .. } => self.federation(dependency)?,
            Dependency::SecretRead { path, .. } | Dependency::SecretWrite { path, .. } => {
                let data = self.secrets.get(path)?.as_object().unwrap().clone();
                Data::Secret(Some(Secret { data, ..Secret::default() }))
            }
            Dependency::SecretList { .. } => Data::Names(self.secrets.keys().cloned().collect()),
            Dependency::PkiCert { data, .. } => Data::Certificate(Certificate {
                cert: format!("cert of {}\n", data.get("common_name")?),
                key: "key\n".to_owned(),
                ca: "ca\n".to_owned(),
                ca_chain: vec!["ca\n".to_owned()],
            }),
            Dependency::NomadVar { path, .. } => Data::Variable(self.variables.get(path).map(|items| Variable {
                metadata: VariableMetadata { path: path.clone(), namespace: "default".to_owned(), ..VariableMetadata::default() },
                items: items.clone(),
            })),
            Dependency::NomadVarList { prefix, .. } => {
                let paths = self.variables.keys().filter(|path| path.starts_with(prefix));
                Data::Variables(paths.map(|path| VariableMetadata { path: path.clone(), ..VariableMetadata::default() }).collect())
            }
            Dependency::NomadService { name, .. } => {
                let found = self.services.iter().filter(|service| service.name == *name);
                Data::NomadService(
                    found.map(|service| NomadService { id: service.id.clone(), port: service.port, ..NomadService::default() }).collect(),
                )
            }
            Dependency::File { path } => Data::File(self.files.get(path)?.clone().into_bytes()),
            _ => return None,
        };
        Some(Arc::new(data))
    }

    fn federation(&self, dependency: &Dependency) -> Option<Data> {
        let of = |list: &str| self.federation[list].as_array().cloned();
        Some(match dependency {
            Dependency::Partitions => {
                let partition = |found: &Value| Partition { name: word(found, "name"), description: word(found, "description") };
                Data::Partitions(of("partitions")?.iter().map(partition).collect())
            }
            Dependency::Peerings { scope } => {
                let peering = |found: &Value| Peering {
                    name: word(found, "name"),
                    state: word(found, "state"),
                    remote_datacenter: word(found, "datacenter"),
                    partition: scope.partition.clone().unwrap_or_default(),
                    ..Peering::default()
                };
                Data::Peerings(of("peerings")?.iter().map(peering).collect())
            }
            Dependency::ExportedServices { scope } => {
                let exported = |found: &Value| ExportedService {
                    service: word(found, "service"),
                    partition: scope.partition.clone().unwrap_or_default(),
                    peers: found["peers"].as_array().into_iter().flatten().map(|peer| peer.as_str().unwrap().to_owned()).collect(),
                    ..ExportedService::default()
                };
                Data::ExportedServices(of("exported")?.iter().map(exported).collect())
            }
            _ => {
                let imported = |found: &Value| ImportedService {
                    service: word(found, "service"),
                    source_partition: word(found, "partition"),
                    ..ImportedService::default()
                };
                Data::ImportedServices(of("imported")?.iter().map(imported).collect())
            }
        })
    }
}
