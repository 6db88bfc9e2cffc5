use std::{sync::Arc, time::Duration};

use drover_model::{
    allocation::{Allocation, AllocationReport, ClientStatus},
    deployment::{DeploymentState, DeploymentStatus, DeploymentStatusUpdate},
    ids::DeploymentId,
    job::{ChangeMode, Job, Task, TaskGroup, Template, UpdateStrategy},
    plan::Stop,
};
use drover_runtime::Runtime;

use super::*;
use crate::{
    fsm::command::{Command, PlanApply},
    testing::*,
};

/// A group of allocations 1, 2, ... that run, with a template that rolls.
struct Roll {
    world: World,
    job: Arc<Job>,
}

fn rolling(id: &str, count: u32, update: UpdateStrategy) -> Job {
    let template = Template { change_mode: ChangeMode::Rolling, ..Template::default() };
    let task = Task { name: "server".to_owned(), driver: "raw_exec".to_owned(), templates: vec![template].into(), ..Task::default() };
    let group = TaskGroup { name: "web".into(), count, tasks: vec![task].into(), update: Some(update), ..TaskGroup::default() };
    Job { task_groups: vec![group].into(), ..job(id, count) }
}

impl Roll {
    fn new(count: u8, max_parallel: u32) -> Self {
        let mut world = World::default();
        world.ready_node(node(1, 4000, 4000));
        let update = UpdateStrategy { max_parallel, progress_deadline: Duration::from_secs(60), ..UpdateStrategy::default() };
        let job = world.register(rolling("web", u32::from(count), update));
        world.place((1..=count).map(|number| allocation(number, &job, 1)).collect(), None);
        let mut roll = Self { world, job };
        (1..=count).for_each(|number| roll.says(number, "", Some(true)));
        roll
    }

    /// A client says of an allocation that runs what waits there and how it is.
    fn says(&mut self, number: u8, waiting: &str, healthy: Option<bool>) {
        let deployment_id = self.row(number).deployment_id;
        let report =
            AllocationReport { deployment_id, templates_waiting: waiting.into(), ..report(number, ClientStatus::Running, healthy) };
        self.world.report(1, vec![report]);
    }

    fn row(&self, number: u8) -> &Arc<Allocation> {
        self.world.state.allocation(alloc_id(number)).unwrap()
    }

    fn latest(&self) -> Arc<drover_model::deployment::Deployment> {
        Arc::clone(self.world.state.latest_deployment(&self.job.key()).unwrap())
    }

    /// Decides, does it, and says what it was.
    fn step(&mut self) -> String {
        let key = self.job.key();
        let command = decide(&self.world.state, &key, self.world.now(), &*Runtime::real().random).command;
        let Some(command) = command else { return "wait".to_owned() };
        let told = match &command {
            Command::TemplateTurns(step) => {
                let numbers = |ids: &[drover_model::ids::AllocId]| {
                    let all: Vec<String> =
                        (1..9).filter(|number| ids.contains(&alloc_id(*number))).map(|number| number.to_string()).collect();
                    all.join(",")
                };
                let known = self.world.state.deployment(step.deployment.id).is_some();
                let revoked = if step.revoked.is_empty() { String::new() } else { format!(" not {}", numbers(&step.revoked)) };
                format!("{} {}{revoked}", if known { "turn of" } else { "begin with" }, numbers(&step.turns))
            }
            Command::DeploymentStatus { update, .. } => format!("{}: {}", update.status.as_str(), update.description),
            other => format!("{other:?}"),
        };
        self.world.run(command);
        told
    }

    fn status(&mut self, status: DeploymentStatus) {
        let update = DeploymentStatusUpdate { id: self.latest().id, status, description: String::new() };
        self.world.run(Command::DeploymentStatus { update, job: None, evaluation: None });
    }

    /// The servers stop an allocation, or lose sight of it.
    fn stop(&mut self, number: u8, client_status: Option<ClientStatus>) {
        let stop = Stop {
            id: alloc_id(number),
            node_id: node_id(1),
            desired_status: if client_status == Some(ClientStatus::Unknown) {
                Default::default()
            } else {
                drover_model::allocation::DesiredStatus::Stop
            },
            description: "".into(),
            client_status,
            followup_eval: None,
            preempted_by: None,
        };
        self.world.run(Command::PlanApply(Box::new(PlanApply { stops: vec![stop], ..PlanApply::default() })));
    }
}

const DONE: &str = "successful: Deployment completed successfully";

