use std::sync::Arc;

use drover_model::{
    allocation::AllocDeploymentStatus,
    ids::AllocId,
    node::Node,
    resources::{AllocatedPort, AllocatedResources},
};

use super::*;
use crate::environment::Inputs;

fn words(words: &[&str]) -> drover_model::json::List<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn allocation(canary: bool) -> (Allocation, TaskGroup) {
    let check = Check {
        name: "ready".to_owned(),
        protocol: "https".to_owned(),
        path: "/health".to_owned(),
        tls_skip_verify: true,
        ..Check::default()
    };
    let service = Service {
        name: "shop".to_owned(),
        port_label: "https".to_owned(),
        tags: words(&["live", "alloc-${NOMAD_ALLOC_INDEX}"]),
        canary_tags: words(&["canary"]),
        checks: vec![check].into(),
        ..Service::default()
    };
    let task = Task {
        name: "app".to_owned(),
        services: vec![Service { name: "own".to_owned(), port_label: "8080".to_owned(), ..Service::default() }].into(),
        ..Task::default()
    };
    let group = TaskGroup { name: "web".into(), services: vec![service].into(), tasks: vec![task].into(), ..TaskGroup::default() };
    let mut resources = AllocatedResources::default();
    resources.shared.ports =
        vec![AllocatedPort { label: "https".to_owned(), value: 20_100, to: 0, host_ip: "127.0.0.1".to_owned() }].into();
    let status = AllocDeploymentStatus { canary, ..AllocDeploymentStatus::default() };
    let allocation = Allocation {
        id: AllocId::from_random([1; 16]),
        name: "shop.web[2]".into(),
        resources: Arc::new(resources),
        deployment_status: Some(status),
        ..Allocation::default()
    };
    (allocation, group)
}

fn standing(canary: bool, runs: bool, has_run: bool) -> Vec<Placed> {
    let (allocation, group) = allocation(canary);
    let node = Arc::new(Node::default());
    let added = BTreeMap::new();
    let inputs = Inputs {
        node: &node,
        region: "global",
        allocation: &allocation,
        group: &group,
        task: None,
        dirs: None,
        host: None,
        denied: &[],
        added: &added,
    };
    let group_environment = Environment::build(inputs);
    desired(&Standing {
        allocation: &allocation,
        group: &group,
        host_ip: "10.0.0.9",
        runs: &|_| runs,
        has_run: &|_| has_run,
        group_environment: &group_environment,
        task_environments: &BTreeMap::new(),
    })
}

#[test]
fn services_stand_with_their_tasks() {
    for (name, runs, has_run, want) in [
        ("not started", false, false, vec![]),
        ("running", true, true, vec!["shop", "own"]),
        ("between two runs", false, true, vec!["shop"]),
    ] {
        let names: Vec<_> = standing(false, runs, has_run).into_iter().map(|placed| placed.service.name).collect();
        assert_eq!(names, want, "{name}");
    }
}

#[test]
fn a_promotion_changes_tags_and_keeps_the_id_and_checks() {
    let (canary, live) = (&standing(true, true, true)[0], &standing(false, true, true)[0]);
    assert_eq!(canary.service.tags, ["canary"]);
    assert_eq!(live.service.tags, ["live", "alloc-2"]);
    assert_eq!((&canary.service.id, &canary.service.checks), (&live.service.id, &live.service.checks));
    assert!(live.service.id.ends_with("-group-web-shop-https"), "{}", live.service.id);
}

#[test]
fn addresses_and_checks_are_resolved() {
    let placed = standing(false, true, true);
    assert_eq!((placed[0].service.address.as_str(), placed[0].service.port), ("127.0.0.1", 20_100));
    assert_eq!((placed[1].service.address.as_str(), placed[1].service.port), ("10.0.0.9", 8080));
    let CheckKind::Http { url, method, tls_skip_verify, .. } = &placed[0].service.checks[0].kind else { panic!("an HTTP check") };
    assert_eq!((url.as_str(), method.as_str(), *tls_skip_verify), ("https://127.0.0.1:20100/health", "GET", true));
    assert_eq!(placed[0].checks[0].task, "app", "the only task is the one that check_restart restarts");
}

#[test]
fn addresses_of_the_inside_are_used_when_there_is_an_inside() {
    let (mut allocation, group) = allocation(false);
    let resources = Arc::make_mut(&mut allocation.resources);
    resources.shared.ports.0[0].to = 443;
    let node = Arc::new(Node::default());
    let added = BTreeMap::new();
    let inputs = Inputs {
        node: &node,
        region: "global",
        allocation: &allocation,
        group: &group,
        task: None,
        dirs: None,
        host: None,
        denied: &[],
        added: &added,
    };
    let group_environment = Environment::build(inputs);
    for (name, mode, inside, want) in [
        ("auto", "auto", "172.26.0.2", ("127.0.0.1", 20_100)),
        ("host", "host", "172.26.0.2", ("127.0.0.1", 20_100)),
        ("alloc", "alloc", "172.26.0.2", ("172.26.0.2", 443)),
        ("driver", "driver", "172.26.0.2", ("172.26.0.2", 443)),
        ("no network of its own", "alloc", "", ("127.0.0.1", 443)),
    ] {
        let status = drover_model::allocation::NetworkStatus { address: inside.to_owned(), ..Default::default() };
        let allocation = Allocation { network_status: Some(status), ..allocation.clone() };
        let standing = Standing {
            allocation: &allocation,
            group: &group,
            host_ip: "10.0.0.9",
            runs: &|_| true,
            has_run: &|_| true,
            group_environment: &group_environment,
            task_environments: &BTreeMap::new(),
        };
        let (ip, port) = resolve(&standing, "https", mode);
        assert_eq!((ip.as_str(), port), want, "{name}");
    }
}

#[test]
fn a_service_says_what_it_can_log_in_with() {
    let placed = standing(false, true, true);
    let group = &placed[0].service.identity;
    assert_eq!((group.name.as_str(), group.service.as_str(), group.task.as_str()), ("", "shop", ""), "the job names no identity");
    assert_eq!(placed[1].service.identity.task, "app");
    let named = Service {
        identity: Some(drover_model::job::WorkloadIdentity::default()),
        ..Service { name: "web".to_owned(), ..Service::default() }
    };
    assert_eq!(identity(&named, None).name, "consul-service_web");
}
