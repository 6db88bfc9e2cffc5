use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, ClientStatus, DesiredStatus},
    deployment::{DeploymentState, DeploymentStatus, DeploymentStatusUpdate, description},
    evaluation::{EvalStatus, Evaluation},
    ids::{JobKey, KeyId},
    job::{Job, JobStatus, ScalingEvent},
    json::Map,
    namespace::{Namespace, NodePool},
    node::{Node, NodeStatus},
    plan::Stop,
    variable::{LockTerms, SealedItems},
    volume::AccessMode,
};

use super::{
    Effect,
    command::{Applied, Command, PlanApply, ScaleStep},
};
use crate::{
    state::{State, snapshot},
    testing::*,
};

fn web() -> JobKey {
    JobKey::new("default", "web")
}

fn register(job: Job, enforce: Option<u64>) -> Command {
    let evaluation = Some(evaluation(1, &job));
    Command::JobRegister { job: Arc::new(job), submission: None, enforce, evaluation }
}

fn bytes(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    snapshot::encode(state, &mut bytes).unwrap();
    bytes
}

fn variable_put(check: Option<u64>, holder: &str) -> Command {
    let sealed = SealedItems { key_id: KeyId::from_random([3; 16]), nonce: vec![1], bytes: vec![2] };
    let (namespace, path, holder) = ("default".into(), "a/b".into(), holder.to_owned());
    Command::VariablePut { namespace, path, sealed: Some(Box::new(sealed)), check, holder, acquire: None }
}

/// A life of a small cluster, as commands.
fn life() -> Vec<Command> {
    let web = Arc::new(job("web", 2));
    let placed = [allocation(1, &web, 1), allocation(2, &web, 1)];
    vec![
        Command::NodeRegister { node: Box::new(node(1, 4000, 4000)) },
        Command::NodeStatus { id: node_id(1), status: NodeStatus::Ready, event: None, evaluations: vec![] },
        register(job("web", 2), Some(0)),
        Command::PlanApply(Box::new(PlanApply { allocations: placed.iter().collect(), ..PlanApply::default() })),
        Command::AllocationsReport { node_id: node_id(1), reports: vec![report(1, ClientStatus::Running, None)], evaluations: vec![] },
        Command::KvPut { key: "a".to_owned(), value: vec![1], flags: 0, check: Some(7) },
        Command::KvPut { key: "a".to_owned(), value: vec![1], flags: 0, check: Some(0) },
        variable_put(Some(7), ""),
        variable_put(Some(0), ""),
        Command::JobTag { key: JobKey::new("default", "web"), name: "golden".to_owned(), tag: Some((0, String::new())) },
        Command::NamespacePut { namespace: Box::new(Namespace { name: "team".to_owned(), ..Namespace::default() }) },
        Command::NodePoolPut { pool: Box::new(NodePool { name: "gpu".to_owned(), ..NodePool::default() }) },
        Command::JobDeregister { key: JobKey::new("default", "web"), purge: false, no_shutdown_delay: true, evaluation: None },
        Command::NodeStatus { id: node_id(1), status: NodeStatus::Down, event: None, evaluations: vec![] },
    ]
}

#[test]
fn the_same_log_gives_the_same_bytes_also_from_a_snapshot_on() {
    let (mut one, mut other) = (World::default(), World::default());
    let commands = life();
    for (number, command) in commands.iter().enumerate() {
        one.apply(command.clone());
        other.apply(command.clone());
        assert_eq!(bytes(&one.state), bytes(&other.state), "after command {number}");
        // A server that starts from a snapshot goes on like the others.
        other.state = snapshot::decode(&mut &bytes(&other.state)[..]).unwrap();
    }
}

