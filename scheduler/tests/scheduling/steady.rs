//! Without a new version: counts, drains, lost nodes, disconnections, batches that end.

use std::time::Duration;

use drover_model::{
    allocation::{AllocState, ClientStatus},
    evaluation::{EvalStatus, Trigger},
    job::{DisconnectStrategy, JobType},
    node::{DrainStrategy, NodeStatus},
};

use super::support::*;

fn running(kind: JobType, nodes: u16, count: u32) -> Cluster {
    let mut job = job(kind, count);
    if let Some(update) = &mut job.task_groups[0].update {
        update.max_parallel = 0;
    }
    let mut cluster = Cluster::of(nodes);
    cluster.register(job).step();
    cluster.settle();
    cluster
}

#[test]
fn counts_go_up_and_down_and_names_stay_dense() {
    let mut cluster = running(JobType::Service, 2, 4);
    cluster.change(|job| job.task_groups[0].count = 2).step();
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1)]));
    cluster.settle().change(|job| job.task_groups[0].count = 3).step();
    assert_eq!(cluster.running(), names(&[(0, 2), (1, 2), (2, 2)]));
    cluster.change(|job| job.task_groups[0].count = 0).step();
    assert!(cluster.running().is_empty());
}

#[test]
fn a_lost_node_is_noticed_and_made_up_for() {
    for purge in [true, false] {
        let mut cluster = running(JobType::Service, 2, 1);
        let old = cluster.find("web.g[0]", 0);
        if purge {
            cluster.nodes.remove(&old.node_id);
        } else {
            let number = (0..2).find(|number| node_id(*number) == old.node_id).unwrap();
            cluster.edit_node(number, |node| node.status = NodeStatus::Down);
        }
        let outcome = cluster.step();
        let stop = &outcome.plan.stops[0];
        assert_eq!(
            (stop.id, stop.client_status, &*stop.description),
            (old.id, Some(ClientStatus::Lost), "alloc is lost since its node is down")
        );
        let new = cluster.find("web.g[0]", 0);
        assert_eq!(new.previous_allocation, Some(old.id));
        assert_ne!(new.node_id, old.node_id);
        assert!(outcome.plan.deployment.is_none(), "a replacement is no roll-out");
    }
}

#[test]
fn a_drained_allocation_moves_when_it_is_told_to() {
    let mut cluster = running(JobType::Service, 3, 2);
    let old = cluster.find("web.g[0]", 0);
    let number = (0..3).find(|number| node_id(*number) == old.node_id).unwrap();
    cluster.edit_node(number, |node| node.drain = Some(DrainStrategy::default()));
    assert!(cluster.step().plan.is_noop(), "the pace of a drain is not the scheduler's");
    cluster.edit(old.id, |allocation| allocation.desired_transition.migrate = Some(true));
    let outcome = cluster.step();
    assert_eq!(numbers(&outcome)[4], 1);
    assert_eq!(&*outcome.plan.stops[0].description, "alloc is being migrated");
    let new = cluster.find("web.g[0]", 0);
    assert_eq!(new.previous_allocation, Some(old.id));
    assert_ne!(new.node_id, old.node_id);
}

#[test]
fn one_that_is_to_move_stops_even_if_there_is_nowhere_to_go() {
    let mut cluster = running(JobType::Service, 1, 1);
    let old = cluster.find("web.g[0]", 0);
    cluster.edit_node(0, |node| node.drain = Some(DrainStrategy::default()));
    cluster.edit(old.id, |allocation| allocation.desired_transition.migrate = Some(true));
    let outcome = cluster.step();
    assert_eq!((outcome.plan.stops.len(), outcome.plan.placements.len(), outcome.queued["g"]), (1, 0, 1));
    assert_eq!(outcome.followups[0].status, EvalStatus::Blocked);
}

#[test]
fn what_a_batch_has_done_is_not_done_again() {
    let mut cluster = running(JobType::Batch, 2, 3);
    let done = cluster.find("web.g[1]", 0);
    cluster.edit(done.id, |allocation| allocation.client_status = ClientStatus::Complete);
    assert!(cluster.step().plan.is_noop());
    // Its node may go: what was done is done.
    let others: Vec<_> =
        cluster.allocations.values().filter(|other| other.node_id == done.node_id && other.id != done.id).cloned().collect();
    cluster.nodes.remove(&done.node_id);
    assert_eq!(cluster.step().plan.placements.len(), others.len());
    // A new version is a new run.
    let outcome = cluster.settle().change_env().step();
    assert_eq!(outcome.plan.placements.len(), 3);
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1), (2, 1)]));
}

#[test]
fn a_service_that_ends_is_started_again() {
    let mut cluster = running(JobType::Service, 2, 1);
    let ended = cluster.find("web.g[0]", 0);
    cluster.edit(ended.id, |allocation| allocation.client_status = ClientStatus::Complete);
    assert_eq!(cluster.step().plan.placements.len(), 1);
}

