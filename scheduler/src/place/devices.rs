//! Devices: which of a node's instances a task is given.

use drover_model::{job::RequestedDevice, json::List, node::Node, resources::AllocatedDevice};
use serde::Deserialize;

use crate::{
    feasible::reason,
    fit::{Misfit, Usage},
};

/// As clients report them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeviceGroup {
    vendor: String,
    #[serde(rename = "Type")]
    kind: String,
    name: String,
    instances: List<Instance>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Instance {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Healthy")]
    healthy: bool,
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
        self.instances.iter().filter(|instance| instance.healthy).map(|instance| instance.id.as_str())
    }
}

/// Whether the node has too few of a kind, whoever uses them.
pub(super) fn refused(node: &Node, asked: &[&RequestedDevice]) -> Option<String> {
    if asked.is_empty() {
        return None;
    }
    let groups: Vec<_> = groups(node).collect();
    let enough = |device: &&RequestedDevice| {
        let wanted = usize::try_from(device.count).unwrap_or(usize::MAX);
        groups.iter().any(|group| group.is_called(&device.name) && group.healthy().count() >= wanted)
    };
    (!asked.iter().all(enough)).then(|| reason::DEVICES.to_owned())
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

    pub(super) fn give(&mut self, asked: &RequestedDevice) -> Result<AllocatedDevice, Misfit> {
        let wanted = usize::try_from(asked.count).unwrap_or(usize::MAX);
        for group in groups(self.node).filter(|group| group.is_called(&asked.name)) {
            let is_free = |id: &&str| {
                self.usage.devices.binary_search_by(|other| (**other).cmp(id)).is_err() && !self.given.iter().any(|other| other == id)
            };
            let ids: Vec<_> = group.healthy().filter(is_free).take(wanted).map(str::to_owned).collect();
            if ids.len() == wanted {
                self.given.extend(ids.iter().cloned());
                return Ok(AllocatedDevice { vendor: group.vendor, kind: group.kind, name: group.name, device_ids: List(ids) });
            }
        }
        Err(Misfit::Devices)
    }
}
