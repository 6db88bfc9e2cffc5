//! Changed texts that wait for their allocation's turn.

use drover_model::{
    allocation::TemplateRoll,
    ids::DeploymentId,
    job::{ChangeMode, UpdateStrategy},
};

use super::{
    restart::raw_exec,
    templates::{OneValue, template},
    *,
};

fn deployment(number: u8) -> DeploymentId {
    DeploymentId::from_random([number; 16])
}

/// The servers give an allocation its turn.
async fn give_turn(servers: &FakeServers, id: AllocId, turn: DeploymentId) {
    let roll = Arc::new(TemplateRoll { turn: Some(turn), ..TemplateRoll::default() });
    servers.change(id, |allocation| (allocation.deployment_id, allocation.template_roll) = (Some(turn), Some(roll))).await;
}

fn of(seen: &Seen, id: AllocId) -> AllocationReport {
    seen.reports.get(&id).cloned().unwrap_or_default()
}

async fn until_waiting(servers: &FakeServers, id: AllocId) -> String {
    let seen = servers.until("a text that waits", |seen| !of(seen, id).templates_waiting.is_empty()).await;
    of(&seen, id).templates_waiting.to_string()
}

async fn until_healthy(servers: &FakeServers, id: AllocId, turn: DeploymentId) -> AllocationReport {
    let is = |seen: &Seen| {
        let report = of(seen, id);
        report.deployment_id == Some(turn) && report.deployment_status.is_some_and(|status| status.healthy.is_some())
    };
    of(&servers.until("its health with the new text", is).await, id)
}

fn group(driver_config: serde_json::Value, driver: &str) -> TaskGroup {
    let templates = vec![template(0, ChangeMode::Rolling), template(1, ChangeMode::Noop)];
    let task = Task { templates: templates.into(), driver: driver.to_owned(), ..mock_task("app", driver_config) };
    let update = UpdateStrategy { min_healthy_time: Duration::from_millis(50), ..UpdateStrategy::default() };
    TaskGroup { update: Some(update), ..tasks(vec![task]) }
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_its_turn_and_then_restarts_the_task() {
    let (servers, folder, value) = (FakeServers::new(), tempfile::tempdir().unwrap(), OneValue::new("one"));
    let client = start_with(folder.path(), true, &servers, vec![Arc::new(MockDriver::new())], Arc::new(value.clone())).await;
    let allocation = allocation(1, JobType::Service, group(json!({}), "mock_driver"));
    let id = allocation.id;
    servers.place(allocation).await;
    servers.until_task(id, "app", |state| state.state == TaskPhase::Running).await;
    let local = folder.path().join("allocs").join(id.to_string()).join("app/local");
    let text = |number: usize| fs::read_to_string(local.join(format!("{number}.txt"))).unwrap();
    assert_eq!((text(0).as_str(), text(1).as_str()), ("0: one", "1: one"), "nothing that comes first is kept back");

    value.set("two");
    let two = until_waiting(&servers, id).await;
    let state = servers.until_task(id, "app", |state| kinds(state).contains(&"Task hook message")).await;
    assert_eq!(state.restarts, 0);
    assert_eq!((text(0).as_str(), text(1).as_str()), ("0: one", "1: two"), "templates of other modes do not wait");
    assert!(!two.contains("two"));

    // What changes back waits no more; what changes again is something else.
    value.set("one");
    servers.until("nothing that waits", |seen| of(seen, id).templates_waiting.is_empty()).await;
    value.set("three");
    assert_ne!(until_waiting(&servers, id).await, two);

    give_turn(&servers, id, deployment(1)).await;
    let report = until_healthy(&servers, id, deployment(1)).await;
    assert_eq!(report.deployment_status.and_then(|status| status.healthy), Some(true));
    assert_eq!((report.task_states["app"].restarts, &*report.templates_waiting, text(0).as_str()), (1, "", "0: three"));

    // A turn counts once: what comes later waits for another.
    value.set("four");
    until_waiting(&servers, id).await;
    servers.change(id, |allocation| allocation.desired_description = "touched".into()).await;
    give_turn(&servers, id, deployment(2)).await;
    let report = until_healthy(&servers, id, deployment(2)).await;
    assert_eq!((report.task_states["app"].restarts, text(0).as_str()), (2, "0: four"));
    client.shutdown().await;
}

#[tokio::test]
async fn what_waits_is_known_again_after_the_agent_has_been_restarted() {
    let (servers, folder, value) = (FakeServers::new(), tempfile::tempdir().unwrap(), OneValue::new("one"));
    let begin = || start_with(folder.path(), false, &servers, raw_exec(folder.path()), Arc::new(value.clone()));
    let client = begin().await;
    let sleep = json!({ "command": "/bin/sleep", "args": ["300"] });
    let allocation = allocation(1, JobType::Service, group(sleep, "raw_exec"));
    let id = allocation.id;
    servers.place(allocation).await;
    servers.until_status(id, ClientStatus::Running).await;
    value.set("two");
    let two = until_waiting(&servers, id).await;
    client.shutdown().await;
    servers.seen.send_modify(|seen| seen.reports.clear());

    let client = begin().await;
    assert_eq!(until_waiting(&servers, id).await, two, "the same text has the same name");
    client.shutdown().await;
    servers.seen.send_modify(|seen| seen.reports.clear());

    // The turn comes while nobody is there.
    give_turn(&servers, id, deployment(1)).await;
    let client = begin().await;
    let report = until_healthy(&servers, id, deployment(1)).await;
    assert_eq!((report.task_states["app"].restarts, report.deployment_status.and_then(|status| status.healthy)), (1, Some(true)));
    let file = folder.path().join("allocs").join(id.to_string()).join("app/local/0.txt");
    assert_eq!(fs::read_to_string(file).unwrap(), "0: two");
    client.shutdown().await;
    servers.seen.send_modify(|seen| seen.reports.clear());

    let client = begin().await;
    let report = until_healthy(&servers, id, deployment(1)).await;
    assert_eq!(report.task_states["app"].restarts, 1, "a turn that was taken is not taken again");
    servers.stop(id).await;
    servers.until_status(id, ClientStatus::Complete).await;
    client.shutdown().await;
}
