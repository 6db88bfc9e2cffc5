//! Whole cores for single tasks, on one NUMA node where a task asks for that, with its devices beside them.

use std::collections::BTreeMap;

use drover_model::{
    job::{RequestedDevice, Resources, TaskGroup},
    node::Node,
};

use super::devices;
use crate::{
    feasible::reason,
    fit::{Misfit, Usage},
};

/// How much a task cares that its cores are close to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closeness {
    Any,
    Prefer,
    Require,
}

fn closeness(asked: &Resources) -> Closeness {
    match asked.numa.as_ref().map(|numa| numa.affinity.as_str()) {
        Some("prefer") => Closeness::Prefer,
        Some("require") => Closeness::Require,
        _ => Closeness::Any,
    }
}

/// The NUMA node of each core, as the client found it; a core that it does not name is on node 0.
fn numa_nodes(node: &Node) -> BTreeMap<u64, u64> {
    let cores = node.resources.processors.topology.get("Cores").and_then(|cores| cores.as_array());
    let pair = |core: &serde_json::Value| Some((core.get("ID")?.as_u64()?, core.get("NodeID")?.as_u64()?));
    cores.into_iter().flatten().filter_map(pair).collect()
}

fn reservable(node: &Node) -> impl Iterator<Item = u16> + '_ {
    let kept = &node.reserved.cpu.reserved_cores;
    node.resources.cpu.reservable_cores.iter().copied().filter(|core| !kept.contains(core))
}

/// Cores by NUMA node.
fn by_numa_node(node: &Node, cores: impl Iterator<Item = u16>) -> BTreeMap<u64, Vec<u16>> {
    let places = numa_nodes(node);
    let mut grouped: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
    cores.for_each(|core| grouped.entry(places.get(&u64::from(core)).copied().unwrap_or(0)).or_default().push(core));
    grouped
}

/// The devices of a task that are to be on the NUMA node of its cores.
pub(super) fn near_cores(asked: &Resources) -> impl Iterator<Item = &RequestedDevice> {
    let named = asked.numa.as_ref().filter(|_| closeness(asked) != Closeness::Any).map_or(&[][..], |numa| &numa.devices);
    asked.devices.iter().filter(move |device| named.contains(&device.name))
}

/// What a node cannot give, whoever uses it: as many cores on one NUMA node as a task requires there, and its devices.
pub(super) fn refused(node: &Node, group: &TaskGroup) -> Option<String> {
    let strict =
        || group.tasks.iter().map(|task| &task.resources).filter(|asked| closeness(asked) == Closeness::Require && asked.cores > 0);
    strict().next()?;
    let cores = by_numa_node(node, reservable(node));
    let unused = Usage::none();
    let suits = |asked: &Resources| {
        let beside = |numa_node: u64| devices::Chooser::new(node, unused).has_all(near_cores(asked), numa_node);
        cores.iter().any(|(numa_node, cores)| cores.len() >= asked.cores as usize && beside(*numa_node))
    };
    (!strict().all(suits)).then(|| reason::TOPOLOGY.to_owned())
}

/// The cores given to a task, and their NUMA node where that matters to it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) cores: Vec<u16>,
    pub(super) numa_node: Option<u64>,
}

/// Gives cores of one node to one allocation.
pub(super) struct Chooser<'n> {
    node: &'n Node,
    free: Vec<u16>,
}

impl<'n> Chooser<'n> {
    pub(super) fn new(node: &'n Node, usage: &Usage) -> Self {
        Self { node, free: reservable(node).filter(|core| usage.cores.binary_search(core).is_err()).collect() }
    }

    /// `beside`: whether a NUMA node has the devices that are to be near. Who only prefers that takes cores on one node without them, or any.
    pub(super) fn give(&mut self, asked: &Resources, beside: impl Fn(u64) -> bool) -> Result<Given, Misfit> {
        let wanted = asked.cores as usize;
        if wanted == 0 {
            return Ok(Given::default());
        }
        let closeness = closeness(asked);
        let from = match closeness {
            Closeness::Any => None,
            // The one that is left with the least: others may need the larger rest.
            _ => by_numa_node(self.node, self.free.iter().copied())
                .into_iter()
                .filter(|(numa_node, cores)| cores.len() >= wanted && (closeness == Closeness::Prefer || beside(*numa_node)))
                .min_by_key(|(numa_node, cores)| (!beside(*numa_node), cores.len())),
        };
        let given = match from {
            Some((numa_node, cores)) => Given { cores: cores[..wanted].to_vec(), numa_node: Some(numa_node).filter(|node| beside(*node)) },
            None if self.free.len() < wanted => return Err(Misfit::Cores),
            None if closeness == Closeness::Require => return Err(Misfit::NumaCores),
            None => Given { cores: self.free[..wanted].to_vec(), numa_node: None },
        };
        self.free.retain(|core| !given.cores.contains(core));
        Ok(given)
    }
}

/// Whether the cores that a group asks for are to be had at this moment. The devices beside them are looked at when they are chosen.
pub(super) fn taken(node: &Node, usage: &Usage, group: &TaskGroup) -> Option<Misfit> {
    let mut chooser = Chooser::new(node, usage);
    group.tasks.iter().find_map(|task| chooser.give(&task.resources, |_| true).err())
}

