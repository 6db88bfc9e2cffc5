//! The integrations' types as the renderer knows them.

use std::sync::Arc;

use drover_integrations::{
    Error, Secret,
    catalogue::{CheckEntry, ExportedService, ImportedService, Instance, MeshLeaf, MeshRoot, Node, NodeServices, Partition, Peering},
    certificate::Certificate,
};
use drover_model::{
    kv::KvEntry,
    rpc,
    service::{CheckStatus, ServiceRegistration},
    variable::{Variable, VariableMetadata},
};
use drover_template::data;

use crate::rendezvous;

/// A refusal of the servers, in the words of a neighbour.
pub(super) fn refusal(call: &str, error: &rpc::Error) -> Error {
    if error.is_unavailable() {
        return Error::Unreachable { peer: "the servers".to_owned(), call: call.to_owned(), reason: error.message.clone() };
    }
    Error::Refused { peer: "the servers".to_owned(), call: call.to_owned(), status: error.status, message: error.message.clone() }
}

pub(super) fn key_pair(entry: KvEntry) -> data::KeyPair {
    data::KeyPair {
        path: entry.key,
        value: entry.value,
        create_index: entry.create_index,
        modify_index: entry.modify_index,
        lock_index: entry.lock_index,
        flags: entry.flags,
        session: String::new(),
    }
}

fn status_word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Passing => "passing",
        CheckStatus::Warning => "warning",
        CheckStatus::Critical => "critical",
    }
}

/// Those whose state is wanted.
pub(super) fn health_services(instances: Vec<Instance>, filters: &[String]) -> Vec<data::HealthService> {
    let is_wanted = |status: &str| filters.iter().any(|filter| filter == "any" || filter == status);
    instances.into_iter().map(health_service).filter(|service| is_wanted(&service.status)).collect()
}

fn health_service(instance: Instance) -> data::HealthService {
    let status = if instance.in_maintenance() { "maintenance" } else { status_word(instance.status()) };
    let address = instance.address().to_owned();
    let Instance { node, service, checks } = instance;
    let mut tags = service.tags;
    tags.sort();
    data::HealthService {
        node: node.node,
        node_id: node.id,
        node_address: node.address,
        node_datacenter: node.datacenter,
        node_tagged_addresses: node.tagged_addresses,
        node_meta: node.meta,
        service_meta: service.meta,
        address,
        service_tagged_addresses: service
            .tagged_addresses
            .into_iter()
            .map(|(name, tagged)| (name, (tagged.address, tagged.port)))
            .collect(),
        id: service.id,
        name: service.service,
        tags,
        checks: checks.into_iter().map(check).collect(),
        status: status.to_owned(),
        port: service.port,
        weight_passing: service.weights.passing,
        weight_warning: service.weights.warning,
        namespace: service.namespace,
    }
}

fn check(entry: CheckEntry) -> data::Check {
    data::Check {
        node: entry.node,
        id: entry.check_id,
        name: entry.name,
        status: status_word(entry.status).to_owned(),
        notes: entry.notes,
        output: entry.output,
        service_id: entry.service_id,
        service_name: entry.service_name,
        service_tags: entry.service_tags,
        kind: entry.kind,
    }
}

pub(super) fn service_names(names: impl Iterator<Item = (String, Vec<String>)>) -> Vec<data::ServiceName> {
    let mut sorted: Vec<_> = names
        .map(|(name, mut tags)| {
            tags.sort();
            data::ServiceName { name, tags }
        })
        .collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

pub(super) fn node(node: Node) -> data::Node {
    let Node { id, node, address, datacenter, tagged_addresses, meta } = node;
    data::Node { id, node, address, datacenter, tagged_addresses, meta }
}

fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort();
    tags
}

pub(super) fn node_detail(found: NodeServices) -> data::NodeDetail {
    let services = found.services.into_iter().map(|service| data::NodeService {
        id: service.id,
        service: service.service,
        tags: sorted(service.tags),
        meta: service.meta,
        port: service.port,
        address: service.address,
        enable_tag_override: service.enable_tag_override,
    });
    data::NodeDetail { services: services.collect(), node: node(found.node) }
}

pub(super) fn ca_root(root: MeshRoot) -> data::CaRoot {
    let MeshRoot { id, name, root_cert_pem, active } = root;
    data::CaRoot { id, name, root_cert_pem, active }
}

