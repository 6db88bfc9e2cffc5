//! Partitions, peerings, and the services that cross them.

use crate::data::{ExportedService, ImportedService, Partition, Peering};
use crate::go::object::record;
use crate::go::value::Value;

pub(in crate::functions) fn partition(partition: &Partition) -> Value {
    record("*dependency.Partition", vec![("Name", Value::from(&partition.name)), ("Description", Value::from(&partition.description))])
}

pub(in crate::functions) fn peering(peering: &Peering) -> Value {
    let stream = vec![
        ("ImportedServices", Value::strings(&peering.imported_services)),
        ("ExportedServices", Value::strings(&peering.exported_services)),
    ];
    let remote = vec![("Partition", Value::from(&peering.remote_partition)), ("Datacenter", Value::from(&peering.remote_datacenter))];
    record(
        "*dependency.Peering",
        vec![
            ("ID", Value::from(&peering.id)),
            ("Name", Value::from(&peering.name)),
            ("Partition", Value::from(&peering.partition)),
            ("Meta", Value::string_map(&peering.meta)),
            ("State", Value::from(&peering.state)),
            ("PeerID", Value::from(&peering.peer_id)),
            ("PeerServerName", Value::from(&peering.peer_server_name)),
            ("PeerServerAddresses", Value::strings(&peering.peer_server_addresses)),
            ("StreamStatus", record("dependency.PeeringStreamStatus", stream)),
            ("CreateIndex", Value::uint64(peering.create_index)),
            ("ModifyIndex", Value::uint64(peering.modify_index)),
            ("Remote", record("dependency.PeeringRemoteInfo", remote)),
        ],
    )
}

pub(in crate::functions) fn exported_service(service: &ExportedService) -> Value {
    let consumers = vec![("Peers", Value::strings(&service.peers)), ("Partitions", Value::strings(&service.partitions))];
    record(
        "dependency.ExportedService",
        vec![
            ("Service", Value::from(&service.service)),
            ("Partition", Value::from(&service.partition)),
            ("Namespace", Value::from(&service.namespace)),
            ("Consumers", record("dependency.ResolvedConsumers", consumers)),
        ],
    )
}

pub(in crate::functions) fn imported_service(service: &ImportedService) -> Value {
    record(
        "dependency.ImportedService",
        vec![
            ("Service", Value::from(&service.service)),
            ("Namespace", Value::from(&service.namespace)),
            ("SourcePartition", Value::from(&service.source_partition)),
            ("SourcePeer", Value::from(&service.source_peer)),
        ],
    )
}
