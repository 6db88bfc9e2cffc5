//! Which processors and devices are close to which part of the memory.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::read;

const NODES: &str = "/sys/devices/system/node";
const PCI_DEVICES: &str = "/sys/bus/pci/devices";

/// Cores of each NUMA node, in the kernel's form: `0-3,8`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numa {
    pub(super) nodes: BTreeMap<u64, String>,
}

impl Numa {
    /// Nodes without processors (memory alone) are left out. A kernel that knows of none has one with all `cores`.
    pub(super) fn look(cores: u16) -> Self {
        let online = parse_list(&read(format!("{NODES}/online")));
        let of_node = |id: u64| (id, read(format!("{NODES}/node{id}/cpulist")).trim().to_owned());
        let mut nodes: BTreeMap<u64, String> = online.into_iter().map(of_node).filter(|(_, cores)| !cores.is_empty()).collect();
        if nodes.is_empty() {
            nodes.insert(0, if cores <= 1 { "0".to_owned() } else { format!("0-{}", cores - 1) });
        }
        Self { nodes }
    }

    pub(super) fn node_of(&self, core: u16) -> u64 {
        let has = |cores: &str| parse_list(cores).contains(&u64::from(core));
        self.nodes.iter().find(|(_, cores)| has(cores)).map_or(0, |(id, _)| *id)
    }

    /// How far each node is from each, or null where there is one.
    pub(super) fn distances(&self) -> Value {
        if self.nodes.len() < 2 {
            return Value::Null;
        }
        let row = |id: &u64| -> Vec<u64> {
            read(format!("{NODES}/node{id}/distance")).split_whitespace().filter_map(|text| text.parse().ok()).collect()
        };
        json!(self.nodes.keys().map(row).collect::<Vec<_>>())
    }

    /// The node of each PCI device by its bus id, or null where there is one node.
    pub(super) fn buses(&self) -> Value {
        let Ok(devices) = fs::read_dir(PCI_DEVICES) else { return Value::Null };
        if self.nodes.len() < 2 {
            return Value::Null;
        }
        let of_device = |name: String| {
            // -1 where the firmware does not say.
            let node = read(format!("{PCI_DEVICES}/{name}/numa_node")).trim().parse::<u64>().ok()?;
            Some((name, node))
        };
        let names = devices.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        json!(names.filter_map(of_device).collect::<BTreeMap<_, _>>())
    }
}

/// More processors than any machine has: the kernel's limit is 8,192.
const MOST: u64 = 65_536;

/// `0-3,8` as numbers; what is no number is left out.
fn parse_list(text: &str) -> Vec<u64> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u64>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<u64>().ok()?);
        Some(first..=last.min(MOST))
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        for (text, want) in [("0", vec![0]), ("0-2,8\n", vec![0, 1, 2, 8]), ("", vec![]), ("x,1-", vec![]), ("3-1", vec![])] {
            assert_eq!(parse_list(text), want, "{text}");
        }
    }

    #[test]
    fn each_core_is_on_the_node_that_lists_it() {
        let numa = Numa { nodes: [(0, "0-1,4".to_owned()), (1, "2-3".to_owned())].into() };
        let nodes: Vec<_> = (0..6).map(|core| numa.node_of(core)).collect();
        assert_eq!(nodes, [0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn this_machine_has_a_node_with_its_cores() {
        let numa = Numa::look(2);
        assert!(numa.nodes.values().any(|cores| parse_list(cores).contains(&0)), "{numa:?}");
    }
}
