//! Host ports: which are taken, and which an operator keeps for something else.

use drover_model::node::Node;

/// The ports that a node's allocations hold, by address. A port can be held more than once, where jobs say that this is no collision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPorts(Vec<(Box<str>, Vec<u16>)>);

impl HostPorts {
    pub fn insert(&mut self, ip: &str, port: u16) {
        let ports = match self.0.iter().position(|(other, _)| **other == *ip) {
            Some(at) => &mut self.0[at].1,
            None => {
                let at = self.0.partition_point(|(other, _)| **other < *ip);
                self.0.insert(at, (ip.into(), Vec::new()));
                &mut self.0[at].1
            }
        };
        let at = ports.partition_point(|other| *other < port);
        ports.insert(at, port);
    }

    pub fn remove(&mut self, ip: &str, port: u16) {
        let Some(at) = self.0.iter().position(|(other, _)| **other == *ip) else { return };
        let ports = &mut self.0[at].1;
        if let Ok(index) = ports.binary_search(&port) {
            ports.remove(index);
        }
        if ports.is_empty() {
            self.0.remove(at);
        }
    }

    /// Whether binding there would fail: the port is held on this address, or on all, or all are asked for.
    pub fn contains(&self, ip: &str, port: u16) -> bool {
        self.0.iter().any(|(other, ports)| (**other == *ip || is_any(other) || is_any(ip)) && ports.binary_search(&port).is_ok())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_any(ip: &str) -> bool {
    matches!(ip, "" | "0.0.0.0" | "::")
}

/// Whether a list like `22,80,8000-8080` names a port. What cannot be read names none: such a list was refused when the node registered.
pub(crate) fn listed_ports(list: &str, port: u16) -> bool {
    list.split(',').any(|part| match part.trim().split_once('-') {
        Some((first, last)) => {
            matches!((first.trim().parse::<u16>(), last.trim().parse::<u16>()), (Ok(a), Ok(b)) if a <= port && port <= b)
        }
        None => part.trim().parse() == Ok(port),
    })
}

/// Whether the operator of a node keeps a port for something else.
pub(crate) fn reserved_on(node: &Node, port: u16) -> bool {
    let list = &node.reserved.networks.reserved_host_ports;
    !list.is_empty() && listed_ports(list, port)
}