#[test]
fn one_after_the_other_and_each_once() {
    let mut roll = Roll::new(3, 1);
    assert_eq!(roll.step(), "wait", "nothing has changed");
    (1..=3).for_each(|number| roll.says(number, "a", None));
    assert_eq!(roll.step(), "begin with 1");
    let deployment = roll.latest();
    let group = &deployment.task_groups["web"];
    assert!(deployment.is_of_templates() && roll.row(1).turn() == Some(deployment.id) && roll.row(1).is_healthy().is_none());
    assert_eq!((group.desired_total, group.placed_allocs), (3, 1));
    assert_eq!(roll.step(), "wait", "nobody knows yet how it is");
    let stale = AllocationReport { templates_waiting: "a".into(), ..report(1, ClientStatus::Running, Some(true)) };
    roll.world.report(1, vec![stale]);
    assert_eq!(roll.step(), "wait", "what was said before its turn tells nothing");
    roll.says(1, "", None);
    assert_eq!(roll.step(), "wait", "it has taken its texts in, and is not healthy yet");
    roll.says(1, "", Some(true));
    assert_eq!(roll.step(), "turn of 2");
    roll.says(2, "", Some(true));
    assert_eq!(roll.step(), "turn of 3");
    roll.says(3, "", Some(true));
    assert_eq!(roll.step(), DONE);
    assert_eq!(roll.latest().task_groups["web"].healthy_allocs, 3);
    assert_eq!(roll.step(), "wait");
    assert!(!roll.world.state.job(&roll.job.key()).unwrap().stable, "it says nothing of the job's version");
}

#[test]
fn as_many_at_a_time_as_the_group_says() {
    for (count, max_parallel, want) in
        [(1, 1, "begin with 1"), (4, 2, "begin with 1,2"), (4, 9, "begin with 1,2,3,4"), (3, 0, "begin with 1,2,3")]
    {
        let mut roll = Roll::new(count, max_parallel);
        (1..=count).for_each(|number| roll.says(number, "a", None));
        assert_eq!(roll.step(), want, "{count} by {max_parallel}");
    }
    let mut roll = Roll::new(4, 2);
    (1..=4).for_each(|number| roll.says(number, "a", None));
    roll.step();
    roll.says(2, "", Some(true));
    assert_eq!(roll.step(), "turn of 3", "a place is filled as soon as it is free");
}

#[test]
fn one_that_is_not_well_stops_it_and_the_others_keep_their_texts() {
    let mut roll = Roll::new(3, 1);
    (1..=3).for_each(|number| roll.says(number, "bad", None));
    assert_eq!(roll.step(), "begin with 1");
    roll.says(1, "", Some(false));
    let why = roll.step();
    assert!(why.starts_with("failed: Failed because allocation 01010101 (web.web[1]) is not healthy"), "{why}");
    assert_eq!(roll.step(), "wait", "the same change is not tried again");
    assert!(roll.row(2).turn().is_none() && roll.row(2).awaits_turn());

    // A newer text comes, to the others first: the one that speaks against the newest it has seen is waited for.
    roll.says(2, "good", None);
    roll.says(3, "good", None);
    assert_eq!(roll.step(), "wait");
    roll.says(1, "better", None);
    assert_eq!(roll.step(), "begin with 1", "what is broken has the least to lose");
    roll.says(1, "", Some(true));
    assert_eq!(roll.step(), "turn of 2");
    roll.says(2, "", Some(true));
    assert_eq!(roll.step(), "turn of 3");
    roll.says(3, "", Some(true));
    assert_eq!(roll.step(), DONE);
}

#[test]
fn what_arrives_late_does_not_try_a_failed_change_on_another() {
    let mut roll = Roll::new(2, 1);
    roll.says(1, "bad", None);
    assert_eq!(roll.step(), "begin with 1");
    roll.says(1, "", Some(false));
    assert!(roll.step().starts_with("failed"));
    roll.says(2, "the same, said late", None);
    assert_eq!(roll.step(), "wait");
    roll.stop(1, Some(ClientStatus::Complete));
    assert_eq!(roll.step(), "begin with 2", "nothing speaks against it any more");
}

#[test]
fn one_that_an_ended_deployment_left_on_its_way_keeps_its_place() {
    let mut roll = Roll::new(3, 1);
    (1..=3).for_each(|number| roll.says(number, "a", None));
    assert_eq!(roll.step(), "begin with 1");
    roll.says(1, "", None);
    roll.status(DeploymentStatus::Failed);
    (2..=3).for_each(|number| roll.says(number, "b", None));
    assert_eq!(roll.step(), "wait", "nobody knows yet how the first one is");
    roll.says(1, "", Some(true));
    assert_eq!(roll.step(), "begin with 2");

    let mut roll = Roll::new(3, 2);
    (1..=3).for_each(|number| roll.says(number, "a", None));
    assert_eq!(roll.step(), "begin with 1,2");
    roll.says(1, "", None);
    roll.says(2, "", Some(true));
    roll.status(DeploymentStatus::Failed);
    (2..=3).for_each(|number| roll.says(number, "b", None));
    assert_eq!(roll.step(), "begin with 2");
    roll.says(2, "", Some(true));
    assert_eq!(roll.step(), "turn of 3");
    roll.says(3, "", Some(true));
    assert_eq!(roll.step(), DONE);
}

