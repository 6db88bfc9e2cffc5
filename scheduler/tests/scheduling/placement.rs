//! Where allocations go, and what is said when they cannot.

use std::collections::{BTreeMap, BTreeSet};

use drover_model::{
    evaluation::{EvalStatus, Evaluation, Trigger},
    job::{Affinity, Constraint, Job, JobType, NetworkResource, Operand, Port, Spread},
    node::{Node, NodeAddress, NodeNetwork},
};
use drover_scheduler::{Algorithm, Config, Inputs, schedule};

use super::support::*;

fn constraint(left: &str, operand: Operand, right: &str) -> Constraint {
    Constraint { left: left.to_owned(), operand, right: right.to_owned() }
}

fn edited(number: u16, edit: impl FnOnce(&mut Node)) -> Node {
    let mut node = node(number);
    edit(&mut node);
    node.compute_class();
    node
}

fn per_node(cluster: &Cluster) -> Vec<u32> {
    cluster.nodes.values().map(|(_, usage)| usage.allocations).collect()
}

fn batch(count: u32) -> Job {
    job(JobType::Batch, count)
}

#[test]
fn nodes_that_are_out_of_the_question_are_named_with_their_reason() {
    type Edit = fn(&mut Node);
    let cases: Vec<(&str, Edit, Job)> = vec![
        ("missing drivers", |node| node.drivers.get_mut("exec").unwrap().healthy = false, batch(1)),
        ("${attr.kernel.name} = linux", |node| _ = node.attributes.insert("kernel.name".to_owned(), "plan9".to_owned()), {
            Job { constraints: vec![constraint("${attr.kernel.name}", Operand::Equal, "linux")].into(), ..batch(1) }
        }),
        ("${node.unique.name} = n9", |_| (), {
            Job { constraints: vec![constraint("${node.unique.name}", Operand::Equal, "n9")].into(), ..batch(1) }
        }),
        ("missing host network \"lan\" for port \"p\"", |_| (), {
            let mut job = batch(1);
            let port = Port { label: "p".to_owned(), host_network: "lan".to_owned(), ..Port::default() };
            job.task_groups[0].networks.push(NetworkResource { dynamic_ports: vec![port].into(), ..NetworkResource::default() });
            job
        }),
        ("missing network", |_| (), {
            let mut job = batch(1);
            job.task_groups[0].networks.push(NetworkResource { mode: "bridge".to_owned(), ..NetworkResource::default() });
            job
        }),
    ];
    for (reason, edit, job) in cases {
        let mut cluster = Cluster::new([edited(0, edit), edited(1, edit)]);
        let outcome = cluster.register(job).step();
        let metric = &outcome.failed["g"];
        assert_eq!(metric.constraint_filtered.get(reason), Some(&2), "{reason}: {metric:?}");
        assert_eq!((metric.nodes_evaluated, metric.nodes_filtered, metric.nodes_exhausted, metric.nodes_in_pool), (2, 2, 0, 2));
        assert_eq!(metric.nodes_available["dc1"], 2);
        assert_eq!(outcome.queued["g"], 1);
    }
}

#[test]
fn what_does_not_fit_waits_in_a_blocked_evaluation() {
    let mut job = batch(3);
    job.task_groups[0].tasks[0].resources.memory_mib = 9000;
    let mut cluster = Cluster::of(2);
    let outcome = cluster.register(job).step();
    let metric = &outcome.failed["g"];
    assert_eq!((metric.nodes_exhausted, metric.dimension_exhausted["memory"], metric.coalesced_failures), (2, 2, 2));
    assert_eq!(metric.resources_exhausted["t"].memory_mib, 27_000);
    assert_eq!(metric.resources_exhausted["t"].cpu_mhz, 0);
    let blocked = &outcome.followups[0];
    assert_eq!((blocked.status, blocked.triggered_by), (EvalStatus::Blocked, Trigger::QueuedAllocs));
    assert_eq!(blocked.status_description, "created to place remaining allocations");
    assert_eq!(blocked.class_eligibility.values().copied().collect::<Vec<_>>(), [true]);
    assert!(!blocked.escaped_computed_class);
    assert_eq!(blocked.previous_eval, Some(cluster.evaluation().id));
    assert_eq!(outcome.queued["g"], 3);
}

#[test]
fn scope_is_pool_and_datacenter() {
    let nodes = || [node(0), edited(1, |node| node.datacenter = "eu-2".to_owned()), edited(2, |node| node.node_pool = "gpu".to_owned())];
    for (datacenters, pool, want) in
        [("dc1", "default", [1, 0, 0]), ("eu-*", "default", [0, 1, 0]), ("*", "gpu", [0, 0, 1]), ("none", "all", [0, 0, 0])]
    {
        let mut cluster = Cluster::new(nodes());
        cluster.register(Job { datacenters: vec![datacenters.to_owned()].into(), node_pool: pool.to_owned(), ..batch(1) }).step();
        assert_eq!(per_node(&cluster), want, "{datacenters} {pool}");
    }
    let mut cluster = Cluster::new(nodes());
    let mut job = Job { node_pool: "all".to_owned(), ..batch(3) };
    job.constraints.push(constraint("", Operand::DistinctHosts, "true"));
    cluster.register(job).step();
    assert_eq!(per_node(&cluster), [1, 1, 1]);
}