#[test]
fn versions_count_what_differs() {
    let mut world = World::default();
    let changed = |meta: &str| Job { meta: Map::from_iter([("v".to_owned(), meta.to_owned())]), ..job("web", 1) };
    for (name, job, version) in
        [("new", changed("1"), 0), ("unchanged", changed("1"), 0), ("changed", changed("2"), 1), ("back again", changed("1"), 2)]
    {
        let before = world.state.job(&web()).map_or(0, |job| job.job_modify_index);
        let index = world.run(register(job, None));
        let job = world.state.job(&web()).unwrap();
        assert_eq!(job.version, version, "{name}");
        assert_eq!(job.job_modify_index, if name == "unchanged" { before } else { index }, "{name}");
        assert_eq!(world.state.evaluation(eval_id(1)).unwrap().modify_index, index, "{name}: an evaluation either way");
    }
    let purge = |purge| Command::JobDeregister { key: web(), purge, no_shutdown_delay: false, evaluation: None };
    world.run(purge(false));
    let stopped = world.state.job(&web()).unwrap();
    assert_eq!((stopped.version, stopped.stop), (3, true));
    world.run(purge(true));
    assert!(world.state.job(&web()).is_none() && world.state.job_versions(&web()).is_empty() && world.state.summary(&web()).is_none());
}

#[test]
fn old_versions_are_forgotten_but_stable_and_tagged_ones() {
    let mut world = World::default();
    for number in 0..12 {
        world.run(register(Job { priority: 10 + number, ..job("web", 1) }, None));
        if number == 1 {
            world.run(Command::JobStability { key: web(), version: 1, stable: true });
        }
    }
    let versions: Vec<u64> = world.state.job_versions(&web()).iter().map(|job| job.version).collect();
    assert_eq!(versions, [11, 10, 9, 8, 7, 6, 1]);
    assert_eq!(world.state.stable_version(&web(), 11).unwrap().version, 1);
}

#[test]
fn a_tag_keeps_its_version() {
    let mut world = World::default();
    for number in 0..3 {
        world.run(register(Job { priority: 10 + number, ..job("web", 1) }, None));
    }
    let tag = |name: &str, version| Command::JobTag { key: web(), name: name.to_owned(), tag: Some((version, "why".to_owned())) };
    let modified = world.state.job(&web()).unwrap().job_modify_index;
    world.run(tag("golden", 0));
    world.run(tag("newest", 2));
    assert_eq!(world.state.job(&web()).unwrap().job_modify_index, modified, "the specification is as it was");
    for (command, status) in [(tag("golden", 1), 500), (tag("other", 7), 404)] {
        assert!(matches!(world.apply(command).0, Applied::Refused { status: found, .. } if found == status));
    }
    for number in 3..12 {
        world.run(register(Job { priority: 10 + number, ..job("web", 1) }, None));
    }
    let versions = |world: &World| world.state.job_versions(&web()).iter().map(|job| job.version).collect::<Vec<_>>();
    assert_eq!(versions(&world), [11, 10, 9, 8, 7, 6, 2, 0]);
    let known = world.state.tagged_version(&web(), "golden").unwrap();
    assert_eq!((known.version, known.version_tag.as_ref().unwrap().description.as_str()), (0, "why"));
    let untag = || Command::JobTag { key: web(), name: "golden".to_owned(), tag: None };
    world.run(untag());
    assert_eq!(versions(&world), [11, 10, 9, 8, 7, 6, 2], "nothing keeps it any more");
    assert!(matches!(world.apply(untag()).0, Applied::Refused { status: 404, .. }));
}

