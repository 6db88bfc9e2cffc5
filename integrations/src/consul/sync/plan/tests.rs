use super::*;
use crate::{
    catalogue::EntryWeights,
    registry::{Check, CheckKind, check_id, service_id},
};

const NODE: &str = "node-1";

fn allocation(number: u8) -> AllocId {
    AllocId::from_random([number; 16])
}

fn service(number: u8, tags: &[&str]) -> Arc<Service> {
    let id = service_id(allocation(number), "group-web", "shop", "http");
    let check = Check {
        id: check_id(&id, "ready", 0),
        name: "ready".into(),
        kind: CheckKind::Tcp { address: "127.0.0.1:1".into() },
        interval: std::time::Duration::from_secs(1),
        timeout: std::time::Duration::from_secs(1),
        initial_status: None,
        success_before_passing: 0,
        failures_before_warning: 0,
        failures_before_critical: 0,
        notes: String::new(),
        deregister_after: None,
    };
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Arc::new(Service { id, name: "shop".into(), tags, address: "10.0.0.1".into(), port: 80, checks: vec![check], ..Service::default() })
}

/// The agent once it was given these services.
fn agent(services: &[Arc<Service>], node: &str) -> (BTreeMap<String, AgentService>, BTreeMap<String, AgentCheck>) {
    let mut found = BTreeMap::new();
    let mut checks = BTreeMap::new();
    for service in services {
        found.insert(
            service.id.clone(),
            AgentService {
                id: service.id.clone(),
                service: service.name.clone(),
                tags: service.tags.clone(),
                meta: meta_of(service, node),
                address: service.address.clone(),
                port: service.port,
                weights: EntryWeights::default(),
                ..AgentService::default()
            },
        );
        for check in &service.checks {
            checks.insert(
                check.id.clone(),
                AgentCheck { check_id: check.id.clone(), service_id: service.id.clone(), ..AgentCheck::default() },
            );
        }
    }
    (found, checks)
}

fn writes(wanted: &Wanted, agent: &(BTreeMap<String, AgentService>, BTreeMap<String, AgentCheck>)) -> Vec<Write> {
    plan(wanted, NODE, &agent.0, &agent.1, &BTreeSet::new()).writes
}

#[test]
fn only_the_difference_is_written() {
    let (one, two) = (service(1, &["live"]), service(2, &["live"]));
    let mut wanted = Wanted::default();
    assert!(wanted.set(allocation(1), vec![Arc::clone(&one)]));
    assert!(!wanted.set(allocation(1), vec![Arc::clone(&one)]), "the same again");
    assert!(wanted.set(allocation(2), vec![Arc::clone(&two)]));
    assert_eq!(writes(&wanted, &agent(&[], NODE)), [Write::Register(Arc::clone(&one)), Write::Register(Arc::clone(&two))]);
    assert_eq!(writes(&wanted, &agent(&[Arc::clone(&one)], NODE)), [Write::Register(Arc::clone(&two))]);
    assert_eq!(writes(&wanted, &agent(&[one, two], NODE)), []);
}

#[test]
fn every_change_that_can_be_seen_is_written() {
    let mut wanted = Wanted::default();
    let service = service(1, &["live"]);
    wanted.set(allocation(1), vec![Arc::clone(&service)]);
    let sound = agent(&[Arc::clone(&service)], NODE);
    type Change = (&'static str, fn(&mut AgentService));
    let changes: [Change; 5] = [
        ("tags", |found| found.tags.push("x".into())),
        ("port", |found| found.port += 1),
        ("address", |found| found.address.clear()),
        ("name", |found| found.service.push('x')),
        ("meta", |found| found.meta.clear()),
    ];
    for (what, change) in changes {
        let mut agent = sound.clone();
        agent.0.values_mut().for_each(change);
        assert_eq!(writes(&wanted, &agent).len(), 1, "{what}");
    }
    let lost_check = (sound.0.clone(), BTreeMap::new());
    assert_eq!(writes(&wanted, &lost_check).len(), 1);
    // How a check is made cannot be read back: what was last written decides.
    wanted.note_written(Arc::clone(&service));
    let mut other = (*service).clone();
    other.checks[0].interval *= 2;
    wanted.set(allocation(1), vec![Arc::new(other)]);
    assert_eq!(writes(&wanted, &sound).len(), 1);
}

#[test]
fn tags_that_others_may_change_stay() {
    let mut service = (*service(1, &["live"])).clone();
    service.enable_tag_override = true;
    let service = Arc::new(service);
    let mut wanted = Wanted::default();
    wanted.set(allocation(1), vec![Arc::clone(&service)]);
    let mut agent = agent(&[service], NODE);
    for found in agent.0.values_mut() {
        found.enable_tag_override = true;
        found.tags = vec!["theirs".into()];
    }
    assert_eq!(writes(&wanted, &agent), []);
}

#[test]
fn what_is_left_of_earlier_runs_goes_after_the_restore_and_only_ours() {
    let (ours, theirs) = (service(1, &[]), service(2, &[]));
    let mut both = agent(&[Arc::clone(&ours)], NODE);
    both.0.extend(agent(&[theirs], "node-2").0);
    both.0.insert("web".into(), AgentService { id: "web".into(), ..AgentService::default() });
    let mut wanted = Wanted::default();
    assert_eq!(writes(&wanted, &both), []);
    wanted.restored();
    assert_eq!(writes(&wanted, &both), [Write::Deregister(ours.id.clone(), String::new())]);
}

#[test]
fn what_an_allocation_no_longer_offers_goes() {
    let service = service(1, &[]);
    let agent = agent(&[Arc::clone(&service)], NODE);
    let mut wanted = Wanted::default();
    wanted.set(allocation(1), vec![Arc::clone(&service)]);
    wanted.set(allocation(1), Vec::new());
    assert_eq!(writes(&wanted, &agent), [Write::Deregister(service.id.clone(), String::new())]);
    // A check of it alone.
    let mut bare = (*service).clone();
    bare.checks.clear();
    wanted.set(allocation(1), vec![Arc::new(bare)]);
    assert_eq!(
        writes(&wanted, &agent),
        [Write::DeregisterCheck { service: service.id.clone(), check: service.checks[0].id.clone(), namespace: String::new() }]
    );
    // All of it.
    assert!(wanted.leave(allocation(1)));
    let plan = plan(&wanted, NODE, &agent.0, &agent.1, &BTreeSet::new());
    assert_eq!((plan.writes, plan.leaving), (vec![Write::Deregister(service.id.clone(), String::new())], vec![allocation(1)]));
    wanted.forget(allocation(1));
    assert!(!wanted.leave(allocation(1)));
}

#[test]
fn a_service_whose_token_ends_is_registered_again() {
    let service = service(1, &[]);
    let agent = agent(&[Arc::clone(&service)], NODE);
    let mut wanted = Wanted::default();
    wanted.set(allocation(1), vec![Arc::clone(&service)]);
    let again = BTreeSet::from([service.id.clone()]);
    assert_eq!(plan(&wanted, NODE, &agent.0, &agent.1, &again).writes, [Write::Register(service)]);
}

#[test]
fn every_namespace_of_a_service_is_looked_at() {
    let mut elsewhere = (*service(1, &[])).clone();
    elsewhere.consul_namespace = "team".into();
    let mut wanted = Wanted::default();
    assert_eq!(wanted.namespaces(), BTreeSet::from([String::new()]));
    wanted.set(allocation(1), vec![Arc::new(elsewhere)]);
    assert_eq!(wanted.namespaces(), BTreeSet::from([String::new(), "team".to_owned()]));
}