#[test]
fn who_comes_back_does_not_take_the_turn_of_an_ended_deployment() {
    let mut roll = Roll::new(2, 1);
    (1..=2).for_each(|number| roll.says(number, "a", None));
    assert_eq!(roll.step(), "begin with 1");
    roll.status(DeploymentStatus::Failed);
    roll.stop(1, Some(ClientStatus::Unknown));
    roll.says(2, "b", None);
    assert_eq!(roll.step(), "begin with 2 not 1");
    assert!(roll.row(1).turn().is_none());
}

#[test]
fn what_changes_on_the_way_has_a_round_of_its_own() {
    let mut roll = Roll::new(2, 1);
    (1..=2).for_each(|number| roll.says(number, "a", None));
    assert_eq!(roll.step(), "begin with 1");
    let first = roll.latest().id;
    roll.says(1, "b", None);
    roll.says(2, "b", None);
    assert_eq!(roll.step(), "wait");
    roll.says(1, "b", Some(true));
    assert_eq!(roll.step(), "turn of 2", "with the newest it has");
    roll.says(2, "", Some(true));
    assert_eq!(roll.step(), DONE);
    assert_eq!(roll.step(), "begin with 1");
    assert_ne!(roll.latest().id, first);
}

#[test]
fn who_goes_away_is_not_waited_for() {
    for (name, status) in [("stopped", None), ("lost", Some(ClientStatus::Lost))] {
        let mut roll = Roll::new(2, 1);
        (1..=2).for_each(|number| roll.says(number, "a", None));
        assert_eq!(roll.step(), "begin with 1", "{name}");
        roll.stop(1, status);
        assert_eq!(roll.step(), "turn of 2", "{name}");
        roll.says(2, "", Some(true));
        assert_eq!(roll.step(), DONE, "{name}");
    }
    let mut roll = Roll::new(2, 1);
    (1..=2).for_each(|number| roll.says(number, "a", None));
    roll.step();
    roll.stop(1, Some(ClientStatus::Unknown));
    assert_eq!(roll.step(), "turn of 2 not 1", "who is out of sight must not go when it returns");
    roll.says(1, "a", None);
    roll.says(2, "", Some(true));
    assert_eq!(roll.step(), "turn of 1", "back in sight, it is among those who wait");
}

#[test]
fn it_ends_with_the_job_its_version_or_its_time() {
    let begun = || {
        let mut roll = Roll::new(2, 1);
        (1..=2).for_each(|number| roll.says(number, "a", None));
        roll.step();
        roll
    };
    let mut newer = begun();
    newer.world.register(Job { priority: 60, ..Job::clone(&newer.job) });
    assert_eq!(newer.step(), "cancelled: Cancelled due to newer version of job");
    assert_eq!(newer.step(), "wait", "its allocations are of another version");

    let mut stopped = begun();
    stopped.world.run(Command::JobDeregister { key: stopped.job.key(), purge: false, no_shutdown_delay: false, evaluation: None });
    assert_eq!(stopped.step(), "cancelled: Cancelled because job is stopped");

    let mut late = begun();
    late.world.seconds += 61;
    assert_eq!(late.step(), "failed: Failed due to progress deadline");

    let mut failed = begun();
    failed.world.report(1, vec![report(1, ClientStatus::Failed, None)]);
    assert!(failed.step().starts_with("failed: Failed because allocation"));

    let mut paused = begun();
    paused.status(DeploymentStatus::Paused);
    paused.says(1, "", Some(true));
    assert_eq!(paused.step(), "wait");
    paused.status(DeploymentStatus::Running);
    assert_eq!(paused.step(), "turn of 2");
}

#[test]
fn it_waits_for_a_roll_out_and_the_scheduler_does_not_see_it() {
    let mut roll = Roll::new(2, 1);
    let state = DeploymentState { desired_total: 2, ..DeploymentState::default() };
    let job = Arc::clone(&roll.job);
    let rollout = drover_model::deployment::Deployment { job_create_index: job.create_index, ..deployment(1, &job, state) };
    roll.world.place(vec![], Some(rollout));
    roll.says(1, "a", None);
    assert_eq!(roll.step(), "wait");
    roll.status(DeploymentStatus::Successful);
    assert_eq!(roll.step(), "begin with 1");
    let key = roll.job.key();
    let of_version: Option<DeploymentId> = roll.world.state.latest_rollout(&key).map(|rollout| rollout.id);
    assert_eq!(of_version, Some(deployment_id(1)));
    assert_ne!(roll.latest().id, deployment_id(1));
}
