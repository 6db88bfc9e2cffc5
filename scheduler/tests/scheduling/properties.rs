//! What always holds.

use std::collections::BTreeSet;

use drover_model::{
    job::{Constraint, Job, JobType, NetworkResource, Operand, Port, Spread},
    node::Node,
};
use proptest::prelude::*;

use super::support::*;

#[derive(Clone, Debug)]
struct Scene {
    nodes: Vec<(u64, u64, bool)>,
    count: u32,
    cpu: u32,
    memory: u32,
    ports: u8,
    spread: bool,
    distinct: bool,
    seed: u64,
}

fn scene() -> impl Strategy<Value = Scene> {
    let nodes = prop::collection::vec((0_u64..4000, 0_u64..4000, any::<bool>()), 0..20);
    (nodes, 0_u32..40, 1_u32..1000, 10_u32..1000, 0_u8..3, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
        |(nodes, count, cpu, memory, ports, spread, distinct, seed)| Scene { nodes, count, cpu, memory, ports, spread, distinct, seed },
    )
}

fn cluster(scene: &Scene) -> Cluster {
    let nodes = scene.nodes.iter().zip(0..).map(|((cpu, memory, windows), number)| {
        let mut node: Node = node(number);
        node.resources.cpu.cpu_mhz = *cpu;
        node.resources.memory.memory_mib = *memory;
        if *windows {
            node.attributes.insert("kernel.name".to_owned(), "windows".to_owned());
        }
        node.compute_class();
        node
    });
    let mut cluster = Cluster::new(nodes);
    cluster.seed = scene.seed >> 1;
    cluster
}

fn wanted(scene: &Scene) -> Job {
    let mut job = job(JobType::Batch, scene.count);
    let group = &mut job.task_groups[0];
    (group.tasks[0].resources.cpu_mhz, group.tasks[0].resources.memory_mib) = (scene.cpu, scene.memory);
    let port = |label: u8| Port { label: format!("p{label}"), ..Port::default() };
    if scene.ports > 0 {
        let dynamic_ports = (0..scene.ports).map(port).collect();
        group.networks.push(NetworkResource { dynamic_ports, ..NetworkResource::default() });
    }
    if scene.spread {
        group.spreads.push(Spread { attribute: "${attr.kernel.name}".to_owned(), weight: 50, ..Spread::default() });
    }
    if scene.distinct {
        group.constraints.push(Constraint { operand: Operand::DistinctHosts, ..Constraint::default() });
    }
    job
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The plan is checked node by node by the applier's own check, within `step`.
    #[test]
    fn nothing_is_oversubscribed_and_all_is_accounted_for(scene in scene()) {
        let mut cluster = cluster(&scene);
        cluster.register(wanted(&scene));
        let outcome = cluster.step();
        prop_assert_eq!(outcome.plan.placements.len() + outcome.queued["g"] as usize, scene.count as usize);
        prop_assert_eq!(outcome.queued["g"] > 0, !outcome.followups.is_empty());
        let names: BTreeSet<_> = outcome.plan.placements.iter().map(|placed| &*placed.name).collect();
        let ids: BTreeSet<_> = outcome.plan.placements.iter().map(|placed| placed.id).collect();
        prop_assert_eq!((names.len(), ids.len()), (outcome.plan.placements.len(), outcome.plan.placements.len()));
        if scene.distinct {
            let nodes: BTreeSet<_> = outcome.plan.placements.iter().map(|placed| placed.node_id).collect();
            prop_assert_eq!(nodes.len(), outcome.plan.placements.len());
        }
        // What was left over fits nowhere.
        if let Some(metric) = outcome.failed.get("g") {
            prop_assert_eq!(metric.nodes_filtered + metric.nodes_exhausted, metric.nodes_evaluated);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_plan(scene in scene()) {
        let mut cluster = cluster(&scene);
        cluster.register(wanted(&scene));
        prop_assert_eq!(cluster.plan(), cluster.plan());
    }

    /// Whatever happens in between, evaluations lead to the count with distinct names, and then to rest.
    #[test]
    fn it_converges(steps in prop::collection::vec((0_u8..6, 1_u32..6), 1..12), canary in 0_u32..3, max_parallel in 0_u32..3) {
        let mut job = service(3);
        let update = job.task_groups[0].update.as_mut().unwrap();
        (update.canary, update.max_parallel) = (canary, max_parallel);
        let mut cluster = Cluster::of(6);
        cluster.register(job).step();
        for (what, number) in steps {
            match what {
                0 => _ = cluster.change_env(),
                1 => _ = cluster.change(|job| job.task_groups[0].count = number),
                2 => _ = cluster.settle_healthy(),
                3 => if let Some((id, _)) = cluster.allocations.clone().iter().find(|(_, allocation)| !allocation.is_terminal()) {
                    cluster.fail(*id);
                },
                4 => if let Some((id, _)) = cluster.allocations.clone().iter().rfind(|(_, allocation)| !allocation.is_terminal()) {
                    cluster.edit(*id, |allocation| allocation.desired_transition.migrate = Some(true));
                },
                _ => cluster.now = cluster.now.plus(std::time::Duration::from_secs(u64::from(number))),
            }
            cluster.step();
        }
        for _ in 0..30 {
            cluster.settle_healthy();
            if cluster.deployment.as_ref().is_some_and(|deployment| deployment.requires_promotion()) {
                cluster.promote();
            }
            cluster.now = cluster.now.plus(std::time::Duration::from_secs(7200));
            cluster.step();
        }
        let outcome = cluster.settle_healthy().plan();
        prop_assert!(outcome.plan.is_noop(), "{:?}", outcome.plan);
        let (count, version) = (cluster.job().task_groups[0].count, cluster.job().version);
        let want: Vec<_> = (0..count).map(|index| (index, version)).collect();
        prop_assert_eq!(cluster.running(), names(&want));
    }
}
