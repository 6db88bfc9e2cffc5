//! Addresses and ports: what a node has, what is taken, which are chosen.

use drover_model::{
    job::{NetworkResource, Port},
    node::Node,
    resources::AllocatedPort,
};

use crate::{
    fit::{Misfit, Usage, listed_ports, reserved_on},
    inputs::mix,
};

/// Where dynamic ports come from when a node does not say.
const DYNAMIC_PORTS: (u16, u16) = (20_000, 32_000);

const DEFAULT: &str = "default";

fn named(host_network: &str) -> &str {
    if host_network.is_empty() { DEFAULT } else { host_network }
}

struct Address<'n> {
    ip: &'n str,
    /// A list as operators write it, for this address alone.
    reserved: &'n str,
}

/// The node's address in a host network; the older of the two lists of networks has only the default one.
fn address<'n>(node: &'n Node, host_network: &str) -> Option<Address<'n>> {
    let wanted = named(host_network);
    let addresses = node.resources.node_networks.iter().flat_map(|network| network.addresses.iter());
    let found = addresses.filter(|address| named(&address.alias) == wanted).min_by_key(|address| address.family != "ipv4");
    if let Some(found) = found {
        return Some(Address { ip: &found.address, reserved: &found.reserved_ports });
    }
    if wanted != DEFAULT {
        let other = node.host_networks.as_ref()?.get(wanted)?;
        let ip = other.cidr.split_once('/').map_or(other.cidr.as_str(), |(ip, _)| ip);
        return (!ip.is_empty()).then_some(Address { ip, reserved: &other.reserved_ports });
    }
    let older = node.resources.networks.iter().map(|network| network.ip.as_str()).find(|ip| !ip.is_empty());
    let ip = older.or_else(|| node.attributes.get("unique.network.ip-address").map(String::as_str))?;
    Some(Address { ip, reserved: "" })
}

/// What the node does not have at all.
pub(super) fn refused(node: &Node, networks: &[&NetworkResource]) -> Option<String> {
    for network in networks {
        let mode_known = match network.mode.as_str() {
            "bridge" => {
                node.resources.networks.iter().any(|other| other.mode == "bridge")
                    || node.resources.node_networks.iter().any(|other| other.mode == "bridge")
            }
            mode if mode.starts_with("cni/") => {
                node.resources.node_networks.iter().any(|other| other.mode == mode)
                    || node.resources.networks.iter().any(|other| other.mode == mode)
            }
            _ => true,
        };
        if !mode_known {
            return Some(crate::feasible::reason::NETWORK.to_owned());
        }
        let elsewhere = network.ports().filter(|port| named(&port.host_network) != DEFAULT);
        if let Some(port) = elsewhere.into_iter().find(|port| address(node, &port.host_network).is_none()) {
            return Some(format!("missing host network \"{}\" for port \"{}\"", port.host_network, port.label));
        }
    }
    None
}

/// The first port named by number that somebody else has.
pub(super) fn collision(node: &Node, usage: &Usage, networks: &[&NetworkResource]) -> Option<Misfit> {
    networks.iter().flat_map(|network| network.reserved_ports.iter()).find_map(|port| match address(node, &port.host_network) {
        None => Some(Misfit::NoNetwork),
        Some(address) => (!is_free(node, usage, &address, port.value) && !port.ignore_collision)
            .then(|| Misfit::ReservedPort { label: port.label.clone(), port: port.value }),
    })
}

fn is_free(node: &Node, usage: &Usage, address: &Address<'_>, port: u16) -> bool {
    let kept = reserved_on(node, port) || (!address.reserved.is_empty() && listed_ports(address.reserved, port));
    !kept && !usage.ports.contains(address.ip, port)
}

/// Gives ports of one node to one allocation.
pub(super) struct Chooser<'n> {
    node: &'n Node,
    usage: &'n Usage,
    salt: u64,
    /// What this allocation has so far: two of its ports may not be one.
    given: Vec<(&'n str, u16)>,
}

impl<'n> Chooser<'n> {
    pub(super) fn new(node: &'n Node, usage: &'n Usage, salt: u64) -> Self {
        Self { node, usage, salt, given: Vec::new() }
    }

    /// Ports named by number come first, lest a dynamic one takes them.
    pub(super) fn reserve_static(&mut self, network: &NetworkResource) -> Result<(), Misfit> {
        for port in network.reserved_ports.iter() {
            let address = address(self.node, &port.host_network).ok_or_else(|| missing(port))?;
            let ours = self.given.contains(&(address.ip, port.value));
            if !port.ignore_collision && (ours || !is_free(self.node, self.usage, &address, port.value)) {
                return Err(Misfit::ReservedPort { label: port.label.clone(), port: port.value });
            }
            self.given.push((address.ip, port.value));
        }
        Ok(())
    }

    /// The network with every port chosen, and the ports as the allocation lists them.
    pub(super) fn give(&mut self, asked: &NetworkResource) -> Result<(NetworkResource, Vec<AllocatedPort>), Misfit> {
        let mut given = asked.clone();
        let mut bound = Vec::with_capacity(asked.reserved_ports.len() + asked.dynamic_ports.len());
        for port in given.reserved_ports.iter() {
            let address = address(self.node, &port.host_network).ok_or_else(|| missing(port))?;
            bound.push(allocated(port, address.ip));
        }
        for port in given.dynamic_ports.iter_mut() {
            let address = address(self.node, &port.host_network).ok_or_else(|| missing(port))?;
            port.value = self.choose(&address)?;
            self.given.push((address.ip, port.value));
            bound.push(allocated(port, address.ip));
        }
        if let Some(address) = address(self.node, DEFAULT) {
            given.ip = address.ip.to_owned();
        }
        Ok((given, bound))
    }

    fn choose(&mut self, address: &Address<'n>) -> Result<u16, Misfit> {
        let resources = &self.node.resources;
        let (first, last) = match (resources.min_dynamic_port, resources.max_dynamic_port) {
            (first, last) if first > 0 && first <= last => (first, last),
            _ => DYNAMIC_PORTS,
        };
        let size = u64::from(last - first) + 1;
        self.salt = mix(self.salt.wrapping_add(1));
        let start = self.salt % size;
        (0..size)
            .map(|step| first + u16::try_from((start + step) % size).unwrap_or(0))
            .find(|port| !self.given.contains(&(address.ip, *port)) && is_free(self.node, self.usage, address, *port))
            .ok_or(Misfit::DynamicPorts)
    }
}

fn missing(port: &Port) -> Misfit {
    if named(&port.host_network) == DEFAULT { Misfit::NoNetwork } else { Misfit::NoAddress(port.host_network.clone()) }
}

fn allocated(port: &Port, ip: &str) -> AllocatedPort {
    let to = if port.to < 0 { i64::from(port.value) } else { port.to };
    AllocatedPort { label: port.label.clone(), value: port.value, to, host_ip: ip.to_owned() }
}