#[test]
fn what_is_said_of_counts_is_kept_for_a_while() {
    let mut world = World::default();
    let registered = world.run(register(job("web", 1), None));
    let scale = |count: Option<u32>, enforce| {
        let event = ScalingEvent { count: count.map(i64::from), message: "busy".to_owned(), ..ScalingEvent::default() };
        let job = count.map(|count| Arc::new(job("web", count)));
        Command::JobScale(Box::new(ScaleStep { key: web(), group: "web".into(), event, job, enforce, evaluation: None }))
    };
    assert!(matches!(world.apply(scale(Some(2), Some(registered + 9))).0, Applied::Conflict { .. }));
    assert!(world.state.scaling(&web()).is_none(), "a refusal notes nothing");
    world.run(scale(Some(2), Some(registered)));
    let newest = world.run(scale(None, None));
    let events = world.state.scaling(&web()).unwrap().groups["web"].clone();
    assert_eq!(events.iter().map(|event| event.count).collect::<Vec<_>>(), [None, Some(2)]);
    assert_eq!((events[0].create_index, world.state.job(&web()).unwrap().task_groups[0].count), (newest, 2));
    for _ in 0..40 {
        world.run(scale(None, None));
    }
    assert_eq!(world.state.scaling(&web()).unwrap().groups["web"].len(), 20);
    let read = snapshot::decode(&mut &bytes(&world.state)[..]).unwrap();
    assert_eq!(read.scaling(&web()), world.state.scaling(&web()));
    world.run(Command::JobDeregister { key: web(), purge: true, no_shutdown_delay: false, evaluation: None });
    assert!(world.state.scaling(&web()).is_none());
    assert!(matches!(world.apply(scale(None, None)).0, Applied::Refused { status: 404, .. }));
}

#[test]
fn check_and_set() {
    let mut world = World::default();
    let conflict = |applied: Applied| matches!(applied, Applied::Conflict { .. });
    assert!(conflict(world.apply(register(job("web", 1), Some(5))).0));
    let index = world.run(register(job("web", 1), Some(0)));
    assert!(conflict(world.apply(register(job("web", 2), Some(0))).0));
    assert_eq!(world.state.job(&web()).unwrap().version, 0, "a refusal changes nothing");
    world.run(register(job("web", 2), Some(index)));
    let put = |check| Command::KvPut { key: "k".to_owned(), value: vec![1], flags: 0, check };
    let index = world.run(put(Some(0)));
    assert!(conflict(world.apply(put(Some(0))).0) && conflict(world.apply(put(Some(index + 1))).0));
    world.run(Command::KvDelete { key: "k".to_owned(), recurse: false, check: Some(index) });
    assert!(world.state.kv("k").is_none());
}

#[test]
fn a_jobs_status_follows_its_allocations_and_evaluations() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    world.run(register(job("web", 1), None));
    let status = |world: &World| world.state.job(&web()).unwrap().status;
    assert_eq!(status(&world), JobStatus::Pending);
    let job = Arc::clone(world.state.job(&web()).unwrap());
    world.place(vec![allocation(1, &job, 1)], None);
    assert_eq!(status(&world), JobStatus::Running);
    let done = Evaluation { status: EvalStatus::Complete, ..evaluation(1, &job) };
    world.run(Command::EvaluationsUpsert { evaluations: vec![done] });
    assert_eq!(status(&world), JobStatus::Running);
    world.report(1, vec![report(1, ClientStatus::Failed, None)]);
    assert_eq!(status(&world), JobStatus::Dead);
    let summary = world.state.summary(&web()).unwrap();
    assert_eq!((summary.summary["web"].failed, summary.summary["web"].starting), (1, 0));
}

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

#[test]
fn the_newest_blocked_evaluation_stands_for_its_job() {
    let mut world = World::default();
    let job = world.register(job("web", 1));
    let blocked = |number| Evaluation { status: EvalStatus::Blocked, ..evaluation(number, &job) };
    let status = |world: &World, number| world.state.evaluation(eval_id(number)).unwrap().status;
    world.run(Command::EvaluationsUpsert { evaluations: vec![blocked(1)] });
    world.run(Command::EvaluationsUpsert { evaluations: vec![blocked(2)] });
    assert_eq!((status(&world, 1), status(&world, 2)), (EvalStatus::Canceled, EvalStatus::Blocked));
    let failed = BTreeMap::from([("web".into(), Arc::default())]);
    let partly = Evaluation { status: EvalStatus::Complete, failed_tg_allocs: failed, ..evaluation(3, &job) };
    world.run(Command::EvaluationsUpsert { evaluations: vec![partly] });
    assert_eq!(status(&world, 2), EvalStatus::Blocked, "something still waits");
    world.run(Command::EvaluationsUpsert { evaluations: vec![Evaluation { status: EvalStatus::Complete, ..evaluation(4, &job) }] });
    assert_eq!(status(&world, 2), EvalStatus::Canceled);
}

