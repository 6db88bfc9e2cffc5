//! Namespaces, quotas, variables and volumes.

use std::time::Duration;

use drover_model::{variable::LockTerms, volume::AccessMode};

use super::*;

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
