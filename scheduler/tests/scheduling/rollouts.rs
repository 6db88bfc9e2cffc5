//! New versions: in place, rolling, canaries, blue/green, paused, failed.

use drover_model::{
    deployment::{DeploymentStatus, description},
    job::{Job, UpdateStrategy},
};

use super::support::*;

fn rolling(count: u32, max_parallel: u32, canary: u32) -> Cluster {
    let mut job = service(count);
    let update = job.task_groups[0].update.as_mut().unwrap();
    (update.max_parallel, update.canary) = (max_parallel, canary);
    let mut cluster = Cluster::of(4);
    cluster.register(job).step();
    cluster.settle_healthy().step();
    cluster
}

fn status(cluster: &Cluster) -> (DeploymentStatus, &str) {
    let deployment = cluster.deployment.as_ref().unwrap();
    (deployment.status, &deployment.status_description)
}

#[test]
fn the_first_version_is_placed_at_once_and_ends_in_success() {
    let mut cluster = Cluster::of(2);
    let outcome = cluster.register(service(3)).step();
    assert_eq!(numbers(&outcome), [3, 0, 0, 0, 0, 0, 0]);
    assert_eq!(cluster.running(), names(&[(0, 0), (1, 0), (2, 0)]));
    let deployment = cluster.deployment.clone().unwrap();
    let state = &deployment.task_groups["g"];
    assert_eq!((state.desired_total, state.desired_canaries, state.placed_allocs), (3, 0, 3));
    assert_eq!(status(&cluster), (DeploymentStatus::Running, description::RUNNING));
    assert!(outcome.plan.placements.iter().all(|placed| placed.deployment_id == Some(deployment.id) && placed.deployment_status.is_none()));
    assert!(cluster.plan().plan.is_noop(), "nothing to do while they start");
    cluster.settle_healthy().step();
    assert_eq!(status(&cluster), (DeploymentStatus::Successful, description::SUCCESSFUL));
    let after = cluster.plan();
    assert!(after.plan.is_noop() && after.plan.deployment.is_none());
    assert_eq!(numbers(&after), [0, 0, 0, 0, 0, 0, 3]);
}

#[test]
fn a_rolling_update_waits_for_health() {
    let mut cluster = rolling(3, 1, 0);
    let outcome = cluster.change_env().step();
    assert_eq!(numbers(&outcome), [0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 0), (2, 0)]));
    assert_eq!(outcome.plan.stops.len(), 1);
    assert_eq!(&*outcome.plan.stops[0].description, "alloc is being updated due to job update");
    assert_eq!(outcome.plan.placements[0].previous_allocation, Some(outcome.plan.stops[0].id));
    // Started is not healthy.
    cluster.settle();
    assert_eq!(numbers(&cluster.step()), [0, 0, 0, 0, 0, 0, 3]);
    for index in 1..3 {
        cluster.settle_healthy();
        assert_eq!(numbers(&cluster.step())[2], 1, "{index}");
    }
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1), (2, 1)]));
    cluster.settle_healthy().step();
    assert_eq!(status(&cluster).0, DeploymentStatus::Successful);
}

#[test]
fn max_parallel_counts_those_in_flight() {
    let mut cluster = rolling(6, 3, 0);
    assert_eq!(numbers(&cluster.change_env().step())[2], 3);
    cluster.settle();
    let id = cluster.find("web.g[0]", 1).id;
    cluster.set_health(id, true);
    assert_eq!(numbers(&cluster.step())[2], 1);
    let id = cluster.find("web.g[1]", 1).id;
    cluster.set_health(id, false);
    cluster.settle_healthy();
    assert_eq!(numbers(&cluster.step())[2], 0, "an unhealthy one halts the roll-out");
}

#[test]
fn without_max_parallel_all_change_at_once_and_without_a_deployment() {
    let mut cluster = rolling(4, 0, 0);
    assert!(cluster.deployment.is_none());
    assert_eq!(numbers(&cluster.change_env().step()), [0, 0, 4, 0, 0, 0, 0]);
    assert!(cluster.deployment.is_none());
}

#[test]
fn what_needs_no_restart_is_updated_in_place() {
    let mut cluster = rolling(2, 1, 1);
    let before: Vec<_> = cluster.allocations.keys().copied().collect();
    let outcome = cluster.change(|job| job.task_groups[0].count = 3).step();
    assert_eq!(numbers(&outcome), [1, 0, 0, 2, 0, 0, 0]);
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1), (2, 1)]));
    let deployment = cluster.deployment.clone().unwrap();
    assert_eq!(deployment.task_groups["g"].desired_canaries, 0);
    for id in before {
        let updated = &cluster.allocations[&id];
        assert_eq!((updated.deployment_id, updated.is_healthy()), (Some(deployment.id), None), "health is watched anew");
    }
    cluster.settle_healthy().step();
    assert_eq!(status(&cluster).0, DeploymentStatus::Successful);
}

