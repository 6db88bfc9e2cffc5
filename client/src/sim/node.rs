//! What a simulated node says of itself.

use std::collections::BTreeMap;

use drover_model::{
    job::NetworkResource,
    json::List,
    node::{DriverInfo, Node},
    rpc::node::NodeAuth,
    time::UnixNanos,
};

use super::SimConfig;

/// Equal to its siblings but for its name and id, as machines of one kind are.
pub(super) fn describe(config: &SimConfig, auth: &NodeAuth, number: usize, now: UnixNanos) -> Node {
    let name = format!("{}-{number}", config.prefix);
    let mut node = Node {
        id: auth.id,
        secret_id: auth.secret.clone(),
        datacenter: config.datacenter.clone(),
        node_class: config.node_class.clone(),
        node_pool: config.node_pool.clone(),
        meta: config.meta.clone(),
        attributes: attributes(config, &name),
        name,
        ..Node::default()
    };
    node.resources.cpu.cpu_mhz = config.cpu_mhz;
    node.resources.memory.memory_mib = config.memory_mib;
    node.resources.disk.disk_mib = config.disk_mib;
    (node.resources.min_dynamic_port, node.resources.max_dynamic_port) = (20_000, 32_000);
    node.resources.networks =
        List(vec![NetworkResource { mode: "host".to_owned(), ip: "127.0.0.1".to_owned(), ..NetworkResource::default() }]);
    let driver = |name: &String| {
        let attributes = BTreeMap::from([(format!("driver.{name}"), "true".to_owned())]);
        let info =
            DriverInfo { attributes, detected: true, healthy: true, health_description: "Simulated".to_owned(), update_time: now.into() };
        (name.clone(), info)
    };
    node.drivers = config.drivers.iter().map(driver).collect();
    node
}

fn attributes(config: &SimConfig, name: &str) -> BTreeMap<String, String> {
    let fixed = [
        ("kernel.name", "linux"),
        ("os.name", "simulated"),
        ("cpu.arch", "amd64"),
        ("nomad.version", config.version.as_str()),
        ("nomad.service_discovery", "true"),
        ("unique.hostname", name),
        ("unique.network.ip-address", "127.0.0.1"),
    ];
    let fixed = fixed.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    fixed.chain(config.drivers.iter().map(|driver| (format!("driver.{driver}"), "1".to_owned()))).collect()
}