#[test]
fn a_tolerated_disconnection_is_bridged_and_ends_with_one() {
    let cases = [("keep_original", true), ("keep_replacement", false), ("longest_running", true), ("best_score", true)];
    for (strategy, keeps_original) in cases {
        let mut job = service(1);
        job.task_groups[0].update = None;
        job.task_groups[0].disconnect = Some(DisconnectStrategy {
            lost_after: Duration::from_secs(3600),
            reconcile: strategy.to_owned(),
            ..DisconnectStrategy::default()
        });
        let mut cluster = Cluster::of(2);
        cluster.register(job).step();
        let original = cluster.settle().find("web.g[0]", 0);
        let number = (0..2).find(|number| node_id(*number) == original.node_id).unwrap();
        cluster.edit_node(number, |node| node.status = NodeStatus::Disconnected);
        let outcome = cluster.step();
        assert_eq!((outcome.plan.stops.len(), outcome.plan.placements.len()), (0, 1));
        assert_eq!(cluster.allocations[&original.id].client_status, ClientStatus::Unknown);
        let later = &outcome.followups[0];
        assert_eq!(later.triggered_by, Trigger::MaxDisconnectTimeout);
        assert_eq!(later.wait_until.0, cluster.now.plus(Duration::from_secs(3600)));
        assert!(cluster.settle().step().plan.is_noop());
        let replacement = cluster.allocations.values().find(|other| other.previous_allocation == Some(original.id)).unwrap().id;
        // It comes back.
        cluster.edit_node(number, |node| node.status = NodeStatus::Ready);
        let (field, value, time) = ("ClientStatus".to_owned(), "running".to_owned(), cluster.now.into());
        cluster.edit(original.id, |allocation| {
            allocation.client_status = ClientStatus::Running;
            // As the servers note it when they hear of it again.
            allocation.alloc_states.push(AllocState { field, value, time });
        });
        let outcome = cluster.step();
        let loser = if keeps_original { replacement } else { original.id };
        assert_eq!(outcome.plan.stops.iter().map(|stop| stop.id).collect::<Vec<_>>(), [loser], "{strategy}");
        assert!(cluster.settle().step().plan.is_noop());
    }
}

#[test]
fn a_disconnection_that_lasts_too_long_is_a_loss() {
    let mut job = service(1);
    job.task_groups[0].max_client_disconnect = Some(Duration::from_secs(60));
    let mut cluster = Cluster::of(2);
    cluster.register(job).step();
    let original = cluster.settle().find("web.g[0]", 0);
    let number = (0..2).find(|number| node_id(*number) == original.node_id).unwrap();
    cluster.edit_node(number, |node| node.status = NodeStatus::Disconnected);
    cluster.step();
    cluster.settle();
    cluster.now = cluster.now.plus(Duration::from_secs(61));
    let outcome = cluster.step();
    assert_eq!((outcome.plan.stops.len(), outcome.plan.placements.len()), (1, 0), "its replacement runs already");
    assert_eq!(cluster.allocations[&original.id].client_status, ClientStatus::Lost);
}

#[test]
fn a_parent_has_no_allocations() {
    let mut job = job(JobType::Batch, 1);
    job.periodic = Some(Default::default());
    let mut cluster = Cluster::of(1);
    assert!(cluster.register(job).step().plan.is_noop());
}

#[test]
fn a_replacement_can_wait_until_the_client_has_stopped_what_it_replaces() {
    let mut job = service(2);
    job.task_groups[0].update = None;
    let after = Some(Duration::from_secs(60));
    job.task_groups[0].disconnect = Some(DisconnectStrategy { stop_on_client_after: after, ..DisconnectStrategy::default() });
    let mut cluster = Cluster::of(3);
    cluster.register(job).step();
    let lost = cluster.settle().find("web.g[1]", 0);
    let number = (0..3).find(|number| node_id(*number) == lost.node_id).unwrap();
    cluster.edit_node(number, |node| node.status = NodeStatus::Down);
    let outcome = cluster.step();
    let gone: Vec<_> = outcome.plan.stops.iter().map(|stop| stop.id).collect();
    assert!(gone.contains(&lost.id) && outcome.plan.placements.is_empty());
    let now = cluster.now;
    for id in &gone {
        cluster.edit(*id, |allocation| (allocation.followup_eval_id, allocation.modify_time) = (Some(outcome.followups[0].id), now));
    }
    let later = &outcome.followups[0];
    assert_eq!((later.triggered_by, later.wait_until.0), (Trigger::MaxDisconnectTimeout, now.plus(Duration::from_secs(60))));
    assert!(cluster.step().plan.is_noop(), "another evaluation in between");
    cluster.now = later.wait_until.0;
    assert_eq!(cluster.step().plan.placements.len(), gone.len());
}