#[test]
fn canaries_wait_for_promotion_then_the_rest_rolls() {
    let mut cluster = rolling(3, 1, 1);
    let outcome = cluster.change_env().step();
    assert_eq!(numbers(&outcome), [0, 1, 0, 0, 0, 0, 3]);
    assert_eq!(cluster.running(), names(&[(0, 0), (0, 1), (1, 0), (2, 0)]));
    let canary = cluster.find("web.g[0]", 1);
    assert!(canary.is_canary() && canary.previous_allocation.is_none());
    let state = &cluster.deployment.as_ref().unwrap().task_groups["g"];
    assert_eq!((state.desired_canaries, state.desired_total, &state.placed_canaries[..]), (1, 3, &[canary.id][..]));
    assert_eq!(status(&cluster), (DeploymentStatus::Running, description::NEEDS_PROMOTION));
    cluster.settle_healthy();
    assert!(cluster.step().plan.is_noop(), "healthy is not promoted");
    let outcome = cluster.promote().step();
    assert_eq!(numbers(&outcome)[2..6], [1, 0, 0, 1]);
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1), (2, 0)]), "the namesake of the canary goes, and the next is replaced");
    for _ in 0..2 {
        cluster.settle_healthy().step();
    }
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1), (2, 1)]));
    assert_eq!(status(&cluster).0, DeploymentStatus::Successful);
    assert!(cluster.settle_healthy().step().plan.is_noop());
}

