//! What this machine is and has, as the servers and jobs see it. Files are read and nothing is run, so it takes a few milliseconds.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use drover_model::{
    ids::NodeId,
    json::List,
    node::{
        DriverInfo, Eligibility, Node, NodeCpu, NodeDisk, NodeMemory, NodeResources, NodeStatus, Processors, ReservedCpu, ReservedNetworks,
        ReservedResources,
    },
    secret::SecretText,
};
use drover_runtime::Runtime;

use crate::{ClientConfig, drivers::Driver};

pub(crate) use identity::node_identity;

mod cpu;
mod host;
mod identity;
pub(crate) mod network;
mod numa;
mod storage;

/// The properties of this node.
pub(crate) async fn node(config: &ClientConfig, runtime: &Runtime, drivers: &[Arc<dyn Driver>], id: NodeId, secret_id: SecretText) -> Node {
    let mut attributes = BTreeMap::new();
    let cpu = cpu::look(config, &mut attributes);
    let memory_mib = memory(config, &mut attributes);
    let disk_mib = storage::look(config, &mut attributes);
    let network = network::look(config, &mut attributes);
    let hostname = host::look(&mut attributes);
    orchestrator(config, &mut attributes);
    let drivers = look_at_drivers(runtime, drivers, &mut attributes).await;
    attributes.extend(config.extra_attributes.clone());
    let reserved = &config.reserved;
    Node {
        id,
        secret_id,
        datacenter: config.datacenter.clone(),
        name: if config.name.is_empty() { hostname } else { config.name.clone() },
        http_addr: config.http_address.clone(),
        tls_enabled: config.tls_enabled,
        resources: NodeResources {
            cpu: NodeCpu { cpu_mhz: cpu.total_mhz, total_cores: cpu.cores, reservable_cores: (0..cpu.cores).collect::<Vec<_>>().into() },
            memory: NodeMemory { memory_mib },
            disk: NodeDisk { disk_mib },
            networks: network.networks.into(),
            node_networks: network.node_networks.into(),
            devices: List::default(),
            processors: Processors { topology: cpu.topology },
            min_dynamic_port: config.min_dynamic_port,
            max_dynamic_port: config.max_dynamic_port,
        },
        reserved: ReservedResources {
            cpu: ReservedCpu { cpu_mhz: reserved.cpu_mhz, reserved_cores: reserved.cores.clone().into() },
            memory: NodeMemory { memory_mib: reserved.memory_mib },
            disk: NodeDisk { disk_mib: reserved.disk_mib },
            networks: ReservedNetworks { reserved_host_ports: reserved.ports.clone() },
        },
        meta: config.meta.clone(),
        node_class: config.node_class.clone(),
        node_pool: config.node_pool.clone(),
        max_allocs: config.node_max_allocs,
        eligibility: if config.default_ineligible { Eligibility::Ineligible } else { Eligibility::Eligible },
        status: NodeStatus::Initializing,
        drivers,
        host_volumes: config.host_volumes.clone(),
        host_networks: (!config.host_networks.is_empty()).then(|| config.host_networks.clone()),
        attributes,
        ..Node::default()
    }
}

fn memory(config: &ClientConfig, attributes: &mut BTreeMap<String, String>) -> u64 {
    let text = read("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    let bytes = if config.memory_total_mib > 0 { config.memory_total_mib << 20 } else { kib << 10 };
    attributes.insert("memory.totalbytes".to_owned(), bytes.to_string());
    bytes >> 20
}

fn orchestrator(config: &ClientConfig, attributes: &mut BTreeMap<String, String>) {
    let mut add = |key: &str, value: String| attributes.insert(key.to_owned(), value);
    add("nomad.version", config.version.clone());
    add("nomad.revision", config.revision.clone());
    add("nomad.service_discovery", config.service_discovery.to_string());
    if !config.http_address.is_empty() {
        add("unique.advertise.address", config.http_address.clone());
    }
}

async fn look_at_drivers(
    runtime: &Runtime,
    drivers: &[Arc<dyn Driver>],
    attributes: &mut BTreeMap<String, String>,
) -> BTreeMap<String, DriverInfo> {
    let mut found = BTreeMap::new();
    for driver in drivers {
        let fingerprint = driver.fingerprint().await;
        let name = driver.name();
        let mut own = fingerprint.attributes.clone();
        if fingerprint.detected {
            attributes.insert(format!("driver.{name}"), "1".to_owned());
            attributes.extend(fingerprint.attributes);
            own.insert(format!("driver.{name}"), "true".to_owned());
        }
        let info = DriverInfo {
            attributes: own,
            detected: fingerprint.detected,
            healthy: fingerprint.healthy,
            health_description: fingerprint.description,
            update_time: runtime.clock.now().into(),
        };
        found.insert(name.to_owned(), info);
    }
    found
}

/// A small file of the kernel's; empty when it is not there.
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::MockDriver;

    #[tokio::test]
    async fn this_machine_can_be_described() {
        let folder = tempfile::tempdir().unwrap();
        let config = ClientConfig {
            state_dir: folder.path().to_owned(),
            alloc_dir: folder.path().to_owned(),
            dev: true,
            meta: [("rack".to_owned(), "r1".to_owned())].into(),
            ..ClientConfig::default()
        };
        let runtime = Runtime::real();
        let drivers: Vec<Arc<dyn Driver>> = vec![Arc::new(MockDriver::new())];
        let (id, secret) = node_identity(&config, &runtime).unwrap();
        let node = node(&config, &runtime, &drivers, id, secret).await;
        for key in [
            "cpu.arch",
            "cpu.numcores",
            "cpu.totalcompute",
            "cpu.usablecompute",
            "memory.totalbytes",
            "kernel.name",
            "kernel.version",
            "kernel.arch",
            "os.name",
            "os.signals",
            "os.cgroups.version",
            "unique.hostname",
            "unique.storage.bytestotal",
            "unique.network.ip-address",
            "nomad.version",
            "driver.mock_driver",
        ] {
            assert!(node.attributes.get(key).is_some_and(|value| !value.is_empty()), "{key}: {:?}", node.attributes.get(key));
        }
        assert!(node.resources.cpu.cpu_mhz > 0 && node.resources.memory.memory_mib > 0 && node.resources.disk.disk_mib > 0);
        assert_eq!(node.attributes["unique.network.ip-address"], "127.0.0.1", "a throw-away node is on the loopback interface");
        assert!(node.drivers["mock_driver"].healthy && node.meta["rack"] == "r1" && !node.name.is_empty());
        assert!(node.resources.networks.iter().any(|network| network.ip == "127.0.0.1"));
    }
}
