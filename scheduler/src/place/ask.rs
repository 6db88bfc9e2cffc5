//! What one allocation of a group needs of its node.

use std::sync::Arc;

use drover_model::{
    job::{NetworkResource, RequestedDevice, Resources, TaskGroup},
    node::Node,
    quota::QuotaUse,
    resources::{AllocatedCpu, AllocatedMemory, AllocatedResources, AllocatedTask, Amounts},
};

use super::{cores, devices, network};
use crate::{
    fit::{Misfit, Usage},
    volumes::{self, Mount},
};

#[derive(Debug)]
pub(crate) struct Ask<'a> {
    group: &'a TaskGroup,
    /// What does not depend on the node: complete when nothing exclusive is asked for.
    template: Arc<AllocatedResources>,
    amounts: Amounts,
    cores: u32,
    devices: Vec<&'a RequestedDevice>,
    networks: Vec<&'a NetworkResource>,
    static_ports: bool,
    mounts: Vec<Mount>,
    oversubscribe: bool,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(group: &'a TaskGroup, memory_oversubscription: bool) -> Self {
        let of_tasks = group.tasks.iter().flat_map(|task| task.resources.networks.iter());
        let networks: Vec<_> = group.networks.iter().chain(of_tasks).collect();
        let mut ask = Self {
            group,
            template: Arc::default(),
            amounts: Amounts::default(),
            cores: group.tasks.iter().fold(0, |sum, task| sum.saturating_add(task.resources.cores)),
            devices: group.tasks.iter().flat_map(|task| task.resources.devices.iter()).collect(),
            static_ports: networks.iter().any(|network| !network.reserved_ports.is_empty()),
            networks,
            mounts: volumes::mounts(group, None),
            oversubscribe: memory_oversubscription,
        };
        let template = ask.without_exclusives(0);
        ask.amounts = template.amounts();
        ask.template = Arc::new(template);
        ask
    }

    /// For the allocation with this number, which may have volumes of its own.
    pub(crate) fn numbered(mut self, index: Option<u32>) -> Self {
        self.mounts = volumes::mounts(self.group, index);
        self
    }

    fn without_exclusives(&self, core_mhz: u64) -> AllocatedResources {
        let mut resources = AllocatedResources::default();
        resources.shared.disk_mib = u64::from(self.group.ephemeral_disk.size_mib);
        for task in self.group.tasks.iter() {
            let name: Arc<str> = task.name.as_str().into();
            let asked = &task.resources;
            let cpu_mhz = if asked.cores > 0 { u64::from(asked.cores).saturating_mul(core_mhz) } else { u64::from(asked.cpu_mhz) };
            let memory = AllocatedMemory {
                memory_mib: u64::from(asked.memory_mib),
                memory_max_mib: if self.oversubscribe { u64::from(asked.memory_max_mib) } else { 0 },
            };
            let cpu = AllocatedCpu { cpu_mhz, ..AllocatedCpu::default() };
            resources.tasks.insert(Arc::clone(&name), AllocatedTask { cpu, memory, ..AllocatedTask::default() });
            resources.task_lifecycles.insert(name, task.lifecycle);
        }
        resources
    }

    /// The amounts on a node: a whole core is worth what the node's cores are.
    pub(crate) fn amounts_on(&self, node: &Node) -> Amounts {
        if self.cores == 0 { self.amounts } else { self.without_exclusives(core_mhz(node)).amounts() }
    }

    pub(crate) fn amounts(&self) -> &Amounts {
        &self.amounts
    }

    /// What it takes of a quota at least: which devices of several it will get is not known yet.
    pub(crate) fn least_quota_use(&self) -> QuotaUse {
        let mut least = QuotaUse { cores: u64::from(self.cores), ..QuotaUse::of(&self.template) };
        for device in &self.devices {
            *least.devices.entry(device.name.as_str().into()).or_default() += device.count;
        }
        least
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = (&'a str, &'a Resources)> {
        self.group.tasks.iter().map(|task| (task.name.as_str(), &task.resources))
    }

    /// Whether nothing but amounts decides where it fits.
    pub(crate) fn is_plain(&self) -> bool {
        self.cores == 0 && self.devices.is_empty() && self.networks.is_empty() && self.mounts.is_empty()
    }

    /// What no node of this kind can give, whatever runs there.
    pub(crate) fn refused_by(&self, node: &Node) -> Option<String> {
        let refused = network::refused(node, &self.networks).or_else(|| devices::refused(node, &self.devices));
        refused.or_else(|| cores::refused(node, self.group))
    }

    pub(crate) fn has_device_affinities(&self) -> bool {
        self.devices.iter().any(|device| !device.affinities.is_empty())
    }

    /// How much the group likes a node's devices, from -1 to 1.
    pub(crate) fn device_liking(&self, node: &Node) -> f64 {
        devices::liking(node, &self.devices)
    }

    /// Which exclusive thing is taken already. Dynamic ports and devices are looked at when they are chosen.
    pub(crate) fn taken(&self, node: &Node, usage: &Usage) -> Option<Misfit> {
        if self.cores > 0
            && let Some(misfit) = cores::taken(node, usage, self.group)
        {
            return Some(misfit);
        }
        let collision = if self.static_ports { network::collision(node, usage, &self.networks) } else { None };
        collision.or_else(|| volumes::taken(node, usage, &self.mounts))
    }

    /// The resources on a node: ports, cores and devices chosen. `salt` varies where dynamic ports begin, so that parallel plans choose others.
    pub(crate) fn assign(&self, node: &Node, usage: &Usage, salt: u64) -> Result<Arc<AllocatedResources>, Misfit> {
        if self.is_plain() {
            return Ok(Arc::clone(&self.template));
        }
        if let Some(misfit) = volumes::taken(node, usage, &self.mounts) {
            return Err(misfit);
        }
        let mut resources = if self.cores == 0 { (*self.template).clone() } else { self.without_exclusives(core_mhz(node)) };
        let mut ports = network::Chooser::new(node, usage, salt);
        for network in self.group.networks.iter() {
            ports.reserve_static(network)?;
        }
        for network in self.group.tasks.iter().flat_map(|task| task.resources.networks.iter()) {
            ports.reserve_static(network)?;
        }
        for network in self.group.networks.iter() {
            let (given, bound) = ports.give(network)?;
            resources.shared.networks.push(given);
            resources.shared.ports.extend(bound);
        }
        let mut cores = cores::Chooser::new(node, usage);
        let mut chosen = devices::Chooser::new(node, usage);
        for task in self.group.tasks.iter() {
            let Some(given) = resources.tasks.get_mut(task.name.as_str()) else { continue };
            for network in task.resources.networks.iter() {
                given.networks.push(ports.give(network)?.0);
            }
            let near: Vec<_> = cores::near_cores(&task.resources).collect();
            let place = cores.give(&task.resources, |numa_node| chosen.has_all(near.iter().copied(), numa_node))?;
            given.cpu.reserved_cores = place.cores.into();
            for device in task.resources.devices.iter() {
                let beside = place.numa_node.filter(|_| near.iter().any(|near| std::ptr::eq(*near, device)));
                given.devices.push(chosen.give(device, beside)?);
            }
        }
        Ok(Arc::new(resources))
    }
}

fn core_mhz(node: &Node) -> u64 {
    let cpu = &node.resources.cpu;
    cpu.cpu_mhz / u64::from(cpu.total_cores.max(1))
}
