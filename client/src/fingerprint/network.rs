//! The interface that allocations' ports are on, and its addresses.

use std::{collections::BTreeMap, net::IpAddr};

use drover_model::{
    job::NetworkResource,
    node::{NodeAddress, NodeNetwork},
};
use nix::ifaddrs::getifaddrs;

use super::read;
use crate::ClientConfig;

const LOOPBACK: &str = "lo";
/// Mbit/s of an interface that does not tell.
const FALLBACK_SPEED: u32 = 1000;

#[derive(Default)]
pub(super) struct Network {
    pub(super) networks: Vec<NetworkResource>,
    pub(super) node_networks: Vec<NodeNetwork>,
}

pub(super) fn look(config: &ClientConfig, attributes: &mut BTreeMap<String, String>) -> Network {
    let device = device(config);
    let mut addresses = addresses(&device);
    if let Ok(address) = config.network_address.parse::<IpAddr>() {
        addresses.retain(|known| *known == address);
        if addresses.is_empty() {
            addresses.push(address);
        }
    }
    // A machine without a network still has itself.
    if addresses.is_empty() {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    attributes.insert("unique.network.ip-address".to_owned(), addresses[0].to_string());
    let speed = read(format!("/sys/class/net/{device}/speed")).trim().parse().ok().filter(|speed| *speed > 0).unwrap_or(FALLBACK_SPEED);
    let mac_address = read(format!("/sys/class/net/{device}/address")).trim().to_owned();
    let mac_address = if device == LOOPBACK { String::new() } else { mac_address };
    let host = |address: &IpAddr| NetworkResource {
        mode: "host".to_owned(),
        device: device.clone(),
        cidr: format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }),
        ip: address.to_string(),
        mbits: i64::from(speed),
        ..NetworkResource::default()
    };
    let alias = |address: &IpAddr| NodeAddress {
        family: if address.is_ipv4() { "ipv4" } else { "ipv6" }.to_owned(),
        alias: "default".to_owned(),
        address: address.to_string(),
        reserved_ports: config.reserved.ports.clone(),
        gateway: String::new(),
    };
    let networks = addresses.iter().map(host).collect();
    let aliases: Vec<NodeAddress> = addresses.iter().map(alias).collect();
    let own = NodeNetwork { mode: "host".to_owned(), device: device.clone(), mac_address, speed, addresses: aliases.into() };
    let mut node_networks = vec![own];
    node_networks.extend(config.host_networks.values().filter_map(|network| named(network, config)));
    Network { networks, node_networks }
}

/// A network that the operator has given a name.
fn named(network: &drover_model::node::HostNetwork, config: &ClientConfig) -> Option<NodeNetwork> {
    let devices: Vec<String> = if network.interface.is_empty() { all_devices() } else { vec![network.interface.clone()] };
    let cidr = Cidr::parse(&network.cidr);
    let reserved = if network.reserved_ports.is_empty() { &config.reserved.ports } else { &network.reserved_ports };
    for device in devices {
        let found: Vec<NodeAddress> = addresses(&device)
            .iter()
            .filter(|address| cidr.as_ref().is_none_or(|cidr| cidr.contains(**address)))
            .map(|address| NodeAddress {
                family: if address.is_ipv4() { "ipv4" } else { "ipv6" }.to_owned(),
                alias: network.name.clone(),
                address: address.to_string(),
                reserved_ports: reserved.clone(),
                gateway: String::new(),
            })
            .collect();
        if !found.is_empty() {
            return Some(NodeNetwork {
                mode: "host".to_owned(),
                device,
                mac_address: String::new(),
                speed: FALLBACK_SPEED,
                addresses: found.into(),
            });
        }
    }
    None
}

fn device(config: &ClientConfig) -> String {
    if !config.network_interface.is_empty() {
        return config.network_interface.clone();
    }
    if config.dev {
        return LOOPBACK.to_owned();
    }
    default_route(&read("/proc/net/route")).unwrap_or_else(|| LOOPBACK.to_owned())
}

/// The interface of the route to everywhere that costs least.
pub(crate) fn default_route(routes: &str) -> Option<String> {
    let rows = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let everywhere = fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
        everywhere.then(|| fields.get(6).and_then(|metric| metric.parse::<u64>().ok()).map(|metric| (metric, fields[0].to_owned())))?
    });
    rows.min().map(|(_, device)| device)
}

fn all_devices() -> Vec<String> {
    let mut names: Vec<String> = getifaddrs().into_iter().flatten().map(|interface| interface.interface_name).collect();
    names.dedup();
    names
}

/// IPv4 first; addresses that only mean something on their link are left out.
fn addresses(device: &str) -> Vec<IpAddr> {
    let all = getifaddrs().into_iter().flatten().filter(|interface| interface.interface_name == device);
    let mut found: Vec<IpAddr> = all
        .filter_map(|interface| {
            let address = interface.address?;
            let four = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            four.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        })
        .filter(|address| !matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()))
        .collect();
    found.sort();
    found
}

struct Cidr {
    base: IpAddr,
    bits: u32,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/')?;
        Some(Self { base: base.parse().ok()?, bits: bits.parse().ok()? })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let ((base, width), (address, other)) = (number(self.base), number(address));
        let bits = self.bits.min(width);
        width == other && (bits == 0 || (base ^ address) >> (128 - bits) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_default_route_counts() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     wlan0\t00000000\t0101A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n\
                     eth1\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(default_route(table), Some("wlan0".to_owned()));
        assert_eq!(default_route("Iface\n"), None);
    }

    #[test]
    fn networks_and_their_addresses() {
        for (cidr, address, want) in [
            ("10.1.0.0/16", "10.1.2.3", true),
            ("10.1.0.0/16", "10.2.0.1", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("10.1.0.0/16", "::1", false),
            ("fd00::/8", "fd12::1", true),
        ] {
            assert_eq!(Cidr::parse(cidr).unwrap().contains(address.parse().unwrap()), want, "{address} in {cidr}");
        }
    }
}
