//! How fast a plan is made: nodes by allocations, with and without a spread. A figure is one call of `schedule`; the throughput is in allocations.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drover_model::job::{JobType, NetworkResource, Port, Spread};
use support::Cluster;

#[path = "../tests/scheduling/support.rs"]
#[allow(dead_code, unreachable_pub)]
mod support;

#[derive(Clone, Copy)]
enum Variant {
    Plain,
    Spread,
    Ports,
}

fn cluster(nodes: u16, count: u32, variant: Variant) -> Cluster {
    let nodes = (0..nodes).map(|number| {
        let mut node = support::node(number);
        node.datacenter = format!("dc{}", number % 3);
        node.resources.cpu.cpu_mhz = 64_000;
        node.resources.memory.memory_mib = 256_000;
        node.resources.max_dynamic_port = 32_000;
        node.compute_class();
        node
    });
    let mut cluster = Cluster::new(nodes);
    let mut job = support::job(JobType::Batch, count);
    job.task_groups[0].tasks[0].resources.cpu_mhz = 100;
    match variant {
        Variant::Plain => {}
        Variant::Spread => {
            job.spreads.push(Spread { attribute: "${node.datacenter}".to_owned(), weight: 100, ..Spread::default() });
        }
        Variant::Ports => {
            let port = Port { label: "http".to_owned(), ..Port::default() };
            job.task_groups[0].networks.push(NetworkResource { dynamic_ports: vec![port].into(), ..NetworkResource::default() });
        }
    }
    cluster.register(job);
    cluster
}

fn placement(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.sample_size(10);
    for (nodes, count) in [(100, 1), (5_000, 1), (5_000, 100), (5_000, 10_000), (5_000, 100_000)] {
        for (name, variant) in [("plain", Variant::Plain), ("spread", Variant::Spread), ("ports", Variant::Ports)] {
            let cluster = cluster(nodes, count, variant);
            assert_eq!(cluster.plan().plan.placements.len(), count as usize);
            group.throughput(Throughput::Elements(u64::from(count)));
            group.bench_function(BenchmarkId::new(name, format!("{nodes} nodes, {count} allocations")), |bencher| {
                bencher.iter(|| black_box(cluster.plan()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, placement);
criterion_main!(benches);
