//! Data to values: the names of the fields are what existing templates use.

use std::collections::BTreeMap;

use crate::data::{CaLeaf, CaRoot, Certificate, Check, Data, HealthService, KeyPair, Node, NodeDetail, NomadService, Secret};
use crate::go::object::record;
use crate::go::value::{Key, ListType, Text, Value};

mod federation;
mod variable;

pub(super) use federation::{exported_service, imported_service, partition, peering};
pub(super) use variable::{variable, variable_metadata};

pub(super) const HEALTH_SERVICES: &str = "[]*dependency.HealthService";

fn tags(tags: &[String]) -> Value {
    Value::list(ListType::Tags, tags.iter().map(Value::from).collect())
}

fn port(port: u16) -> Value {
    Value::int(port.into())
}

pub(super) fn key_pair(key: &str, pair: &KeyPair) -> Value {
    record(
        "*dependency.KeyPair",
        vec![
            ("Path", Value::from(&pair.path)),
            ("Key", Value::from(key)),
            ("Value", Value::from(pair.value.clone())),
            ("CreateIndex", Value::uint64(pair.create_index)),
            ("ModifyIndex", Value::uint64(pair.modify_index)),
            ("LockIndex", Value::uint64(pair.lock_index)),
            ("Flags", Value::uint64(pair.flags)),
            ("Session", Value::from(&pair.session)),
        ],
    )
}

pub(super) fn health_service(service: &HealthService) -> Value {
    let addresses = service.service_tagged_addresses.iter().map(|(name, (address, number))| {
        let value = record("api.ServiceAddress", vec![("Address", Value::from(address)), ("Port", port(*number))]);
        (Key::from(name.as_str()), value)
    });
    record(
        "*dependency.HealthService",
        vec![
            ("Node", Value::from(&service.node)),
            ("NodeID", Value::from(&service.node_id)),
            ("Kind", Value::from("")),
            ("NodeAddress", Value::from(&service.node_address)),
            ("NodeDatacenter", Value::from(&service.node_datacenter)),
            ("NodeTaggedAddresses", Value::string_map(&service.node_tagged_addresses)),
            ("NodeMeta", Value::string_map(&service.node_meta)),
            ("ServiceMeta", Value::string_map(&service.service_meta)),
            ("Address", Value::from(&service.address)),
            ("ServiceTaggedAddresses", Value::map(crate::go::value::MapType::Of("map[string]api.ServiceAddress"), addresses.collect())),
            ("ID", Value::from(&service.id)),
            ("Name", Value::from(&service.name)),
            ("Tags", tags(&service.tags)),
            ("Checks", Value::list(ListType::Of("api.HealthChecks"), service.checks.iter().map(check).collect())),
            ("Status", Value::from(&service.status)),
            ("Port", port(service.port)),
            (
                "Weights",
                record(
                    "api.AgentWeights",
                    vec![("Passing", Value::int(service.weight_passing)), ("Warning", Value::int(service.weight_warning))],
                ),
            ),
            ("Namespace", Value::from(&service.namespace)),
        ],
    )
}

fn check(check: &Check) -> Value {
    record(
        "*api.HealthCheck",
        vec![
            ("Node", Value::from(&check.node)),
            ("CheckID", Value::from(&check.id)),
            ("Name", Value::from(&check.name)),
            ("Status", Value::from(&check.status)),
            ("Notes", Value::from(&check.notes)),
            ("Output", Value::from(&check.output)),
            ("ServiceID", Value::from(&check.service_id)),
            ("ServiceName", Value::from(&check.service_name)),
            ("ServiceTags", Value::strings(&check.service_tags)),
            ("Type", Value::from(&check.kind)),
        ],
    )
}

/// `{Name, Tags}` of each service.
pub(super) fn service_names(of: &'static str, item: &'static str, data: Option<&Data>) -> Value {
    let items = match data {
        Some(Data::Services(found)) => {
            found.iter().map(|service| record(item, vec![("Name", Value::from(&service.name)), ("Tags", tags(&service.tags))])).collect()
        }
        _ => Vec::new(),
    };
    Value::list(ListType::Of(of), items)
}

pub(super) fn node(node: &Node) -> Value {
    record(
        "*dependency.Node",
        vec![
            ("ID", Value::from(&node.id)),
            ("Node", Value::from(&node.node)),
            ("Address", Value::from(&node.address)),
            ("Datacenter", Value::from(&node.datacenter)),
            ("TaggedAddresses", Value::string_map(&node.tagged_addresses)),
            ("Meta", Value::string_map(&node.meta)),
        ],
    )
}

