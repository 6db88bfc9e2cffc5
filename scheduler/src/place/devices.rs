//! Devices: which of a node's instances a task is given.

use std::collections::BTreeMap;

use drover_model::{
    job::{Operand, RequestedDevice},
    json::List,
    node::Node,
    resources::AllocatedDevice,
};
use serde::Deserialize;

use crate::{
    feasible::{compare_texts, reason},
    fit::{Misfit, Usage},
};
use attribute::Attribute;

mod attribute;

/// As clients report them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeviceGroup {
    vendor: String,
    #[serde(rename = "Type")]
    kind: String,
    name: String,
    instances: List<Instance>,
    attributes: Option<BTreeMap<String, Attribute>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Instance {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Healthy")]
    healthy: bool,
    #[serde(rename = "Locality")]
    locality: Option<Locality>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Locality {
    #[serde(rename = "PciBusID")]
    pci_bus_id: String,
}

/// The NUMA node of a device, as the client found it. On a machine with one there is no question.
fn numa_node(node: &Node, instance: &Instance) -> Option<u64> {
    let topology = &node.resources.processors.topology;
    if let Some([only]) = topology.get("Nodes").and_then(|nodes| nodes.as_array()).map(Vec::as_slice) {
        return only.as_u64();
    }
    topology.get("BusAssociativity")?.get(&instance.locality.as_ref()?.pci_bus_id)?.as_u64()
}

fn groups(node: &Node) -> impl Iterator<Item = DeviceGroup> + '_ {
    node.resources.devices.iter().filter_map(|value| DeviceGroup::deserialize(value).ok())
}

impl DeviceGroup {
    /// `type`, `vendor/type` or `vendor/type/name`.
    fn is_called(&self, name: &str) -> bool {
        let mut parts = name.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(kind), None, _) => kind == self.kind,
            (Some(vendor), Some(kind), None) => vendor == self.vendor && kind == self.kind,
            (Some(vendor), Some(kind), Some(name)) => vendor == self.vendor && kind == self.kind && name == self.name,
            (None, ..) => false,
        }
    }

    fn healthy(&self) -> impl Iterator<Item = &str> {
        self.healthy_on(None).map(|instance| instance.id.as_str())
    }

    /// Those on a NUMA node of a node, or all.
    fn healthy_on<'a>(&'a self, place: Option<(&'a Node, u64)>) -> impl Iterator<Item = &'a Instance> {
        let is_there = move |instance: &&Instance| place.is_none_or(|(node, wanted)| numa_node(node, instance) == Some(wanted));
        self.instances.iter().filter(|instance| instance.healthy).filter(is_there)
    }

    /// What `${device...}` means here, or the text itself.
    fn resolve(&self, target: &str) -> Option<Attribute> {
        let Some(path) = target.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return Some(Attribute::parse(target)) };
        let text = match path.trim().strip_prefix("device.")? {
            "vendor" => self.vendor.clone(),
            "type" => self.kind.clone(),
            "model" => self.name.clone(),
            "ids" => self.healthy().collect::<Vec<_>>().join(","),
            other => return self.attributes.as_ref()?.get(other.strip_prefix("attr.")?).cloned(),
        };
        Some(Attribute::Text(text))
    }

    fn holds(&self, left: &str, operand: Operand, right: &str) -> bool {
        let (left, right) = (self.resolve(left), self.resolve(right));
        match operand {
            Operand::IsSet => return left.is_some(),
            Operand::IsNotSet => return left.is_none(),
            Operand::NotEqual => return left.zip(right).is_none_or(|(left, right)| left.order(&right).is_none_or(|order| order.is_ne())),
            _ => {}
        }
        let Some((left, right)) = left.zip(right) else { return false };
        match operand {
            Operand::Equal => left.order(&right).is_some_and(|order| order.is_eq()),
            Operand::Less => left.order(&right).is_some_and(|order| order.is_lt()),
            Operand::LessOrEqual => left.order(&right).is_some_and(|order| order.is_le()),
            Operand::Greater => left.order(&right).is_some_and(|order| order.is_gt()),
            Operand::GreaterOrEqual => left.order(&right).is_some_and(|order| order.is_ge()),
            _ => compare_texts(operand, &left.to_string(), &right.to_string()),
        }
    }

    fn suits(&self, asked: &RequestedDevice) -> bool {
        self.is_called(&asked.name) && asked.constraints.iter().all(|rule| self.holds(&rule.left, rule.operand, &rule.right))
    }

    /// From -1 to 1; 0 when there is nothing to say.
    fn liking(&self, asked: &RequestedDevice) -> f64 {
        let total: f64 = asked.affinities.iter().map(|affinity| f64::from(affinity.weight).abs()).sum();
        if total == 0.0 {
            return 0.0;
        }
        let matched = asked.affinities.iter().filter(|affinity| self.holds(&affinity.left, affinity.operand, &affinity.right));
        matched.map(|affinity| f64::from(affinity.weight)).sum::<f64>() / total
    }
}

