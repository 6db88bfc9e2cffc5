use std::sync::Arc;

use drover_model::{
    node::{Eligibility, NodeStatus},
    resources::{AllocatedCpu, AllocatedMemory, AllocatedPort, AllocatedTask},
};

use super::*;

fn node() -> Node {
    let mut node = Node { status: NodeStatus::Ready, ..Node::default() };
    node.resources.cpu.cpu_mhz = 1000;
    node.resources.memory.memory_mib = 1000;
    node.resources.disk.disk_mib = 1000;
    node
}

fn allocation(cpu_mhz: u64, memory_mib: u64, disk_mib: u64, port: u16, core: Option<u16>) -> Allocation {
    let mut resources = AllocatedResources::default();
    let task = AllocatedTask {
        cpu: AllocatedCpu { cpu_mhz, reserved_cores: core.into_iter().collect() },
        memory: AllocatedMemory { memory_mib, memory_max_mib: 0 },
        ..AllocatedTask::default()
    };
    resources.tasks.insert("t".into(), task);
    resources.shared.disk_mib = disk_mib;
    resources.shared.ports.push(AllocatedPort { label: "http".into(), value: port, to: 0, host_ip: "10.0.0.1".into() });
    Allocation { resources: Arc::new(resources), ..Allocation::default() }
}

#[test]
fn the_applier_takes_exactly_what_fits() {
    let used = allocation(600, 600, 600, 80, Some(1));
    let port = |port| Misfit::ReservedPort { label: "http".to_owned(), port };
    for (name, stopped, placed, want) in [
        ("fits to the brim", vec![], vec![allocation(400, 400, 400, 81, None)], Ok(())),
        ("cpu", vec![], vec![allocation(401, 1, 1, 81, None)], Err(Misfit::Cpu)),
        ("memory", vec![], vec![allocation(1, 401, 1, 81, None)], Err(Misfit::Memory)),
        ("disk", vec![], vec![allocation(1, 1, 401, 81, None)], Err(Misfit::Disk)),
        ("port", vec![], vec![allocation(1, 1, 1, 80, None)], Err(port(80))),
        ("core", vec![], vec![allocation(1, 1, 1, 81, Some(1))], Err(Misfit::Cores)),
        ("the place of one that stops", vec![&used], vec![allocation(1000, 1000, 1000, 80, Some(1))], Ok(())),
        ("two of which one fits", vec![], vec![allocation(300, 1, 1, 81, None), allocation(300, 1, 1, 82, None)], Err(Misfit::Cpu)),
        ("two with one port", vec![], vec![allocation(1, 1, 1, 81, None), allocation(1, 1, 1, 81, None)], Err(port(81))),
    ] {
        let got = apply_check(Some(&node()), &Usage::of([&used]), stopped, &placed);
        assert_eq!(got.map(|_| ()), want, "{name}");
    }
}

#[test]
fn a_node_that_takes_no_work_may_still_lose_some() {
    let used = allocation(600, 600, 600, 80, None);
    let usage = Usage::of([&used]);
    let ineligible = Node { eligibility: Eligibility::Ineligible, ..node() };
    let down = Node { status: NodeStatus::Down, ..node() };
    for closed in [Some(&ineligible), Some(&down), None] {
        assert_eq!(apply_check(closed, &usage, [&used], []), Ok(Usage::default()));
        assert!(apply_check(closed, &usage, [], [&allocation(1, 1, 1, 81, None)]).is_err());
    }
    let full = Node { max_allocs: 1, ..node() };
    assert_eq!(apply_check(Some(&full), &usage, [], [&allocation(1, 1, 1, 81, None)]), Err(Misfit::MaxAllocations));
}

#[test]
fn removing_undoes_adding() {
    let (first, second) = (allocation(1, 2, 3, 80, Some(4)), allocation(5, 6, 7, 80, Some(8)));
    let before = Usage::of([&first]);
    let mut usage = before.clone();
    usage.add(&second);
    assert_ne!(usage, before);
    usage.remove(&second);
    assert_eq!(usage, before);
    usage.remove(&first);
    assert_eq!(usage, *Usage::none());
}

#[test]
fn ports_collide_on_one_address_or_on_all() {
    let mut ports = HostPorts::default();
    ports.insert("10.0.0.1", 80);
    ports.insert("0.0.0.0", 443);
    for (ip, port, want) in
        [("10.0.0.1", 80, true), ("10.0.0.2", 80, false), ("", 80, true), ("10.0.0.2", 443, true), ("10.0.0.1", 81, false)]
    {
        assert_eq!(ports.contains(ip, port), want, "{ip}:{port}");
    }
    for (list, port, want) in [("22,80", 80, true), ("22, 8000-8080", 8080, true), ("22", 23, false), ("", 0, false), ("x-y,z", 5, false)] {
        assert_eq!(listed_ports(list, port), want, "{list} {port}");
    }
}