#[cfg(test)]
mod tests {
    use drover_model::{job::Task, spec::Numa};
    use serde_json::json;

    use super::*;

    /// Cores 0 to 3 on NUMA node 0, 4 and 5 on node 1.
    fn node() -> Node {
        let mut node = Node::default();
        node.resources.cpu.reservable_cores = vec![0, 1, 2, 3, 4, 5].into();
        let cores: Vec<_> = (0..6).map(|id| json!({"ID": id, "NodeID": u8::from(id > 3)})).collect();
        node.resources.processors.topology = json!({ "Cores": cores });
        node
    }

    fn asking(cores: u32, affinity: &str) -> TaskGroup {
        let numa = Some(Numa { affinity: affinity.to_owned(), ..Numa::default() });
        let task = Task { resources: Resources { cores, numa, ..Resources::default() }, ..Task::default() };
        TaskGroup { tasks: vec![task].into(), ..TaskGroup::default() }
    }

    /// The same node with one card on NUMA node 0 and two on node 1.
    fn with_cards() -> Node {
        let mut node = node();
        node.resources.processors.topology["BusAssociativity"] = json!({"01": 0, "02": 1, "03": 1});
        let card = |bus: &str| json!({"ID": format!("card{bus}"), "Healthy": true, "Locality": {"PciBusID": bus}});
        let cards = json!({"Vendor": "nvidia", "Type": "gpu", "Name": "k", "Instances": [card("01"), card("02"), card("03")]});
        node.resources.devices = vec![cards].into();
        node
    }

    #[test]
    fn devices_are_on_the_numa_node_of_the_cores_where_that_is_asked_for() {
        for (cores, count, affinity, used, want) in [
            // Without devices the cores would come from node 1, where fewer are left; with two cards node 1 is the only one.
            (2, 2, "require", vec![], Ok((vec![4, 5], Some(1)))),
            (3, 1, "require", vec![], Ok((vec![0, 1, 2], Some(0)))),
            (1, 1, "require", vec!["card02", "card03"], Ok((vec![0], Some(0)))),
            (1, 2, "require", vec!["card02"], Err(Misfit::NumaCores)),
            (1, 2, "prefer", vec!["card02"], Ok((vec![4], None))),
            (5, 1, "prefer", vec![], Ok((vec![0, 1, 2, 3, 4], None))),
        ] {
            let mut group = asking(cores, affinity);
            let resources = &mut group.tasks[0].resources;
            resources.devices = vec![RequestedDevice { name: "gpu".to_owned(), count, ..RequestedDevice::default() }].into();
            resources.numa.as_mut().unwrap().devices = vec!["gpu".to_owned()].into();
            let usage = Usage { devices: used.iter().map(|id| Box::from(*id)).collect(), ..Usage::default() };
            let node = with_cards();
            let chosen = devices::Chooser::new(&node, &usage);
            let resources = &group.tasks[0].resources;
            let got = Chooser::new(&node, &usage).give(resources, |numa_node| chosen.has_all(near_cores(resources), numa_node));
            assert_eq!(got.map(|given| (given.cores, given.numa_node)), want, "{cores} {count} {affinity} {used:?}");
        }
        let mut impossible = asking(3, "require");
        let resources = &mut impossible.tasks[0].resources;
        resources.devices = vec![RequestedDevice { name: "gpu".to_owned(), count: 2, ..RequestedDevice::default() }].into();
        assert_eq!(refused(&with_cards(), &impossible), None, "the cards may be elsewhere");
        impossible.tasks[0].resources.numa.as_mut().unwrap().devices = vec!["gpu".to_owned()].into();
        assert_eq!(refused(&with_cards(), &impossible).as_deref(), Some(reason::TOPOLOGY));
    }

    #[test]
    fn cores_are_close_where_that_is_asked_for() {
        for (cores, affinity, used, want) in [
            (2, "none", vec![0], Ok(vec![1, 2])),
            (2, "prefer", vec![], Ok(vec![4, 5])),
            (3, "require", vec![], Ok(vec![0, 1, 2])),
            (2, "require", vec![5], Ok(vec![0, 1])),
            (2, "prefer", vec![0, 1, 2, 5], Ok(vec![3, 4])),
            (2, "require", vec![0, 1, 2, 5], Err(Misfit::NumaCores)),
            (3, "require", vec![0, 1, 2, 5], Err(Misfit::Cores)),
            (7, "none", vec![], Err(Misfit::Cores)),
        ] {
            let (group, usage) = (asking(cores, affinity), Usage { cores: used, ..Usage::default() });
            let got = Chooser::new(&node(), &usage).give(&group.tasks[0].resources, |_| true).map(|given| given.cores);
            assert_eq!(taken(&node(), &usage, &group), got.as_ref().err().cloned());
            assert_eq!(got, want, "{cores} {affinity}");
        }
        for (cores, affinity, want) in [(4, "require", false), (5, "require", true), (5, "prefer", false), (5, "none", false)] {
            assert_eq!(refused(&node(), &asking(cores, affinity)).is_some(), want, "{cores} {affinity}");
        }
    }
}