#[test]
fn a_node_keeps_what_operators_and_time_gave_it_when_it_registers_again() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    world.run(Command::NodeStatus { id: node_id(1), status: NodeStatus::Down, event: None, evaluations: vec![] });
    let stranger = Node { secret_id: "other".to_owned().into(), ..node(1, 1, 1) };
    let (refused, _) = world.apply(Command::NodeRegister { node: Box::new(stranger) });
    assert!(matches!(refused, Applied::Refused { status: 403, .. }));
    world.run(Command::NodeRegister { node: Box::new(node(1, 8000, 4000)) });
    let row = world.state.node(node_id(1)).unwrap();
    assert_eq!((row.status, row.create_index, row.resources.cpu.cpu_mhz), (NodeStatus::Initializing, 1, 8000));
    assert_eq!(row.events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>(), ["Node registered", "Node re-registered"]);
}

#[test]
fn what_ends_frees_room_and_leaves_the_catalogue() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let job = world.register(job("web", 1));
    world.place(vec![allocation(1, &job, 1)], None);
    let service = drover_model::service::ServiceRegistration {
        id: "s1".to_owned(),
        service_name: "web".into(),
        namespace: "default".into(),
        node_id: node_id(1),
        datacenter: "dc1".to_owned(),
        job_id: "web".into(),
        alloc_id: alloc_id(1),
        tags: vec![].into(),
        address: "10.0.0.1".to_owned(),
        port: 80,
        meta: Map::default(),
        health: drover_model::service::CheckStatus::Passing,
        provider: drover_model::job::Provider::Nomad,
        create_index: 0,
        modify_index: 0,
    };
    world.run(Command::ServicesUpsert { services: vec![service.clone()] });
    assert_eq!(world.state.services().count(), 1);
    let effects = world.report(1, vec![report(1, ClientStatus::Complete, None)]);
    assert_eq!((world.state.services().count(), world.state.node_usage(node_id(1)).allocations), (0, 0));
    let class = world.state.node(node_id(1)).unwrap().computed_class.clone();
    assert!(effects.contains(&Effect::Unblock { class, index: world.state.index() }));
    world.run(Command::ServicesUpsert { services: vec![service] });
    assert_eq!(world.state.services().count(), 0, "a late message does not bring it back");
}

#[test]
fn a_lock_that_runs_out_lets_others_in_after_its_delay() {
    let mut world = World::default();
    let acquire = |id: &str| {
        let terms = LockTerms { id: id.to_owned(), ttl: Duration::from_secs(10), delay: Duration::from_secs(5) };
        let Command::VariablePut { namespace, path, sealed, .. } = variable_put(None, "") else { unreachable!() };
        Command::VariablePut { namespace, path, sealed, check: None, holder: String::new(), acquire: Some(terms) }
    };
    world.run(acquire("first"));
    for (seconds, command, accepted) in [
        (9, acquire("second"), false),
        (9, variable_put(None, ""), false),
        (9, variable_put(None, "first"), true),
        // It has run out: anybody may write, nobody may lock yet.
        (11, variable_put(None, "first"), false),
        (11, acquire("second"), false),
        (11, variable_put(None, ""), true),
        (14, acquire("second"), false),
        (15, acquire("second"), true),
        (16, variable_put(None, "first"), false),
    ] {
        world.seconds = seconds;
        assert_eq!(world.apply(command.clone()).0.accepted().is_ok(), accepted, "{seconds} {command:?}");
    }
}

