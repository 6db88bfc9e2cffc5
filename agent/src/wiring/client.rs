//! The client's part of the configuration, and what it is started with.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use drover_client::{
    ClientConfig,
    config::{Reserved, TemplateDefaults},
    drivers::{Driver, MockDriver, RawExec},
};
use drover_model::node::{HostNetwork, HostVolume};

use crate::{StartError, config::Config};

/// The port of server addresses that name none.
const DEFAULT_PORT: u16 = 4647;
/// Which drivers a node has, as older configurations say it.
const DRIVER_ALLOWLIST: &str = "driver.allowlist";
const DRIVER_DENYLIST: &str = "driver.denylist";

/// What the client is started with, but for what it learns of its neighbours.
pub(crate) fn config(config: &Config, data_dir: &Path, http_address: String, host_env: BTreeMap<String, String>) -> ClientConfig {
    let section = &config.client;
    let listed = |text: &str| -> Vec<u16> { text.split(',').filter_map(|core| core.trim().parse().ok()).collect() };
    ClientConfig {
        dev: config.dev,
        region: config.region.clone(),
        datacenter: config.datacenter.clone(),
        name: config.name.clone(),
        node_class: section.node_class.clone(),
        node_pool: section.node_pool.clone(),
        meta: section.meta.clone(),
        state_dir: section.state_dir.clone().unwrap_or_else(|| data_dir.join("client")),
        alloc_dir: section.alloc_dir.clone().unwrap_or_else(|| data_dir.join("alloc")),
        host_volumes_dir: section.host_volumes_dir.clone().unwrap_or_else(|| data_dir.join("host_volumes")),
        http_address,
        version: crate::API_VERSION.to_owned(),
        network_interface: section.network_interface.clone().unwrap_or_default(),
        network_address: listening_address(config),
        cpu_total_mhz: section.cpu_total_compute.unwrap_or(0),
        memory_total_mib: section.memory_total_mb.unwrap_or(0),
        disk_total_mib: section.disk_total_mb.unwrap_or(0),
        disk_free_mib: section.disk_free_mb.unwrap_or(0),
        reserved: Reserved {
            cpu_mhz: section.reserved.cpu_mhz,
            memory_mib: section.reserved.memory_mb,
            disk_mib: section.reserved.disk_mb,
            cores: listed(&section.reserved.cores),
            ports: section.reserved.ports.clone(),
        },
        min_dynamic_port: section.min_dynamic_port,
        max_dynamic_port: section.max_dynamic_port,
        node_max_allocs: section.node_max_allocs,
        default_ineligible: section.default_ineligible,
        max_kill_timeout: section.max_kill_timeout,
        gc_interval: section.gc_interval,
        gc_max_allocs: section.gc_max_allocs as usize,
        gc_disk_usage_threshold: section.gc_disk_usage_threshold,
        gc_inode_usage_threshold: section.gc_inode_usage_threshold,
        host_volumes: host_volumes(config),
        host_networks: host_networks(config),
        template: TemplateDefaults {
            denied_functions: section.template.function_denylist.clone(),
            disable_file_sandbox: section.template.disable_file_sandbox,
            wait: section.template.wait_min.map(|min| (min, section.template.wait_max.unwrap_or(min * 4))),
        },
        drivers: config.plugins.clone(),
        host_env,
        ..ClientConfig::default()
    }
}

/// An agent that listens at one address only gives its tasks that address, unless an interface is named.
fn listening_address(config: &Config) -> String {
    let is_one = config.bind_addr.parse::<std::net::IpAddr>().is_ok_and(|address| !address.is_unspecified());
    if is_one && config.client.network_interface.is_none() { config.bind_addr.clone() } else { String::new() }
}

fn host_volumes(config: &Config) -> BTreeMap<String, HostVolume> {
    let volume = |(name, volume): (&String, &crate::config::HostVolumeSection)| {
        let row = HostVolume {
            name: name.clone(),
            path: volume.path.display().to_string(),
            read_only: volume.read_only,
            ..HostVolume::default()
        };
        (name.clone(), row)
    };
    config.client.host_volumes.iter().map(volume).collect()
}

fn host_networks(config: &Config) -> BTreeMap<String, HostNetwork> {
    let network = |(name, network): (&String, &crate::config::HostNetworkSection)| {
        let row = HostNetwork {
            name: name.clone(),
            cidr: network.cidr.clone(),
            interface: network.interface.clone(),
            reserved_ports: network.reserved_ports.clone(),
        };
        (name.clone(), row)
    };
    config.client.host_networks.iter().map(network).collect()
}

/// The drivers of this node.
pub(crate) fn drivers(config: &Config, client: &ClientConfig) -> Result<Vec<Arc<dyn Driver>>, StartError> {
    let mut drivers: Vec<Arc<dyn Driver>> = Vec::new();
    if is_allowed(config, "raw_exec") {
        let settings = client.drivers.get("raw_exec");
        let raw = RawExec::new(&client.state_dir, settings, config.dev);
        drivers.push(Arc::new(raw.map_err(|source| StartError::Driver { name: "raw_exec", source })?));
    }
    // Does nothing, as scripted: for trying out jobs and for tests.
    if config.dev && is_allowed(config, "mock_driver") {
        drivers.push(Arc::new(MockDriver::new()));
    }
    Ok(drivers)
}

fn is_allowed(config: &Config, driver: &str) -> bool {
    let names = |key: &str| config.client.options.get(key).map(|list| list.split(',').any(|name| name.trim() == driver));
    names(DRIVER_ALLOWLIST).unwrap_or(true) && !names(DRIVER_DENYLIST).unwrap_or(false)
}

/// The servers that a client is told of, with their ports.
pub(crate) fn servers(config: &Config) -> Vec<String> {
    config.client.servers.iter().chain(&config.client.join.addresses).map(|address| with_port(address)).collect()
}

/// A server's address as people write it, with the port that RPC has where they name none.
pub(crate) fn with_port(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && (!host.contains(':') || host.starts_with('[')) => address.to_owned(),
        _ => crate::config::join(address.trim_start_matches('[').trim_end_matches(']'), DEFAULT_PORT),
    }
}
