//! System and sysbatch jobs.

use std::time::Duration;

use drover_model::{
    allocation::ClientStatus,
    evaluation::Trigger,
    job::{Constraint, Job, JobType, Operand, UpdateStrategy},
    node::{DrainStrategy, Eligibility, NodeStatus},
};

use super::support::*;

fn running(kind: JobType, nodes: u16) -> Cluster {
    let mut cluster = Cluster::of(nodes);
    cluster.register(job(kind, 1)).step();
    cluster.settle();
    cluster
}

fn on_nodes(cluster: &Cluster) -> Vec<u32> {
    cluster.nodes.values().map(|(_, usage)| usage.allocations).collect()
}

#[test]
fn every_node_gets_one_also_those_that_come_later() {
    let mut cluster = running(JobType::System, 3);
    assert_eq!(on_nodes(&cluster), [1, 1, 1]);
    assert!(cluster.allocations.values().all(|allocation| &*allocation.name == "web.g[0]"));
    assert!(cluster.step().plan.is_noop());
    let late = node(9);
    cluster.nodes.insert(late.id, (late.into(), Default::default()));
    let outcome = cluster.step();
    assert_eq!((numbers(&outcome)[0], numbers(&outcome)[6]), (1, 3));
    assert_eq!(on_nodes(&cluster), [1, 1, 1, 1]);
}

#[test]
fn nodes_that_do_not_suit_are_no_failure_but_full_ones_are() {
    let mut job = job(JobType::System, 1);
    job.constraints.push(Constraint { left: "${node.unique.name}".to_owned(), right: "n[01]".to_owned(), operand: Operand::Regexp });
    let mut cluster = Cluster::of(3);
    cluster.edit_node(1, |node| node.resources.memory.memory_mib = 10);
    let outcome = cluster.register(job).step();
    assert_eq!(on_nodes(&cluster), [1, 0, 0]);
    assert_eq!(outcome.queued["g"], 1);
    let metric = &outcome.failed["g"];
    assert_eq!((metric.nodes_filtered, metric.nodes_exhausted, metric.dimension_exhausted["memory"]), (1, 1, 1));
    assert_eq!(outcome.followups.len(), 1);
}

#[test]
fn updates_go_in_steps() {
    let mut cluster = Cluster::of(3);
    let mut job = job(JobType::System, 1);
    job.task_groups[0].update = Some(UpdateStrategy { max_parallel: 2, ..UpdateStrategy::default() });
    cluster.register(job).step();
    cluster.settle();
    let outcome = cluster.change_env().step();
    assert_eq!(numbers(&outcome), [0, 0, 2, 0, 0, 0, 1]);
    assert_eq!((outcome.followups[0].triggered_by, outcome.followups[0].wait), (Trigger::RollingUpdate, Duration::from_secs(30)));
    let outcome = cluster.settle().step();
    assert_eq!(numbers(&outcome), [0, 0, 1, 0, 0, 0, 2]);
    assert!(outcome.followups.is_empty());
    assert_eq!(on_nodes(cluster.settle()), [1, 1, 1]);
    assert_eq!(numbers(&cluster.change(|job| job.priority = 70).step()), [0, 0, 0, 3, 0, 0, 0]);
}

#[test]
fn nodes_come_and_go() {
    let mut cluster = running(JobType::System, 4);
    cluster.edit_node(0, |node| node.status = NodeStatus::Down);
    cluster.edit_node(1, |node| node.eligibility = Eligibility::Ineligible);
    cluster.edit_node(2, |node| node.drain = Some(DrainStrategy::default()));
    let drained = cluster.allocations.values().find(|allocation| allocation.node_id == node_id(2)).unwrap().id;
    cluster.edit(drained, |allocation| allocation.desired_transition.migrate = Some(true));
    let outcome = cluster.step();
    let mut why: Vec<_> = outcome.plan.stops.iter().map(|stop| (&*stop.description, stop.client_status)).collect();
    why.sort_unstable();
    assert_eq!(why, [("alloc is lost since its node is down", Some(ClientStatus::Lost)), ("alloc not needed as node is tainted", None)]);
    assert!(outcome.plan.placements.is_empty());
    assert_eq!(on_nodes(cluster.settle()), [0, 1, 0, 1]);
    // One that a user stops is started again where it was.
    let stopped = cluster.allocations.values().find(|allocation| allocation.node_id == node_id(3)).unwrap().id;
    cluster.edit(stopped, |allocation| allocation.desired_transition.migrate = Some(true));
    let outcome = cluster.step();
    assert_eq!((numbers(&outcome)[0], numbers(&outcome)[4]), (0, 1));
    assert_eq!(outcome.plan.placements[0].previous_allocation, Some(stopped));
}

#[test]
fn a_system_task_that_ends_is_started_again_and_a_sysbatch_one_is_not() {
    for (kind, status, want) in [
        (JobType::System, ClientStatus::Failed, 1),
        (JobType::System, ClientStatus::Complete, 1),
        (JobType::Sysbatch, ClientStatus::Complete, 0),
        (JobType::Sysbatch, ClientStatus::Failed, 0),
    ] {
        let mut cluster = running(kind, 2);
        let id = *cluster.allocations.keys().next().unwrap();
        cluster.edit(id, |allocation| allocation.client_status = status);
        assert_eq!(cluster.step().plan.placements.len(), want, "{kind} {status:?}");
    }
    let mut cluster = running(JobType::Sysbatch, 2);
    for id in cluster.allocations.keys().copied().collect::<Vec<_>>() {
        cluster.edit(id, |allocation| allocation.client_status = ClientStatus::Complete);
    }
    assert_eq!(cluster.change_env().step().plan.placements.len(), 2, "a new version is a new run");
}

#[test]
fn a_stopped_one_and_a_count_of_zero_end_all() {
    for edit in [|job: &mut Job| job.stop = true, |job: &mut Job| job.task_groups[0].count = 0] {
        let mut cluster = running(JobType::System, 2);
        assert_eq!(cluster.change(edit).step().plan.stops.len(), 2);
        assert!(cluster.settle().step().plan.is_noop());
    }
}