#[test]
fn packing_fills_a_node_and_spreading_does_not() {
    // Without others of its group on a node, the fullest node is the best.
    for (algorithm, want) in [(Algorithm::Binpack, 1), (Algorithm::Spread, 4)] {
        let mut cluster = Cluster::of(4);
        cluster.config = Config { algorithm, ..Config::default() };
        for number in 0..4 {
            cluster.register(Job { id: format!("j{number}").into(), ..batch(1) });
            cluster.seed = number;
            let evaluation = Evaluation { job_id: format!("j{number}").into(), ..cluster.evaluation() };
            let inputs = Inputs::alone(cluster.now, number);
            let outcome = schedule(&cluster, &evaluation, inputs).unwrap();
            for placed in outcome.plan.placements {
                cluster.nodes.get_mut(&placed.node_id).unwrap().1.add(&placed);
            }
        }
        assert_eq!(per_node(&cluster).iter().filter(|count| **count > 0).count(), want, "{algorithm:?}");
    }
}

#[test]
fn every_node_is_looked_at() {
    // Exactly one of many is the best, wherever it is.
    for best in [0, 77, 199] {
        let nodes = (0..200).map(|number| {
            edited(number, |node| {
                if number == best {
                    node.resources.memory.memory_mib = 4000
                }
            })
        });
        let mut cluster = Cluster::new(nodes);
        let outcome = cluster.register(batch(1)).step();
        assert_eq!(outcome.plan.placements[0].node_id, node_id(best));
        let shown = &outcome.plan.placements[0].metrics.score_meta_data;
        assert_eq!((shown.len(), shown[0].node_id), (5, node_id(best)));
        assert!(shown[0].norm_score > shown[1].norm_score);
    }
}

#[test]
fn near_ties_are_broken_by_the_seed() {
    let chosen: BTreeSet<_> = (0..40)
        .map(|seed| {
            let mut cluster = Cluster::of(10);
            cluster.seed = seed;
            cluster.register(batch(1)).step().plan.placements[0].node_id
        })
        .collect();
    assert!(chosen.len() > 5, "{chosen:?}");
}

#[test]
fn distinct_hosts_and_properties_hold_also_for_what_runs_already() {
    let rack = |number: u16| edited(number, |node| _ = node.meta.insert("rack".to_owned(), format!("r{}", number % 2)));
    let with = |constraint: Constraint, count| {
        let mut job = batch(count);
        job.task_groups[0].constraints.push(constraint);
        let mut cluster = Cluster::new((0..4).map(rack));
        let first = cluster
            .register(Job {
                task_groups: {
                    let mut groups = job.task_groups.clone();
                    groups[0].count = 2;
                    groups
                },
                ..job.clone()
            })
            .step();
        assert_eq!(first.plan.placements.len(), 2);
        let outcome = cluster.settle().change(|job| job.task_groups[0].count = count).step();
        (per_node(&cluster), outcome)
    };
    let (spread, outcome) = with(constraint("", Operand::DistinctHosts, ""), 6);
    assert_eq!((spread, outcome.queued["g"]), (vec![1, 1, 1, 1], 2));
    assert_eq!(outcome.failed["g"].constraint_filtered["distinct_hosts"], 4);
    let (spread, outcome) = with(constraint("${meta.rack}", Operand::DistinctProperty, "2"), 6);
    assert_eq!((spread[0] + spread[2], spread[1] + spread[3], outcome.queued["g"]), (2, 2, 2));
    let key = "distinct_property: ${meta.rack}=r0 used by 2 allocs";
    assert_eq!(outcome.failed["g"].constraint_filtered[key], 2, "{:?}", outcome.failed["g"].constraint_filtered);
}

#[test]
fn affinities_draw_and_repel() {
    for (weight, want) in [(100, [3, 0]), (-100, [0, 3])] {
        let mut cluster = Cluster::new([edited(0, |node| node.node_class = "big".to_owned()), node(1)]);
        let affinity = Affinity { left: "${node.class}".to_owned(), right: "big".to_owned(), operand: Operand::Equal, weight };
        let mut job = batch(30);
        job.task_groups[0].count = 3;
        cluster.register(Job { affinities: vec![affinity].into(), ..job }).step();
        let got = per_node(&cluster);
        assert!((got[0] > got[1]) == (want[0] > want[1]), "{weight}: {got:?}");
    }
}