#[test]
fn what_is_in_use_is_not_removed() {
    let mut world = World::default();
    let namespace = |name: &str, hash: &str| {
        let namespace = Namespace { name: name.to_owned(), hash: hash.to_owned(), ..Namespace::default() };
        Command::NamespacePut { namespace: Box::new(namespace) }
    };
    world.apply(Command::NodeRegister { node: Box::new(Node { node_pool: "edge".to_owned(), ..node(1, 4000, 4000) }) });
    let made = world.run(namespace("team", "1"));
    world.run(namespace("team", "1"));
    assert_eq!(world.state.namespace("team").unwrap().modify_index, made, "the same again is no change");
    let changed = world.run(namespace("team", "2"));
    let team = world.state.namespace("team").unwrap();
    assert_eq!((team.create_index, team.modify_index), (made, changed));
    world.run(register(Job { namespace: "team".into(), ..job("web", 1) }, None));
    let namespace = |name: &str| Command::NamespaceDelete { name: name.to_owned() };
    let pool = |name: &str| Command::NodePoolDelete { name: name.to_owned() };
    let refused = |message: &str| Some(message.to_owned());
    for (command, want) in [
        (namespace("default"), refused("can not delete default namespace")),
        (namespace("team"), refused("namespace \"team\" has non-terminal jobs")),
        (namespace("ghost"), refused("Namespace not found")),
        (pool("all"), refused("deleting node pool \"all\" is not allowed")),
        (pool("edge"), refused("node pool \"edge\" has nodes")),
        (pool("ghost"), refused("node pool not found")),
        (Command::NodesForget { ids: vec![node_id(1)], evaluations: vec![] }, None),
        (pool("edge"), None),
        (Command::JobDeregister { key: JobKey::new("team", "web"), purge: true, no_shutdown_delay: true, evaluation: None }, None),
        (namespace("team"), None),
    ] {
        let (applied, _) = world.apply(command.clone());
        let found = match applied {
            Applied::At { .. } => None,
            Applied::Refused { message, .. } => Some(message),
            other @ Applied::Conflict { .. } => panic!("{other:?}"),
        };
        assert_eq!(found, want, "{command:?}");
    }
    let names: Vec<String> = world.state.namespaces().map(|one| one.name.clone()).collect();
    assert_eq!(names, ["default"]);
}

/// What wakes those who wait for a quota.
fn woken(effects: &[Effect]) -> Vec<&str> {
    let mut woken = Vec::new();
    for effect in effects {
        if let Effect::UnblockQuota { quota, .. } = effect {
            woken.push(quota.as_str());
        }
    }
    woken
}

#[test]
fn quotas_are_named_by_namespaces_and_wake_who_waits_for_them() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let namespace = |quota| Command::NamespacePut { namespace: Box::new(under("default", quota)) };
    let refused = |applied: Applied| applied.accepted().unwrap_err().message;
    assert_eq!(refused(world.apply(namespace("team")).0), "quota \"team\" does not exist");
    let job = world.register(job("web", 1));
    world.place(vec![allocation(1, &job, 1), allocation(2, &job, 1)], None);
    world.run(quota_put("team", 500));
    world.run(quota_put("other", 500));
    assert_eq!(woken(&world.apply(namespace("team")).1), [""; 0], "nobody could wait for it yet");
    assert_eq!(world.state.quota_use("team").cpu_mhz, 200, "what runs already counts");
    let taken = world.apply(Command::QuotaDelete { name: "team".to_owned() }).0;
    assert_eq!(refused(taken), "quota \"team\" counts for namespace \"default\": give that another quota, or none");

    assert_eq!(woken(&world.apply(quota_put("team", 600)).1), ["team"], "it changed");
    assert_eq!(woken(&world.apply(quota_put("team", 600)).1), [""; 0], "it did not change");
    assert_eq!(woken(&world.report(1, vec![report(1, ClientStatus::Running, None)])), [""; 0]);
    assert_eq!(woken(&world.report(1, vec![report(1, ClientStatus::Complete, None)])), ["team"], "one ended");
    assert_eq!(world.state.quota_use("team").cpu_mhz, 100);
    assert_eq!(woken(&world.apply(namespace("other")).1), ["team"], "another quota counts now");
    assert_eq!((world.state.quota_use("team").cpu_mhz, world.state.quota_use("other").cpu_mhz), (0, 100));
    world.run(Command::QuotaDelete { name: "team".to_owned() });

    let restored = snapshot::decode(&mut bytes(&world.state).as_slice()).unwrap();
    assert_eq!((restored.quotas().count(), restored.quota_use("other").cpu_mhz), (1, 100));
    assert_eq!(bytes(&restored), bytes(&world.state));
}