#[test]
fn as_many_canaries_as_allocations_are_blue_and_green() {
    let mut cluster = rolling(3, 3, 3);
    cluster.change_env().step();
    assert_eq!(cluster.running(), names(&[(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]));
    cluster.settle_healthy();
    let outcome = cluster.promote().step();
    assert_eq!((outcome.plan.stops.len(), outcome.plan.placements.len()), (3, 0));
    assert_eq!(cluster.running(), names(&[(0, 1), (1, 1), (2, 1)]));
    cluster.settle_healthy().step();
    assert_eq!(status(&cluster).0, DeploymentStatus::Successful);
}

#[test]
fn automatic_promotion_is_announced() {
    let mut cluster = rolling(1, 1, 1);
    cluster.change(|job| job.task_groups[0].update.as_mut().unwrap().auto_promote = true);
    cluster.change_env().step();
    assert_eq!(status(&cluster).1, description::AUTO_PROMOTION);
}

#[test]
fn a_failed_deployment_stops_its_canaries_and_places_nothing() {
    let mut cluster = rolling(2, 1, 1);
    cluster.change_env().step();
    cluster.settle().set_deployment(DeploymentStatus::Failed);
    let outcome = cluster.step();
    assert_eq!((outcome.plan.stops.len(), outcome.plan.placements.len()), (1, 0));
    assert_eq!(cluster.running(), names(&[(0, 0), (1, 0)]));
    assert!(cluster.settle().step().plan.is_noop());
}

#[test]
fn a_paused_or_failed_roll_out_goes_no_further() {
    for halted in [DeploymentStatus::Paused, DeploymentStatus::Failed] {
        let mut cluster = rolling(3, 1, 0);
        cluster.change_env().step();
        cluster.settle_healthy().set_deployment(halted);
        assert!(cluster.step().plan.is_noop(), "{halted:?}");
        // What is lost is replaced nevertheless, by what ran there.
        let lost = cluster.find("web.g[2]", 0);
        cluster.nodes.remove(&lost.node_id);
        let before = cluster.running().len();
        cluster.step();
        assert_eq!(cluster.running().len(), before, "{halted:?}");
        assert_eq!(cluster.find("web.g[2]", 0).previous_allocation, Some(lost.id), "{halted:?}");
    }
}

#[test]
fn a_paused_deployment_goes_on_when_resumed() {
    let mut cluster = rolling(2, 1, 0);
    cluster.change_env().step();
    cluster.settle_healthy().set_deployment(DeploymentStatus::Paused).step();
    assert_eq!(numbers(&cluster.set_deployment(DeploymentStatus::Running).step())[2], 1);
}

#[test]
fn a_newer_version_cancels_the_roll_out_of_an_older_one_and_its_canaries() {
    let mut cluster = rolling(2, 1, 1);
    cluster.change_env().step();
    cluster.settle_healthy();
    let old = cluster.deployment.clone().unwrap();
    let outcome = cluster.change_env().step();
    let update = &outcome.plan.deployment_updates[0];
    assert_eq!((update.id, update.status, update.description.as_str()), (old.id, DeploymentStatus::Cancelled, description::NEWER_JOB));
    assert_eq!(cluster.running(), names(&[(0, 0), (0, 2), (1, 0)]));
    assert_ne!(cluster.deployment.as_ref().unwrap().id, old.id);
}

#[test]
fn while_canaries_are_on_trial_the_old_version_is_what_is_replaced() {
    let mut cluster = rolling(2, 1, 1);
    cluster.change_env().step();
    cluster.settle_healthy();
    let lost = cluster.find("web.g[1]", 0);
    cluster.edit(lost.id, |allocation| allocation.desired_transition.migrate = Some(true));
    let outcome = cluster.step();
    assert_eq!(outcome.plan.placements.len(), 1);
    assert_eq!(outcome.plan.placements[0].job.version, 0);
    assert_eq!(outcome.plan.placements[0].deployment_id, None);
    assert_eq!(cluster.running(), names(&[(0, 0), (0, 1), (1, 0)]));
}

#[test]
fn a_canary_that_is_lost_is_replaced_by_a_canary() {
    let mut cluster = rolling(2, 1, 1);
    cluster.change_env().step();
    cluster.settle();
    let canary = cluster.find("web.g[0]", 1);
    cluster.edit(canary.id, |allocation| allocation.desired_transition.migrate = Some(true));
    let outcome = cluster.step();
    assert_eq!(outcome.plan.placements.len(), 1);
    let next = &outcome.plan.placements[0];
    assert!(next.is_canary() && next.previous_allocation == Some(canary.id) && *next.name == *"web.g[0]");
}

#[test]
fn a_stopped_or_purged_job_loses_its_allocations_and_its_deployment() {
    for purge in [false, true] {
        let mut cluster = Cluster::of(2);
        cluster.register(service(2)).step();
        cluster.settle();
        let deployment = cluster.deployment.clone().unwrap();
        if purge {
            cluster.jobs.clear();
        } else {
            cluster.change(|job: &mut Job| job.stop = true);
        }
        let outcome = cluster.step();
        assert_eq!(outcome.plan.stops.len(), 2, "purge: {purge}");
        assert!(outcome.plan.stops.iter().all(|stop| &*stop.description == "alloc not needed due to job update"));
        let update = &outcome.plan.deployment_updates[0];
        assert_eq!((update.id, update.description.as_str()), (deployment.id, description::STOPPED_JOB));
        assert!(cluster.running().is_empty());
        cluster.settle();
        assert!(cluster.step().plan.is_noop());
    }
}

#[test]
fn an_update_that_fits_nowhere_leaves_the_old_one_running() {
    let mut cluster = rolling(2, 1, 0);
    let outcome = cluster.change(|job| job.task_groups[0].tasks[0].resources.memory_mib = 99_999).step();
    assert_eq!(numbers(&outcome), [0, 0, 1, 0, 0, 0, 1]);
    assert!(outcome.plan.stops.is_empty() && outcome.plan.placements.is_empty());
    assert_eq!(outcome.queued["g"], 1);
    assert_eq!(outcome.failed["g"].dimension_exhausted["memory"], 4);
    assert_eq!(cluster.running(), names(&[(0, 0), (1, 0)]));
}

#[test]
fn an_update_takes_the_room_of_what_it_replaces() {
    let mut job = service(1);
    job.task_groups[0].tasks[0].resources.cpu_mhz = 4000;
    let mut cluster = Cluster::of(1);
    cluster.register(job).step();
    cluster.settle_healthy().step();
    cluster.change_env().step();
    assert_eq!(cluster.running(), names(&[(0, 1)]));
}

#[test]
fn a_group_that_is_removed_is_stopped_and_a_new_one_placed() {
    let mut cluster = rolling(2, 1, 0);
    cluster.change(|job| job.task_groups[0].name = "h".into()).step();
    let running = cluster.running();
    assert_eq!(running.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["web.h[0]", "web.h[1]"]);
}

#[test]
fn a_switch_from_blue_to_green_leaves_the_job_evenly_spread() {
    let mut job = service(4);
    job.task_groups[0].update = Some(UpdateStrategy { canary: 4, max_parallel: 4, ..UpdateStrategy::default() });
    // One node has room for more than the others: where blue stands is no reason for green to crowd elsewhere.
    let mut cluster = Cluster::of(4);
    cluster.config.algorithm = drover_scheduler::Algorithm::Spread;
    cluster.register(job).step();
    cluster.settle_healthy().step();
    cluster.change_env().step();
    let mut green: Vec<_> = cluster.allocations.values().filter(|row| row.job.version == 1).map(|row| row.node_id).collect();
    green.sort_unstable();
    assert_eq!(green, (0..4).map(node_id).collect::<Vec<_>>());
}