fn wanted(asked: &RequestedDevice) -> usize {
    usize::try_from(asked.count).unwrap_or(usize::MAX)
}

/// Whether the node has too few of a kind, whoever uses them.
pub(super) fn refused(node: &Node, asked: &[&RequestedDevice]) -> Option<String> {
    if asked.is_empty() {
        return None;
    }
    let groups: Vec<_> = groups(node).collect();
    let enough = |device: &&RequestedDevice| groups.iter().any(|group| group.suits(device) && group.healthy().count() >= wanted(device));
    (!asked.iter().all(enough)).then(|| reason::DEVICES.to_owned())
}

/// How much a node's devices are liked: the mean over what is asked for, each by the best group that has enough.
pub(super) fn liking(node: &Node, asked: &[&RequestedDevice]) -> f64 {
    let groups: Vec<_> = groups(node).collect();
    let best = |device: &&RequestedDevice| {
        let able = groups.iter().filter(|group| group.suits(device) && group.healthy().count() >= wanted(device));
        able.map(|group| group.liking(device)).max_by(f64::total_cmp).unwrap_or(0.0)
    };
    let with_opinion: Vec<f64> = asked.iter().filter(|device| !device.affinities.is_empty()).map(best).collect();
    let count = f64::from(u32::try_from(with_opinion.len()).unwrap_or(u32::MAX).max(1));
    with_opinion.iter().sum::<f64>() / count
}

pub(super) struct Chooser<'n> {
    node: &'n Node,
    usage: &'n Usage,
    given: Vec<String>,
}

impl<'n> Chooser<'n> {
    pub(super) fn new(node: &'n Node, usage: &'n Usage) -> Self {
        Self { node, usage, given: Vec::new() }
    }

    fn is_free(&self, id: &str) -> bool {
        self.usage.devices.binary_search_by(|other| (**other).cmp(id)).is_err() && !self.given.iter().any(|other| other == id)
    }

    /// Whether a NUMA node has enough of each.
    pub(super) fn has_all<'d>(&self, mut asked: impl Iterator<Item = &'d RequestedDevice>, numa_node: u64) -> bool {
        let mut trial = Self { given: self.given.clone(), ..*self };
        asked.all(|device| trial.give(device, Some(numa_node)).is_ok())
    }

    /// Of the groups that have enough free instances, on the NUMA node `beside` where that matters, the one that is liked best; the first of equals.
    pub(super) fn give(&mut self, asked: &RequestedDevice, beside: Option<u64>) -> Result<AllocatedDevice, Misfit> {
        let mut best: Option<(f64, AllocatedDevice)> = None;
        for group in groups(self.node).filter(|group| group.suits(asked)) {
            let instances = group.healthy_on(beside.map(|numa_node| (self.node, numa_node)));
            let free = instances.map(|instance| &instance.id).filter(|id| self.is_free(id));
            let ids: Vec<_> = free.take(wanted(asked)).cloned().collect();
            let liking = group.liking(asked);
            if ids.len() == wanted(asked) && best.as_ref().is_none_or(|(most, _)| liking > *most) {
                best = Some((liking, AllocatedDevice { vendor: group.vendor, kind: group.kind, name: group.name, device_ids: List(ids) }));
            }
        }
        let (_, device) = best.ok_or(Misfit::Devices)?;
        self.given.extend(device.device_ids.iter().cloned());
        Ok(device)
    }
}

#[cfg(test)]
mod tests;
