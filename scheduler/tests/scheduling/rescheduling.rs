//! Failed allocations: at once, later, never.

use std::time::Duration;

use drover_model::{
    allocation::Allocation,
    deployment::DeploymentStatus,
    evaluation::{EvalStatus, Trigger},
    ids::{AllocId, EvalId},
    job::{Job, JobType, UpdateStrategy},
    time::UnixNanos,
};
use drover_scheduler::{Inputs, schedule};

use super::support::*;

fn placed(kind: JobType, update: Option<UpdateStrategy>) -> Cluster {
    let mut job = job(kind, 2);
    job.task_groups[0].update = update;
    let mut cluster = Cluster::of(3);
    cluster.register(job).step();
    cluster.settle();
    cluster
}

#[test]
fn a_service_is_rescheduled_later_by_an_evaluation_of_its_own() {
    let mut cluster = placed(JobType::Service, None);
    let failed = cluster.find("web.g[1]", 0);
    cluster.fail(failed.id);
    let outcome = cluster.step();
    assert!(outcome.plan.stops.is_empty() && outcome.plan.placements.is_empty());
    let later = &outcome.followups[0];
    assert_eq!((later.status, later.triggered_by), (EvalStatus::Pending, Trigger::AllocFailure));
    assert_eq!(later.status_description, "created for delayed rescheduling");
    assert_eq!(later.wait_until.0, cluster.now.plus(Duration::from_secs(30)));
    assert_eq!(cluster.allocations[&failed.id].followup_eval_id, Some(later.id));
    let again = cluster.step();
    assert!(again.plan.is_noop() && again.followups.is_empty(), "one evaluation is enough");

    let inputs = Inputs::alone(later.wait_until.0, 3);
    let outcome = schedule(&cluster, later, inputs).unwrap();
    assert_eq!(
        outcome.plan.stops.iter().map(|stop| (stop.id, &*stop.description)).collect::<Vec<_>>(),
        [(failed.id, "alloc was rescheduled because it failed")]
    );
    let next = &outcome.plan.placements[0];
    assert_eq!((&*next.name, next.previous_allocation), ("web.g[1]", Some(failed.id)));
    assert_ne!(next.node_id, failed.node_id, "elsewhere, since it failed there");
    let event = &next.reschedule_tracker.as_ref().unwrap().events[0];
    assert_eq!((event.previous_allocation, event.previous_node), (Some(failed.id), Some(failed.node_id)));
    assert_eq!((event.time, event.delay), (inputs.now, 30 * SECOND));
}

#[test]
fn failures_close_to_each_other_share_an_evaluation() {
    let mut cluster = placed(JobType::Service, None);
    let (first, second) = (cluster.find("web.g[0]", 0).id, cluster.find("web.g[1]", 0).id);
    cluster.fail(first);
    cluster.now = UnixNanos(cluster.now.0 + 3 * SECOND);
    cluster.fail(second);
    let outcome = cluster.step();
    assert_eq!(outcome.followups.len(), 1);
    assert_eq!(cluster.allocations[&first].followup_eval_id, cluster.allocations[&second].followup_eval_id);
}

#[test]
fn a_batch_is_tried_again_as_often_as_its_policy_says() {
    let mut cluster = placed(JobType::Batch, None);
    let first = cluster.find("web.g[0]", 0);
    cluster.fail(first.id);
    let outcome = cluster.step();
    assert_eq!((outcome.plan.stops.len(), outcome.plan.placements.len()), (1, 1));
    let second = cluster.settle().find("web.g[0]", 0);
    assert_eq!(second.previous_allocation, Some(first.id));
    cluster.fail(second.id);
    assert!(cluster.step().plan.is_noop(), "one attempt is what the policy gives");
}

#[test]
fn the_failure_of_a_roll_out_is_not_repeated() {
    let patient = UpdateStrategy::default();
    let impatient = UpdateStrategy { progress_deadline: Duration::ZERO, ..patient.clone() };
    for (name, update, status, want) in [
        ("within the deadline", patient.clone(), DeploymentStatus::Running, 1),
        ("healthy at once or not at all", impatient, DeploymentStatus::Running, 0),
        ("failed", patient, DeploymentStatus::Failed, 0),
    ] {
        let mut cluster = placed(JobType::Service, Some(update));
        let failed = cluster.find("web.g[0]", 0);
        cluster.fail(failed.id);
        cluster.set_deployment(status);
        cluster.now = cluster.now.plus(Duration::from_secs(60));
        assert_eq!(cluster.step().plan.placements.len(), want, "{name}");
    }
}

#[test]
fn force_overrides_the_policy() {
    let mut cluster = placed(JobType::Batch, None);
    let failed = cluster.find("web.g[0]", 0);
    cluster.change(|job| job.task_groups[0].reschedule_policy = None).step();
    cluster.fail(failed.id);
    assert!(cluster.step().plan.is_noop());
    cluster.edit(failed.id, |allocation| allocation.desired_transition.force_reschedule = Some(true));
    assert_eq!(cluster.step().plan.placements.len(), 1);
}

#[test]
fn a_new_version_replaces_what_has_failed() {
    let mut cluster = placed(JobType::Service, None);
    cluster.change(|job| job.task_groups[0].reschedule_policy = None).step();
    let failed = cluster.settle().find("web.g[0]", 1);
    cluster.fail(failed.id);
    assert!(cluster.step().plan.is_noop());
    cluster.change_env().step();
    assert_eq!(cluster.running(), names(&[(0, 2), (1, 2)]));
    assert_ne!(failed.eval_id, EvalId::from_random([0; 16]));
}

#[test]
fn what_is_stopped_to_be_rescheduled_goes_elsewhere() {
    for asked in [None, Some(true)] {
        let mut cluster = placed(JobType::Service, None);
        let old = cluster.find("web.g[0]", 0);
        // A neighbour makes its node the best one.
        let neighbour = Job { id: "other".into(), ..job(JobType::Service, 1) };
        let neighbour = Allocation { id: AllocId::from_random([7; 16]), job_id: "other".into(), job: neighbour.into(), ..(*old).clone() };
        cluster.put(neighbour);
        cluster.settle();
        cluster.edit(old.id, |allocation| {
            allocation.desired_transition.migrate = Some(true);
            allocation.desired_transition.reschedule = asked;
        });
        let outcome = cluster.step();
        let next = &outcome.plan.placements[0];
        assert_eq!(next.previous_allocation, Some(old.id));
        assert_eq!(next.node_id == old.node_id, asked.is_none(), "{asked:?}");
        assert_eq!(next.reschedule_tracker.is_some(), asked.is_some());
    }
}
