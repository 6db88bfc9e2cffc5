//! Commands, and what they make of the state.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::ClientStatus,
    evaluation::{EvalStatus, Evaluation},
    ids::{JobKey, KeyId},
    job::Job,
    json::Map,
    namespace::{Namespace, NodePool},
    node::{Node, NodeStatus},
    variable::SealedItems,
};

use super::{
    Effect,
    command::{Applied, Command, PlanApply},
};
use crate::{
    state::{State, snapshot},
    testing::*,
};

mod deployment;
mod job;
mod namespace;

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