pub(super) fn node_detail(detail: &NodeDetail) -> Value {
    let services = detail.services.iter().map(|service| {
        record(
            "*dependency.CatalogNodeService",
            vec![
                ("ID", Value::from(&service.id)),
                ("Service", Value::from(&service.service)),
                ("Tags", tags(&service.tags)),
                ("Meta", Value::string_map(&service.meta)),
                ("Port", port(service.port)),
                ("Address", Value::from(&service.address)),
                ("EnableTagOverride", Value::Bool(service.enable_tag_override)),
            ],
        )
    });
    record(
        "*dependency.CatalogNode",
        vec![("Node", node(&detail.node)), ("Services", Value::list(ListType::Of("[]*dependency.CatalogNodeService"), services.collect()))],
    )
}

pub(super) fn ca_root(root: &CaRoot) -> Value {
    record(
        "*api.CARoot",
        vec![
            ("ID", Value::from(&root.id)),
            ("Name", Value::from(&root.name)),
            ("RootCertPEM", Value::from(&root.root_cert_pem)),
            ("Active", Value::Bool(root.active)),
        ],
    )
}

pub(super) fn ca_leaf(leaf: &CaLeaf) -> Value {
    record(
        "*api.LeafCert",
        vec![
            ("CertPEM", Value::from(&leaf.cert_pem)),
            ("PrivateKeyPEM", Value::from(&leaf.private_key_pem)),
            ("Service", Value::from(&leaf.service)),
            ("ValidAfter", Value::from(&leaf.valid_after)),
            ("ValidBefore", Value::from(&leaf.valid_before)),
        ],
    )
}

pub(super) fn secret(secret: &Secret) -> Value {
    let auth = match &secret.auth {
        None => Value::NilPointer("*dependency.SecretAuth"),
        Some(auth) => record(
            "*dependency.SecretAuth",
            vec![
                ("ClientToken", Value::from(&auth.client_token)),
                ("Accessor", Value::from(&auth.accessor)),
                ("Policies", Value::strings(&auth.policies)),
                ("Metadata", Value::string_map(&auth.metadata)),
                ("LeaseDuration", Value::int(auth.lease_duration)),
                ("Renewable", Value::Bool(auth.renewable)),
            ],
        ),
    };
    let wrap_info = match &secret.wrap_info {
        None => Value::NilPointer("*dependency.SecretWrapInfo"),
        Some(info) => record(
            "*dependency.SecretWrapInfo",
            vec![
                ("Token", Value::from(&info.token)),
                ("TTL", Value::int(info.ttl)),
                ("CreationTime", Value::from(&info.creation_time)),
                ("WrappedAccessor", Value::from(&info.wrapped_accessor)),
            ],
        ),
    };
    let data = secret.data.iter().map(|(key, value)| (Key::from(key.as_str()), json(value))).collect();
    record(
        "*dependency.Secret",
        vec![
            ("RequestID", Value::from(&secret.request_id)),
            ("LeaseID", Value::from(&secret.lease_id)),
            ("LeaseDuration", Value::int(secret.lease_duration)),
            ("Renewable", Value::Bool(secret.renewable)),
            ("Data", Value::any_map(data)),
            ("Warnings", Value::strings(&secret.warnings)),
            ("Auth", auth),
            ("WrapInfo", wrap_info),
        ],
    )
}

/// A secret's data: numbers stay as they were written.
fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(Text::from(number.to_string())),
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => Value::any_list(items.iter().map(json).collect()),
        serde_json::Value::Object(entries) => {
            let entries: BTreeMap<_, _> = entries.iter().map(|(key, value)| (Key::from(key.as_str()), json(value))).collect();
            Value::any_map(entries)
        }
    }
}

/// The parts are there directly and below `.Data`.
pub(super) fn certificate(certificate: &Certificate) -> Value {
    let fields = vec![
        ("Cert", Value::from(&certificate.cert)),
        ("Key", Value::from(&certificate.key)),
        ("CA", Value::from(&certificate.ca)),
        ("CAChain", Value::strings(&certificate.ca_chain)),
    ];
    let mut outer = fields.clone();
    outer.push(("Data", record("dependency.PemEncoded", fields)));
    record("dependency.PemEncoded", outer)
}

pub(super) fn nomad_service(service: &NomadService) -> Value {
    record(
        "*dependency.NomadService",
        vec![
            ("ID", Value::from(&service.id)),
            ("Name", Value::from(&service.name)),
            ("Node", Value::from(&service.node)),
            ("Address", Value::from(&service.address)),
            ("Port", port(service.port)),
            ("Datacenter", Value::from(&service.datacenter)),
            ("Tags", tags(&service.tags)),
            ("JobID", Value::from(&service.job_id)),
            ("AllocID", Value::from(&service.alloc_id)),
        ],
    )
}
