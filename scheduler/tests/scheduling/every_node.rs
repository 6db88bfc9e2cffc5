//! System and sysbatch jobs.

use drover_model::{
    allocation::ClientStatus,
    deployment::DeploymentStatus,
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

fn rolling(nodes: u16, update: UpdateStrategy) -> Cluster {
    let mut job = job(JobType::System, 1);
    job.task_groups[0].update = Some(update);
    let mut cluster = Cluster::of(nodes);
    cluster.register(job).step();
    cluster.settle_healthy().step();
    assert_eq!(cluster.deployment.as_ref().unwrap().status, DeploymentStatus::Successful);
    cluster
}

fn versions(cluster: &Cluster) -> Vec<u64> {
    cluster.running().into_iter().map(|(_, version)| version).collect()
}

#[test]
fn updates_go_on_when_those_before_are_healthy() {
    let mut cluster = rolling(3, UpdateStrategy { max_parallel: 2, ..UpdateStrategy::default() });
    let outcome = cluster.change_env().step();
    assert_eq!((numbers(&outcome), outcome.followups.len()), ([0, 0, 2, 0, 0, 0, 1], 0));
    let state = cluster.deployment.as_ref().unwrap().task_groups["g"].clone();
    assert_eq!((state.desired_total, state.placed_allocs), (3, 2));
    assert!(cluster.settle().step().plan.is_noop(), "started is not healthy");
    assert_eq!(numbers(&cluster.settle_healthy().step()), [0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(on_nodes(cluster.settle_healthy()), [1, 1, 1]);
    cluster.step();
    assert_eq!(cluster.deployment.as_ref().unwrap().status, DeploymentStatus::Successful);
    assert_eq!(numbers(&cluster.change(|job| job.priority = 70).step()), [0, 0, 0, 3, 0, 0, 0]);
}

#[test]
fn canaries_are_a_share_of_the_nodes_and_take_the_place_of_what_ran() {
    for (percent, want) in [(1, 1), (25, 1), (50, 2), (60, 3), (100, 4)] {
        let mut cluster = rolling(4, UpdateStrategy { canary: percent, max_parallel: 1, ..UpdateStrategy::default() });
        let outcome = cluster.change_env().step();
        assert_eq!(outcome.plan.placements.iter().filter(|placed| placed.is_canary()).count(), want, "{percent} %");
        assert_eq!((outcome.plan.placements.len(), outcome.plan.stops.len()), (want, want), "{percent} %");
        assert_eq!(numbers(&outcome)[1] as usize, want, "{percent} %");
        assert!(cluster.settle_healthy().step().plan.is_noop(), "{percent} %: they wait to be promoted");
        cluster.promote();
        for _ in want..4 {
            assert_eq!(numbers(&cluster.step())[2], 1, "{percent} %");
            cluster.settle_healthy();
        }
        cluster.step();
        assert_eq!((versions(&cluster), on_nodes(&cluster)), (vec![1; 4], vec![1; 4]), "{percent} %");
        assert_eq!(cluster.deployment.as_ref().unwrap().status, DeploymentStatus::Successful, "{percent} %");
    }
}

#[test]
fn a_roll_out_that_is_halted_or_unhealthy_goes_no_further_but_new_nodes_are_served() {
    let one = UpdateStrategy { max_parallel: 1, ..UpdateStrategy::default() };
    for halted in [Some(DeploymentStatus::Paused), Some(DeploymentStatus::Failed), None] {
        let mut cluster = rolling(3, one.clone());
        cluster.change_env().step();
        match halted {
            Some(status) => _ = cluster.settle_healthy().set_deployment(status),
            None => {
                let id = cluster.settle().allocations.values().find(|row| row.job.version == 1).unwrap().id;
                cluster.set_health(id, false);
            }
        }
        assert!(cluster.step().plan.is_noop(), "{halted:?}");
        let late = node(9);
        cluster.nodes.insert(late.id, (late.into(), Default::default()));
        assert_eq!(cluster.step().plan.placements.len(), 1, "{halted:?}");
    }
}

#[test]
fn a_roll_out_ends_with_the_nodes_that_there_are() {
    let mut cluster = rolling(3, UpdateStrategy { max_parallel: 3, ..UpdateStrategy::default() });
    cluster.change_env().step();
    cluster.edit_node(2, |node| node.status = NodeStatus::Down);
    cluster.settle();
    let gone: Vec<_> = cluster.allocations.values().filter(|row| row.node_id == node_id(2)).map(|row| row.id).collect();
    cluster.step();
    assert_eq!(cluster.deployment.as_ref().unwrap().task_groups["g"].desired_total, 2);
    assert!(gone.iter().all(|id| cluster.allocations[id].is_terminal()));
    cluster.settle_healthy().step();
    assert_eq!(cluster.deployment.as_ref().unwrap().status, DeploymentStatus::Successful);
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
