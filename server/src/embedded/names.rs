//! What certificates may name.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use drover_model::{allocation::Allocation, node::Node};

/// What certificates that are issued for a role may name, and how long they last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `*.DOMAIN` is any name below the domain; others are meant exactly.
    pub allowed_names: Vec<String>,
    /// Whether the addresses of the node and of the allocation may be named. Loopback always may.
    pub allow_own_addresses: bool,
    pub default_ttl: Duration,
    pub max_ttl: Duration,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            allowed_names: ["*.service.consul", "*.local", "localhost"].map(str::to_owned).to_vec(),
            allow_own_addresses: true,
            default_ttl: Duration::from_secs(24 * 3600),
            max_ttl: Duration::from_secs(72 * 3600),
        }
    }
}

impl Role {
    pub(super) fn allows_name(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        is_host_name(&name) && self.allowed_names.iter().any(|pattern| covers(&pattern.to_ascii_lowercase(), &name))
    }

    pub(super) fn allows_address(&self, address: IpAddr, own: &BTreeSet<IpAddr>) -> bool {
        address.is_loopback() || (self.allow_own_addresses && own.contains(&address))
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => name.strip_suffix(domain).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        None => pattern == name,
    }
}

/// Labels of letters, digits and hyphens; the first may be `*`, as in a certificate for all names of a domain.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}

/// The addresses under which an allocation can be reached: its own and its node's.
pub(super) fn own_addresses(node: &Node, allocation: &Allocation) -> BTreeSet<IpAddr> {
    let of_node = node.attributes.get("unique.network.ip-address").map(String::as_str).into_iter().chain([node.http_addr.as_str()]);
    let of_networks = node.resources.networks.iter().map(|network| network.ip.as_str());
    let of_host = node.resources.node_networks.iter().flat_map(|network| network.addresses.iter()).map(|address| address.address.as_str());
    let resources = &allocation.resources;
    let of_allocation = resources
        .shared
        .networks
        .iter()
        .chain(resources.tasks.values().flat_map(|task| task.networks.iter()))
        .map(|network| network.ip.as_str());
    let of_ports = resources.shared.ports.iter().map(|port| port.host_ip.as_str());
    of_node.chain(of_networks).chain(of_host).chain(of_allocation).chain(of_ports).filter_map(address_of).collect()
}

/// `IP` or `IP:PORT`.
fn address_of(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_role_are_allowed() {
        let role = Role::default();
        for (name, allowed) in [
            ("shop.service.consul", true),
            ("Shop.Service.Consul", true),
            ("live.shop.service.consul", true),
            ("*.service.consul", true),
            ("localhost", true),
            ("printer.local", true),
            ("service.consul", false),
            (".service.consul", false),
            ("evilservice.consul", false),
            ("shop.service.consul.example.org", false),
            ("example.org", false),
            ("a b.local", false),
            ("-a.local", false),
            ("", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(role.allows_name(name), allowed, "{name:?}");
        }
    }

    #[test]
    fn only_own_addresses_and_loopback_are_allowed() {
        let own = BTreeSet::from(["10.0.0.7".parse().unwrap()]);
        for (address, allowed) in [("127.0.0.1", true), ("::1", true), ("10.0.0.7", true), ("10.0.0.8", false)] {
            assert_eq!(Role::default().allows_address(address.parse().unwrap(), &own), allowed, "{address}");
        }
        let strict = Role { allow_own_addresses: false, ..Role::default() };
        assert!(!strict.allows_address("10.0.0.7".parse().unwrap(), &own));
        assert_eq!(address_of("10.0.0.7:4646"), address_of("10.0.0.7"));
    }
}
