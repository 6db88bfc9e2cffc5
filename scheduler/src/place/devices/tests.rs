use drover_model::job::{Affinity, Constraint};
use serde_json::json;

use super::*;

fn node() -> Node {
    let group = |name: &str, memory: u32, ids: &[&str]| {
        let instances: Vec<_> = ids.iter().map(|id| json!({"ID": id, "Healthy": true})).collect();
        json!({
            "Vendor": "nvidia", "Type": "gpu", "Name": name, "Instances": instances,
            "Attributes": {
                "memory": {"Int": memory, "Unit": "MiB"}, "bandwidth": {"Float": 320.0, "Unit": "GB/s"}, "mig": {"Bool": false},
                "driver": {"String": "535.1"}, "cores": {"Int": 3584},
            }
        })
    };
    let mut node = Node::default();
    node.resources.devices = vec![group("small", 4096, &["s1", "s2"]), group("large", 16_384, &["l1"])].into();
    node
}

fn asked(name: &str, count: u64) -> RequestedDevice {
    RequestedDevice { name: name.to_owned(), count, ..RequestedDevice::default() }
}

fn ids(asked: &RequestedDevice) -> Vec<String> {
    Chooser::new(&node(), Usage::none()).give(asked, None).map(|device| device.device_ids.0).unwrap_or_default()
}

#[test]
fn constraints_choose_among_groups_and_know_units() {
    use Operand::*;
    for (left, operand, right, want) in [
        ("${device.attr.memory}", GreaterOrEqual, "8 GiB", vec!["l1"]),
        ("${device.attr.memory}", Less, "8GiB", vec!["s1"]),
        ("${device.attr.memory}", Equal, "4 GiB", vec!["s1"]),
        ("${device.attr.memory}", Greater, "32 GiB", vec![]),
        ("${device.attr.memory}", Greater, "1", vec![]),
        ("${device.attr.bandwidth}", Greater, "300 GB/s", vec!["s1"]),
        ("${device.attr.bandwidth}", Greater, "300 GB", vec![]),
        ("${device.attr.cores}", GreaterOrEqual, "3584", vec!["s1"]),
        ("${device.attr.mig}", Equal, "false", vec!["s1"]),
        ("${device.attr.driver}", Version, ">= 535", vec!["s1"]),
        ("${device.model}", Regexp, "^lar", vec!["l1"]),
        ("${device.model}", NotEqual, "small", vec!["l1"]),
        ("${device.ids}", SetContains, "s2,s1", vec!["s1"]),
        ("${device.attr.none}", IsNotSet, "", vec!["s1"]),
        ("${device.attr.none}", IsSet, "", vec![]),
        ("${device.attr.none}", Equal, "x", vec![]),
    ] {
        let rule = Constraint { left: left.to_owned(), operand, right: right.to_owned() };
        let device = RequestedDevice { constraints: vec![rule].into(), ..asked("gpu", 1) };
        assert_eq!(ids(&device), want, "{left} {operand:?} {right}");
        assert_eq!(refused(&node(), &[&device]).is_some(), want.is_empty(), "{left} {operand:?} {right}");
    }
}

#[test]
fn names_and_counts_decide_and_affinities_prefer() {
    for (name, count, want) in [
        ("gpu", 2, vec!["s1", "s2"]),
        ("nvidia/gpu", 1, vec!["s1"]),
        ("nvidia/gpu/large", 1, vec!["l1"]),
        ("nvidia/gpu/large", 2, vec![]),
        ("amd/gpu", 1, vec![]),
    ] {
        assert_eq!(ids(&asked(name, count)), want, "{name} {count}");
    }
    for (weight, want, liking_of_node) in [(100, "l1", 1.0), (-100, "s1", 0.0)] {
        let affinity = Affinity { left: "${device.attr.memory}".to_owned(), operand: Operand::Greater, right: "8 GiB".to_owned(), weight };
        let device = RequestedDevice { affinities: vec![affinity].into(), ..asked("gpu", 1) };
        assert_eq!(ids(&device), [want], "{weight}");
        assert_eq!(liking(&node(), &[&device]), liking_of_node, "{weight}");
    }
}
