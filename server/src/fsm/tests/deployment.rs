//! Plans and deployments.

use std::time::Duration;

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, DesiredStatus},
    deployment::{DeploymentState, DeploymentStatus, DeploymentStatusUpdate, description},
    plan::Stop,
};

use super::*;

#[test]
fn plans_link_stop_and_count() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 1));
    let state =
        DeploymentState { desired_total: 1, progress_deadline: Duration::from_secs(60), desired_canaries: 1, ..DeploymentState::default() };
    world.place(vec![allocation(1, &job, 1)], None);
    let canary = AllocDeploymentStatus { canary: true, ..AllocDeploymentStatus::default() };
    let next = Allocation {
        previous_allocation: Some(alloc_id(1)),
        deployment_id: Some(deployment_id(1)),
        deployment_status: Some(canary),
        ..allocation(2, &job, 1)
    };
    let stop = Stop {
        id: alloc_id(1),
        node_id: node_id(1),
        desired_status: DesiredStatus::Stop,
        description: "why".into(),
        client_status: None,
        followup_eval: None,
        preempted_by: None,
    };
    let plan = PlanApply {
        stops: vec![stop],
        allocations: [next].iter().collect(),
        deployment: Some(deployment(1, &job, state)),
        ..PlanApply::default()
    };
    let (applied, effects) = world.apply(Command::PlanApply(Box::new(plan)));
    let index = applied.accepted().unwrap();
    let (old, new) = (world.state.allocation(alloc_id(1)).unwrap(), world.state.allocation(alloc_id(2)).unwrap());
    assert_eq!((old.desired_status, old.next_allocation, old.alloc_modify_index), (DesiredStatus::Stop, Some(alloc_id(2)), index));
    assert_eq!((new.create_index, new.create_time), (index, world.now()));
    let group = &world.state.deployment(deployment_id(1)).unwrap().task_groups["web"];
    assert_eq!((group.placed_allocs, group.placed_canaries.0.clone()), (1, vec![alloc_id(2)]));
    assert_eq!(group.require_progress_by.0, world.now().plus(Duration::from_secs(60)));
    assert!(effects.contains(&Effect::AllocationsChanged { nodes: [node_id(1)].into() }));
    assert!(effects.contains(&Effect::DeploymentChanged(deployment_id(1))));
    // Both still hold their resources: the client has not said that the old one ended.
    assert_eq!(world.state.node_usage(node_id(1)).allocations, 2);
}

#[test]
fn health_is_counted_once_and_moves_the_deadline() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 1));
    let state = DeploymentState { desired_total: 1, progress_deadline: Duration::from_secs(60), ..DeploymentState::default() };
    let placed = Allocation { deployment_id: Some(deployment_id(1)), ..allocation(1, &job, 1) };
    world.place(vec![placed], Some(deployment(1, &job, state)));
    world.seconds += 30;
    for (healthy, counts) in [(Some(true), (1, 0)), (Some(true), (1, 0)), (None, (1, 0)), (Some(false), (0, 1))] {
        world.report(1, vec![report(1, ClientStatus::Running, healthy)]);
        let group = &world.state.deployment(deployment_id(1)).unwrap().task_groups["web"];
        assert_eq!((group.healthy_allocs, group.unhealthy_allocs), counts, "{healthy:?}");
    }
    let group = &world.state.deployment(deployment_id(1)).unwrap().task_groups["web"];
    assert_eq!(group.require_progress_by.0, world.now().plus(Duration::from_secs(60)));
}

#[test]
fn promotion_needs_healthy_canaries_and_ends_their_being_canaries() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 1));
    let state = DeploymentState { desired_total: 1, desired_canaries: 1, ..DeploymentState::default() };
    let canary = Some(AllocDeploymentStatus { canary: true, ..AllocDeploymentStatus::default() });
    let placed = Allocation { deployment_id: Some(deployment_id(1)), deployment_status: canary, ..allocation(1, &job, 1) };
    world.place(vec![placed], Some(deployment(1, &job, state)));
    let promote = || Command::DeploymentPromote { id: deployment_id(1), groups: None, evaluation: None };
    let (refused, _) = world.apply(promote());
    assert!(matches!(refused, Applied::Refused { status: 500, .. }), "{refused:?}");
    world.report(1, vec![report(1, ClientStatus::Running, Some(true))]);
    assert!(world.state.allocation(alloc_id(1)).unwrap().is_canary());
    let index = world.run(promote());
    let row = world.state.allocation(alloc_id(1)).unwrap();
    assert_eq!((row.is_canary(), row.is_healthy(), row.alloc_modify_index), (false, Some(true), index), "its client hears of it");
    let update = DeploymentStatusUpdate {
        id: deployment_id(1),
        status: DeploymentStatus::Successful,
        description: description::SUCCESSFUL.to_owned(),
    };
    world.run(Command::DeploymentStatus { update, job: None, evaluation: None });
    assert!(world.state.job(&web()).unwrap().stable && world.state.job_version(&web(), 0).unwrap().stable);
    assert!(matches!(world.apply(promote()).0, Applied::Refused { .. }), "a terminal deployment");
}
