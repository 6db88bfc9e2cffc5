//! What a node's allocations use, and whether more fits. Schedulers and the plan applier ask the same questions here.

use std::{fmt, sync::OnceLock};

use drover_model::{
    allocation::Allocation,
    job::TaskGroup,
    node::Node,
    resources::{AllocatedResources, Amounts},
};

pub use ports::HostPorts;
pub(crate) use ports::{listed_ports, reserved_on};

use crate::volumes::{self, Claim};

mod ports;

/// The sum of what the allocations of a node hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub amounts: Amounts,
    /// The part of them that is used by what does not suit every node.
    pub bound: Amounts,
    pub ports: HostPorts,
    /// Sorted: whole cores that single tasks own.
    pub cores: Vec<u16>,
    /// Sorted: instances of devices that single tasks own.
    pub devices: Vec<Box<str>>,
    /// Sorted: how volumes of the node are used.
    pub claims: Vec<Claim>,
    pub allocations: u32,
}

impl Usage {
    pub fn none() -> &'static Self {
        static NONE: OnceLock<Usage> = OnceLock::new();
        NONE.get_or_init(Self::default)
    }

    /// The usage of those that still hold resources.
    pub fn of<'a>(allocations: impl IntoIterator<Item = &'a Allocation>) -> Self {
        let mut usage = Self::default();
        allocations.into_iter().filter(|allocation| allocation.holds_resources()).for_each(|allocation| usage.add(allocation));
        usage
    }

    pub fn add(&mut self, allocation: &Allocation) {
        self.add_resources(&allocation.resources, &volumes::claims(allocation));
        if is_bound(allocation) {
            self.bound = self.bound.plus(allocation.resources.amounts());
        }
    }

    /// The same for an allocation of which only its resources and claims are at hand.
    pub fn add_resources(&mut self, resources: &AllocatedResources, claims: &[Claim]) {
        for claim in claims {
            let at = self.claims.partition_point(|other| other < claim);
            self.claims.insert(at, claim.clone());
        }
        self.amounts = self.amounts.plus(resources.amounts());
        for (ip, port) in host_ports(resources) {
            self.ports.insert(ip, port);
        }
        for core in cores(resources) {
            let at = self.cores.partition_point(|other| *other < core);
            self.cores.insert(at, core);
        }
        for device in devices(resources) {
            let at = self.devices.partition_point(|other| **other < *device);
            self.devices.insert(at, device.into());
        }
        self.allocations += 1;
    }

    /// The inverse of [`Self::add`].
    pub fn remove(&mut self, allocation: &Allocation) {
        let amounts = allocation.resources.amounts();
        self.amounts = self.amounts.minus(amounts);
        if is_bound(allocation) {
            self.bound = self.bound.minus(amounts);
        }
        for claim in volumes::claims(allocation) {
            if let Ok(at) = self.claims.binary_search(&claim) {
                self.claims.remove(at);
            }
        }
        for (ip, port) in host_ports(&allocation.resources) {
            self.ports.remove(ip, port);
        }
        for core in cores(&allocation.resources) {
            if let Ok(at) = self.cores.binary_search(&core) {
                self.cores.remove(at);
            }
        }
        for device in devices(&allocation.resources) {
            if let Ok(at) = self.devices.binary_search_by(|other| (**other).cmp(device)) {
                self.devices.remove(at);
            }
        }
        self.allocations = self.allocations.saturating_sub(1);
    }

    pub fn is_empty(&self) -> bool {
        self.allocations == 0
    }
}

/// Whether some of the nodes were out of the question when it was placed.
fn is_bound(allocation: &Allocation) -> bool {
    allocation.metrics.nodes_filtered > 0
}

/// The ports that an allocation holds, with the address each is bound to ("" when nobody said).
fn host_ports(resources: &AllocatedResources) -> impl Iterator<Item = (&str, u16)> {
    let shared = resources.shared.ports.iter().map(|port| (port.host_ip.as_str(), port.value));
    let networks = resources.tasks.values().flat_map(|task| task.networks.iter());
    let of_tasks = networks.flat_map(|network| network.ports().map(|port| (network.ip.as_str(), port.value)));
    shared.chain(of_tasks).filter(|(_, port)| *port != 0)
}

fn cores(resources: &AllocatedResources) -> impl Iterator<Item = u16> + '_ {
    resources.tasks.values().flat_map(|task| task.cpu.reserved_cores.iter().copied())
}

fn devices(resources: &AllocatedResources) -> impl Iterator<Item = &str> {
    resources.tasks.values().flat_map(|task| task.devices.iter()).flat_map(|device| device.device_ids.iter().map(String::as_str))
}