#[test]
fn variables_take_no_more_than_the_quota_allows() {
    let mut world = World::default();
    let put = |path: &str, bytes: usize| {
        let sealed = SealedItems { key_id: KeyId::from_random([3; 16]), nonce: vec![1], bytes: vec![2; bytes] };
        let (namespace, path) = ("default".into(), path.into());
        Command::VariablePut { namespace, path, sealed: Some(Box::new(sealed)), check: None, holder: String::new(), acquire: None }
    };
    let Command::QuotaPut { mut quota } = quota_put("team", 0) else { unreachable!() };
    quota.spec.limits[0].variables_limit = Some(1);
    world.run(Command::QuotaPut { quota });
    world.run(Command::NamespacePut { namespace: Box::new(under("default", "team")) });
    world.run(put("a", 1 << 19));
    world.run(put("b", 1 << 19));
    let refused = world.apply(put("c", 1)).0.accepted().unwrap_err();
    assert_eq!((refused.status, refused.message.as_str()), (403, "quota \"team\" is reached: variables may take 1 MiB in all"));
    assert!(world.apply(put("a", (1 << 19) + 1)).0.accepted().is_err(), "one more byte");
    world.run(put("a", 10));
    world.run(put("c", 1));
}

#[test]
fn volumes_belong_to_nodes_and_go_when_nobody_uses_them() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    let refused = |applied: Applied| applied.accepted().unwrap_err().message;
    assert_eq!(refused(world.apply(volume_put(9, "data", AccessMode::Writer)).0), "node not found");
    let (applied, effects) = world.apply(volume_put(1, "data", AccessMode::Writer));
    applied.accepted().unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Unblock { .. })), "who waits for it is woken");
    let offered = |world: &World| world.state.node(node_id(1)).unwrap().host_volumes.keys().cloned().collect::<Vec<_>>();
    assert_eq!(offered(&world), ["data"]);
    // The client registers again, and knows nothing of it.
    world.run(Command::NodeRegister { node: Box::new(node(1, 4000, 4000)) });
    assert_eq!(offered(&world), ["data"]);
    let Command::VolumePut { mut volume } = volume_put(1, "data", AccessMode::Writer) else { unreachable!() };
    volume.id = Some(volume_id(2));
    assert!(refused(world.apply(Command::VolumePut { volume }).0).contains("has another volume \"data\""));

    let mut job = job("web", 1);
    let asked = drover_model::spec::Volume { kind: "host".to_owned(), source: "data".to_owned(), ..Default::default() };
    job.task_groups[0].volumes.insert("v".to_owned(), asked);
    let job = world.register(job);
    world.place(vec![allocation(1, &job, 1)], None);
    let delete = |namespace: &str| Command::VolumeDelete { namespace: namespace.into(), id: volume_id(1) };
    assert_eq!(refused(world.apply(delete("other")).0), "volume not found");
    assert!(refused(world.apply(delete("default")).0).contains("is in use by allocation"));
    let restored = snapshot::decode(&mut bytes(&world.state).as_slice()).unwrap();
    assert_eq!((restored.volumes_of_node(node_id(1)).count(), bytes(&restored)), (1, bytes(&world.state)));
    world.report(1, vec![report(1, ClientStatus::Complete, None)]);
    world.run(delete("default"));
    assert!(offered(&world).is_empty());
}