#[test]
fn a_spread_is_even_over_values() {
    let nodes = (0..9).map(|number| edited(number, |node| node.datacenter = format!("dc{}", number / 3)));
    let mut cluster = Cluster::new(nodes);
    let spread = Spread { attribute: "${node.datacenter}".to_owned(), weight: 100, ..Spread::default() };
    cluster.register(Job { spreads: vec![spread].into(), ..batch(12) }).step();
    let mut by_datacenter: BTreeMap<&str, u32> = BTreeMap::new();
    for (node, usage) in cluster.nodes.values() {
        *by_datacenter.entry(&node.datacenter).or_default() += usage.allocations;
    }
    assert_eq!(by_datacenter.into_values().collect::<Vec<_>>(), [4, 4, 4]);
}

#[test]
fn ports_are_chosen_from_the_range_and_never_twice() {
    let mut job = batch(12);
    let port = |label: &str, value, to| Port { label: label.to_owned(), value, to, ..Port::default() };
    let network = NetworkResource { dynamic_ports: vec![port("http", 0, -1), port("admin", 0, 8080)].into(), ..NetworkResource::default() };
    job.task_groups[0].networks.push(network);
    job.task_groups[0].tasks[0].resources.cpu_mhz = 10;
    let mut cluster = Cluster::of(2);
    let outcome = cluster.register(job).step();
    // Ten ports on each node, two for each allocation.
    assert_eq!((outcome.plan.placements.len(), outcome.queued["g"]), (10, 2));
    assert_eq!(outcome.failed["g"].dimension_exhausted["network: dynamic port selection failed"], 2);
    let mut seen = BTreeSet::new();
    for placed in &outcome.plan.placements {
        let shared = &placed.resources.shared;
        let [http, admin] = &shared.ports[..] else { panic!("{:?}", shared.ports) };
        assert_eq!((http.to, admin.to), (i64::from(http.value), 8080));
        assert!((20_000..20_010).contains(&http.value) && http.host_ip.starts_with("10.0.0."));
        assert_eq!(shared.networks[0].dynamic_ports[0].value, http.value);
        assert!(seen.insert((placed.node_id, http.value)) && seen.insert((placed.node_id, admin.value)));
    }
}

#[test]
fn a_port_named_by_number_is_one_on_each_node() {
    let mut job = batch(3);
    let port = Port { label: "http".to_owned(), value: 80, ..Port::default() };
    job.task_groups[0].networks.push(NetworkResource { reserved_ports: vec![port].into(), ..NetworkResource::default() });
    let kept = edited(2, |node| node.reserved.networks.reserved_host_ports = "22,70-90".to_owned());
    let mut cluster = Cluster::new([node(0), node(1), kept]);
    let outcome = cluster.register(job).step();
    assert_eq!((per_node(&cluster), outcome.queued["g"]), (vec![1, 1, 0], 1));
    assert_eq!(outcome.failed["g"].dimension_exhausted["network: reserved port collision http=80"], 3);
}

#[test]
fn cores_are_given_to_one_task_each() {
    let mut job = batch(3);
    let resources = &mut job.task_groups[0].tasks[0].resources;
    (resources.cores, resources.cpu_mhz) = (2, 0);
    let mut cluster = Cluster::of(1);
    let outcome = cluster.register(job).step();
    let cores: Vec<_> =
        outcome.plan.placements.iter().flat_map(|placed| placed.resources.tasks["t"].cpu.reserved_cores.iter().copied()).collect();
    assert_eq!((cores, outcome.queued["g"]), (vec![0, 1, 2, 3], 1));
    assert_eq!(outcome.plan.placements[0].resources.tasks["t"].cpu.cpu_mhz, 2000);
}

#[test]
fn all_at_once_is_all_or_nothing() {
    let mut cluster = Cluster::of(1);
    let outcome = cluster.register(Job { all_at_once: true, ..batch(20) }).step();
    assert!(outcome.plan.placements.is_empty());
    assert_eq!(outcome.queued["g"], 20);
    let outcome = cluster.register(Job { all_at_once: true, ..batch(8) }).step();
    assert_eq!(outcome.plan.placements.len(), 8);
}

#[test]
fn memory_beyond_the_reserved_is_given_where_operators_allow_it() {
    for (allowed, want) in [(false, 0), (true, 1024)] {
        let mut job = batch(1);
        job.task_groups[0].tasks[0].resources.memory_max_mib = 1024;
        let mut cluster = Cluster::of(1);
        cluster.config.memory_oversubscription = allowed;
        let outcome = cluster.register(job).step();
        assert_eq!(outcome.plan.placements[0].resources.tasks["t"].memory.memory_max_mib, want);
    }
}