/// Why something does not fit on a node, in the API's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misfit {
    #[error("node is gone")]
    NodeGone,
    #[error("node is not ready for placements")]
    NodeNotReady,
    #[error("cpu")]
    Cpu,
    #[error("cores")]
    Cores,
    #[error("numa-cores")]
    NumaCores,
    #[error("memory")]
    Memory,
    #[error("disk")]
    Disk,
    #[error("max allocation exceeded")]
    MaxAllocations,
    #[error("network: reserved port collision {label}={port}")]
    ReservedPort { label: String, port: u16 },
    #[error("network: port collision")]
    PortCollision,
    #[error("network: dynamic port selection failed")]
    DynamicPorts,
    #[error("network: no networks available")]
    NoNetwork,
    #[error("network: no addresses available for {} network", printed(.0))]
    NoAddress(String),
    #[error("devices: no devices match request")]
    Devices,
    #[error("missing compatible host volumes")]
    VolumeGone,
    #[error("conflicting claims for host volume with single-writer")]
    VolumeClaimed,
    /// Of the devices that the node has left, none is one that the quota still allows.
    #[error("quota")]
    Quota,
}

fn printed(name: &str) -> impl fmt::Display + '_ {
    if name.is_empty() { "default" } else { name }
}

/// The first dimension in which `ask` does not fit into `free`.
pub fn exceeds(ask: &Amounts, free: &Amounts) -> Option<Misfit> {
    Some(match ask.exceeds(free)? {
        "cpu" => Misfit::Cpu,
        "memory" => Misfit::Memory,
        _ => Misfit::Disk,
    })
}

/// How many allocations a node takes at most.
pub(crate) fn slots(node: &Node) -> u32 {
    if node.max_allocs == 0 { u32::MAX } else { node.max_allocs }
}

/// The plan applier's check of one node: may `placed` go there once `stopped` are gone? `usage` is that of the newest state and includes
/// `stopped` as long as they hold resources; an allocation that is updated in place is in both lists. Returns the usage that follows.
pub fn apply_check<'a>(
    node: Option<&Node>,
    usage: &Usage,
    stopped: impl IntoIterator<Item = &'a Allocation>,
    placed: impl IntoIterator<Item = &'a Allocation>,
) -> Result<Usage, Misfit> {
    let mut usage = usage.clone();
    stopped.into_iter().for_each(|allocation| usage.remove(allocation));
    let mut placed = placed.into_iter().peekable();
    if placed.peek().is_none() {
        return Ok(usage);
    }
    let node = node.ok_or(Misfit::NodeGone)?;
    if !node.is_schedulable() {
        return Err(Misfit::NodeNotReady);
    }
    let capacity = node.capacity();
    for allocation in placed {
        if let Some(misfit) = exceeds(&allocation.resources.amounts(), &capacity.minus(usage.amounts)) {
            return Err(misfit);
        }
        check_exclusive(node, &usage, allocation)?;
        usage.add(allocation);
    }
    Ok(usage)
}

/// Ports, cores and devices have one owner at a time.
fn check_exclusive(node: &Node, usage: &Usage, allocation: &Allocation) -> Result<(), Misfit> {
    if usage.allocations >= slots(node) {
        return Err(Misfit::MaxAllocations);
    }
    if let Some(misfit) = volumes::misfit(node, usage, allocation) {
        return Err(misfit);
    }
    let group = allocation.group();
    for port in allocation.resources.shared.ports.iter().filter(|port| port.value != 0) {
        let shared = group.is_some_and(|group| ignores_collision(group, &port.label));
        if !shared && usage.ports.contains(&port.host_ip, port.value) {
            return Err(Misfit::ReservedPort { label: port.label.clone(), port: port.value });
        }
    }
    let of_tasks = allocation.resources.tasks.values().flat_map(|task| task.networks.iter());
    for (network, port) in of_tasks.flat_map(|network| network.ports().map(move |port| (network, port))) {
        if port.value != 0 && !port.ignore_collision && usage.ports.contains(&network.ip, port.value) {
            return Err(Misfit::PortCollision);
        }
    }
    if cores(&allocation.resources).any(|core| usage.cores.binary_search(&core).is_ok()) {
        return Err(Misfit::Cores);
    }
    if devices(&allocation.resources).any(|device| usage.devices.binary_search_by(|other| (**other).cmp(device)).is_ok()) {
        return Err(Misfit::Devices);
    }
    Ok(())
}

fn ignores_collision(group: &TaskGroup, label: &str) -> bool {
    group.networks.iter().flat_map(|network| network.ports()).any(|port| port.label == label && port.ignore_collision)
}

#[cfg(test)]
mod tests;
