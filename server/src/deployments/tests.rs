use std::{sync::Arc, time::Duration};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, ClientStatus},
    deployment::{DeploymentState, DeploymentStatus, description},
    job::{Job, ReschedulePolicy},
    time::UnixNanos,
};
use drover_runtime::Runtime;

use super::*;
use crate::{fsm::command::Command, testing::*};

const DEADLINE: Duration = Duration::from_secs(60);

/// One roll-out of two allocations.
struct Case {
    group: DeploymentState,
    /// Health of the first and the second allocation.
    health: [Option<bool>; 2],
    canary: bool,
    reschedules: bool,
    seconds_later: i64,
    seen: u32,
    paused: bool,
}

impl Default for Case {
    fn default() -> Self {
        let group = DeploymentState { desired_total: 2, progress_deadline: DEADLINE, ..DeploymentState::default() };
        Self { group, health: [None, None], canary: false, reschedules: true, seconds_later: 1, seen: 0, paused: false }
    }
}

fn version(priority: u8, reschedules: bool) -> Job {
    let mut job = Job { priority, ..job("web", 2) };
    let policy = ReschedulePolicy { unlimited: reschedules, ..ReschedulePolicy::default() };
    job.task_groups[0].reschedule_policy = Some(policy);
    job
}

fn decided(case: Case) -> Decision {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let stable = world.register(version(50, case.reschedules));
    world.run(Command::JobStability { key: stable.key(), version: 0, stable: true });
    let job = world.register(version(60, case.reschedules));
    let status = AllocDeploymentStatus { canary: case.canary, ..AllocDeploymentStatus::default() };
    let place = |number| Allocation {
        deployment_id: Some(deployment_id(1)),
        deployment_status: Some(status),
        ..allocation(number, &Arc::clone(&job), 1)
    };
    world.place(vec![place(1), place(2)], Some(deployment(1, &job, case.group)));
    if case.paused {
        let update = drover_model::deployment::DeploymentStatusUpdate {
            id: deployment_id(1),
            status: DeploymentStatus::Paused,
            description: description::PAUSED.to_owned(),
        };
        world.run(Command::DeploymentStatus { update, job: None, evaluation: None });
    }
    let reports = [1, 2].into_iter().zip(case.health).map(|(number, health)| report(number, ClientStatus::Running, health));
    world.report(1, reports.collect());
    world.seconds += case.seconds_later;
    decide(&world.state, deployment_id(1), Seen { healthy: case.seen }, world.now(), &*Runtime::real().random)
}

/// The decision in one line.
fn told(decision: &Decision) -> String {
    match &decision.command {
        None => "wait".to_owned(),
        Some(Command::EvaluationsUpsert { .. }) => "go on".to_owned(),
        Some(Command::DeploymentPromote { .. }) => "promote".to_owned(),
        Some(Command::AllocationsTransition { transitions, .. }) => format!("replace {}", transitions.len()),
        Some(Command::DeploymentStatus { update, job, .. }) => {
            format!(
                "{}: {}{}",
                update.status.as_str(),
                update.description,
                job.as_ref().map_or(String::new(), |job| format!(" (v{})", job.version))
            )
        }
        Some(other) => format!("{other:?}"),
    }
}

#[test]
fn one_deployment_at_every_turn() {
    let group = || Case::default().group;
    let canaries = |auto_promote| DeploymentState { desired_canaries: 2, auto_promote, ..group() };
    let reverting = || DeploymentState { auto_revert: true, ..group() };
    let no_deadline = || DeploymentState { progress_deadline: Duration::ZERO, ..group() };
    let (good, bad) = (Some(true), Some(false));
    let cases: Vec<(&str, Case, &str)> = vec![
        ("nothing yet", Case::default(), "wait"),
        ("one is healthy", Case { health: [good, None], ..Case::default() }, "go on"),
        ("seen already", Case { health: [good, None], seen: 1, ..Case::default() }, "wait"),
        ("all are healthy", Case { health: [good, good], ..Case::default() }, "successful: Deployment completed successfully"),
        ("paused", Case { health: [good, good], paused: true, ..Case::default() }, "wait"),
        ("one is bad, there is time", Case { health: [None, bad], ..Case::default() }, "replace 1"),
        (
            "one is bad and has no other chance",
            Case { health: [None, bad], reschedules: false, ..Case::default() },
            "failed: Failed due to unhealthy allocations",
        ),
        (
            "one is bad without a deadline",
            Case { health: [good, bad], group: no_deadline(), ..Case::default() },
            "failed: Failed due to unhealthy allocations",
        ),
        ("the deadline", Case { seconds_later: 61, ..Case::default() }, "failed: Failed due to progress deadline"),
        ("progress moves the deadline", Case { health: [good, None], seen: 1, seconds_later: 59, ..Case::default() }, "wait"),
        (
            "the deadline, with a way back",
            Case { seconds_later: 61, group: reverting(), ..Case::default() },
            "failed: Failed due to progress deadline - rolling back to job version 0 (v0)",
        ),
        (
            "canaries wait for somebody",
            Case { canary: true, health: [good, good], seen: 2, group: canaries(false), ..Case::default() },
            "wait",
        ),
        (
            "for however long",
            Case { canary: true, health: [good, good], seen: 2, seconds_later: 9999, group: canaries(false), ..Case::default() },
            "wait",
        ),
        ("canaries promote themselves", Case { canary: true, health: [good, good], group: canaries(true), ..Case::default() }, "promote"),
        ("when all are healthy", Case { canary: true, health: [good, None], group: canaries(true), ..Case::default() }, "go on"),
    ];
    for (name, case, want) in cases {
        let decision = decided(case);
        assert_eq!(told(&decision), want, "{name}");
        assert!(decision.active, "{name}");
    }
}

#[test]
fn a_deployment_is_looked_at_again_at_its_deadline() {
    let decision = decided(Case::default());
    assert_eq!(decision.next_look, Some(UnixNanos(START).plus(DEADLINE)));
    assert_eq!(decided(Case { paused: true, ..Case::default() }).next_look, None);
}

#[tokio::test]
async fn requests_say_what_people_know() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 1));
    world.place(vec![], Some(deployment(1, &job, DeploymentState { desired_total: 1, ..DeploymentState::default() })));
    let direct = Direct::new(world, Runtime::real());
    let random = &*Runtime::real().random;
    let state = || direct.store.snapshot();
    let description = |state: &crate::state::State| state.deployment(deployment_id(1)).unwrap().status_description.clone();
    let reply = requests::pause(&state(), &*direct, random, deployment_id(1), true).await.unwrap();
    assert_eq!((reply.eval_id, description(&state()).as_str()), (None, description::PAUSED));
    let reply = requests::pause(&state(), &*direct, random, deployment_id(1), false).await.unwrap();
    assert!(reply.eval_id.is_some() && description(&state()) == description::RUNNING);
    let reply = requests::fail(&state(), &*direct, random, deployment_id(1)).await.unwrap();
    assert_eq!((reply.reverted_version, description(&state()).as_str()), (None, description::FAILED_BY_USER));
    let error = requests::promote(&state(), &*direct, random, deployment_id(1), None).await.unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (500, "can't promote terminal deployment"));
    let error = requests::fail(&state(), &*direct, random, deployment_id(7)).await.unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (404, "deployment not found"));
}