#[test]
fn sticky_disks_stay_where_they_are() {
    let mut job = service(1);
    job.task_groups[0].ephemeral_disk.sticky = true;
    let mut cluster = Cluster::of(20);
    cluster.register(job).step();
    let node = cluster.settle_healthy().find("web.g[0]", 0).node_id;
    cluster.step();
    cluster.change_env().step();
    assert_eq!(cluster.find("web.g[0]", 1).node_id, node);
}

/// As recorded from the HTTP API that clients know.
#[test]
fn an_allocation_is_written_as_clients_expect() {
    let alone = edited(0, |node| {
        (node.resources.cpu.cpu_mhz, node.resources.memory.memory_mib) = (5198, 24_105);
        (node.resources.min_dynamic_port, node.resources.max_dynamic_port) = (22_840, 22_840);
        let address = |family: &str, address: &str| NodeAddress {
            family: family.to_owned(),
            address: address.to_owned(),
            alias: "default".to_owned(),
            ..NodeAddress::default()
        };
        let addresses = vec![address("ipv6", "::1"), address("ipv4", "127.0.0.1")].into();
        node.resources.node_networks.push(NodeNetwork { mode: "host".to_owned(), addresses, ..NodeNetwork::default() });
    });
    let mut job = service(1);
    let port = Port { label: "http".to_owned(), host_network: "default".to_owned(), ..Port::default() };
    job.task_groups[0].networks.push(NetworkResource { dynamic_ports: vec![port].into(), ..NetworkResource::default() });
    let resources = &mut job.task_groups[0].tasks[0].resources;
    (resources.cpu_mhz, resources.memory_mib) = (50, 32);
    let mut cluster = Cluster::new([alone]);
    let outcome = cluster.register(job).step();
    let placed = &outcome.plan.placements[0];
    let want = serde_json::json!({
        "Tasks": {"t": {
            "Cpu": {"CpuShares": 50, "ReservedCores": null}, "Memory": {"MemoryMB": 32, "MemoryMaxMB": 0}, "Networks": null, "Devices": null
        }},
        "TaskLifecycles": {"t": null},
        "Shared": {
            "DiskMB": 300,
            "Networks": [{"IP": "127.0.0.1", "DynamicPorts": [{"Label": "http", "Value": 22840, "HostNetwork": "default"}]}],
            "Ports": [{"Label": "http", "Value": 22840, "HostIP": "127.0.0.1"}]
        }
    });
    assert_eq!(serde_json::to_value(&placed.resources).unwrap(), want);
    let metric = &placed.metrics;
    assert_eq!(
        (metric.nodes_evaluated, metric.nodes_in_pool, metric.nodes_available["dc1"], metric.node_pool.as_str()),
        (1, 1, 1, "default")
    );
    let score = &metric.score_meta_data[0];
    assert!((score.norm_score - 0.013_865_194_622_035_344).abs() < 1e-12, "{}", score.norm_score);
    let names: Vec<_> = score.scores.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["binpack", "job-anti-affinity", "node-affinity", "node-reschedule-penalty"]);
}

#[test]
fn what_suits_every_node_leaves_room_to_those_that_have_no_choice() {
    let racked = |number: u16| edited(number, |node| _ = node.meta.insert("rack".to_owned(), format!("r{}", number % 2)));
    // Ten nodes in each of two racks. The first job leaves two of the eight places on its last node free, where the second one would make the node full.
    for (left, count, likes, begun) in [
        ("${meta.rack}", 38, false, false),
        // Less than two nodes' difference is no reason.
        ("${meta.rack}", 6, false, true),
        // The first one suits every node, too.
        ("${attr.kernel.name}", 38, false, true),
        // It says itself where it wants to go.
        ("${meta.rack}", 38, true, true),
    ] {
        let mut cluster = Cluster::new((0..20).map(racked));
        let right = if left == "${meta.rack}" { "r0" } else { "linux" };
        cluster.register(Job { constraints: vec![constraint(left, Operand::Equal, right)].into(), ..batch(count) }).step();
        let occupied: BTreeSet<_> = cluster.allocations.values().map(|allocation| allocation.node_id).collect();
        let mut second = Job { id: "second".into(), ..batch(1) };
        if likes {
            second.affinities.push(Affinity {
                left: "${meta.rack}".to_owned(),
                right: "r0".to_owned(),
                operand: Operand::Equal,
                weight: 50,
            });
        }
        cluster.register(second);
        let evaluation = Evaluation { job_id: "second".into(), kind: JobType::Batch.into(), ..Evaluation::default() };
        let outcome = schedule(&cluster, &evaluation, Inputs::alone(cluster.now, 1)).unwrap();
        let placed = &outcome.plan.placements[0];
        assert_eq!(occupied.contains(&placed.node_id), begun, "{left} {count} {likes}");
    }
}