pub(super) fn partition(found: Partition) -> data::Partition {
    let Partition { name, description } = found;
    data::Partition { name, description }
}

pub(super) fn peering(found: Peering) -> data::Peering {
    data::Peering {
        id: found.id,
        name: found.name,
        partition: found.partition,
        meta: found.meta,
        state: found.state,
        peer_id: found.peer_id,
        peer_server_name: found.peer_server_name,
        peer_server_addresses: found.peer_server_addresses,
        imported_services: found.stream_status.imported_services,
        exported_services: found.stream_status.exported_services,
        create_index: found.create_index,
        modify_index: found.modify_index,
        remote_partition: found.remote.partition,
        remote_datacenter: found.remote.datacenter,
    }
}

pub(super) fn exported_service(found: ExportedService) -> data::ExportedService {
    let ExportedService { service, partition, namespace, consumers } = found;
    data::ExportedService { service, partition, namespace, peers: consumers.peers, partitions: consumers.partitions }
}

pub(super) fn imported_service(found: ImportedService) -> data::ImportedService {
    let ImportedService { service, namespace, source_partition, source_peer } = found;
    data::ImportedService { service, namespace, source_partition, source_peer }
}

pub(super) fn ca_leaf(leaf: MeshLeaf) -> data::CaLeaf {
    data::CaLeaf {
        cert_pem: leaf.cert_pem,
        private_key_pem: leaf.private_key_pem.expose().to_owned(),
        service: leaf.service,
        valid_after: leaf.valid_after,
        valid_before: leaf.valid_before,
    }
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn secret(secret: Secret) -> data::Secret {
    data::Secret {
        request_id: secret.request_id,
        lease_id: secret.lease_id,
        lease_duration: seconds(secret.lease.duration),
        renewable: secret.lease.renewable,
        data: secret.data,
        warnings: secret.warnings,
        auth: secret.auth.map(|auth| data::SecretAuth {
            client_token: auth.token.expose().to_owned(),
            accessor: auth.accessor,
            policies: auth.policies,
            metadata: auth.metadata,
            lease_duration: seconds(auth.lease.duration),
            renewable: auth.lease.renewable,
        }),
        wrap_info: secret.wrap.map(|wrap| data::WrapInfo {
            token: wrap.token.expose().to_owned(),
            ttl: seconds(wrap.ttl),
            creation_time: wrap.creation_time,
            wrapped_accessor: wrap.wrapped_accessor,
        }),
    }
}

pub(super) fn certificate(issued: &Certificate) -> data::Certificate {
    data::Certificate {
        cert: issued.certificate_pem.clone(),
        key: issued.private_key_pem.expose().to_owned(),
        ca: issued.issuing_ca_pem.clone(),
        ca_chain: issued.ca_chain_pem.clone(),
    }
}

pub(super) fn variable(variable: Variable) -> data::Variable {
    let items = variable.items.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
    data::Variable { metadata: variable_metadata(variable.metadata), items }
}

pub(super) fn variable_metadata(metadata: VariableMetadata) -> data::VariableMetadata {
    data::VariableMetadata {
        namespace: metadata.namespace.to_string(),
        path: metadata.path,
        create_index: metadata.create_index,
        modify_index: metadata.modify_index,
        create_time: metadata.create_time.0,
        modify_time: metadata.modify_time.0,
    }
}

/// Those with the tag; of them the chosen few.
pub(super) fn nomad_service(
    found: &[Arc<ServiceRegistration>],
    tag: Option<&str>,
    choose: Option<&(u32, String)>,
) -> Vec<data::NomadService> {
    let mut wanted: Vec<&Arc<ServiceRegistration>> =
        found.iter().filter(|row| tag.is_none_or(|tag| row.tags.iter().any(|own| own == tag))).collect();
    if let Some((count, key)) = choose {
        rendezvous::choose(&mut wanted, *count as usize, key, |row| &row.id);
    }
    let service = |row: &Arc<ServiceRegistration>| {
        let mut tags = row.tags.0.clone();
        tags.sort();
        data::NomadService {
            id: row.id.clone(),
            name: row.service_name.to_string(),
            node: row.node_id.to_string(),
            address: row.address.clone(),
            port: row.port,
            datacenter: row.datacenter.clone(),
            tags,
            job_id: row.job_id.to_string(),
            alloc_id: row.alloc_id.to_string(),
        }
    };
    wanted.into_iter().map(service).collect()
}
