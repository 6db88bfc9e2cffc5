//! Orders of events, stops, deployments: with tasks that are pretended and time that is virtual.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_batch_runs_and_completes() {
    let cluster = Cluster::mock().await;
    let allocation = allocation(1, JobType::Batch, tasks(vec![mock_task("app", json!({ "run_for": "5s" }))]));
    cluster.servers.place(allocation.clone()).await;
    let report = cluster.servers.until_status(allocation.id, ClientStatus::Complete).await;
    assert_eq!(&*report.client_description, "All tasks have completed");
    let state = &report.task_states["app"];
    assert_eq!(kinds(state), ["Received", "Task Setup", "Started", "Terminated"]);
    assert_eq!((state.state, state.failed, state.restarts), (TaskPhase::Dead, false, 0));
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn failures_follow_the_policy() {
    let cluster = Cluster::mock().await;
    let crash = json!({ "run_for": "1s", "exit_code": 3 });
    let once = Task { restart_policy: restarts(1), ..mock_task("app", crash) };
    let crashing = allocation(1, JobType::Service, tasks(vec![once]));
    let unstartable = allocation(2, JobType::Service, tasks(vec![mock_task("app", json!({ "start_error": "no such file" }))]));
    let recoverable = json!({ "start_error": "busy", "start_error_recoverable": true });
    let busy = allocation(3, JobType::Service, tasks(vec![mock_task("app", recoverable)]));
    let nowhere = allocation(4, JobType::Service, tasks(vec![Task { driver: "nope".to_owned(), ..mock_task("app", json!({})) }]));
    for (allocation, events, last) in [
        (
            crashing,
            vec!["Received", "Task Setup", "Started", "Terminated", "Restarting", "Started", "Terminated", "Not Restarting"],
            "Exceeded allowed attempts 1 in interval 10m0s and mode is \"fail\"",
        ),
        (unstartable, vec!["Received", "Task Setup", "Driver Failure", "Not Restarting"], "Error was unrecoverable"),
        (busy, vec!["Received", "Task Setup", "Driver Failure", "Not Restarting"], "Policy allows no restarts"),
        (nowhere, vec!["Received", "Driver Failure", "Not Restarting"], "Error was unrecoverable"),
    ] {
        cluster.servers.place(allocation.clone()).await;
        let report = cluster.servers.until_status(allocation.id, ClientStatus::Failed).await;
        let state = &report.task_states["app"];
        assert_eq!(kinds(state), events);
        assert_eq!(state.events.last().unwrap().display_message, last);
        assert!(state.failed && &*report.client_description == "Failed tasks");
    }
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_services_out_waits_and_kills() {
    let cluster = Cluster::mock().await;
    let service = Service { name: "web".to_owned(), port_label: "80".to_owned(), provider: Provider::Nomad, ..Service::default() };
    let task = Task { shutdown_delay: Duration::from_secs(3), ..mock_task("app", json!({})) };
    let group = TaskGroup { services: vec![service].into(), shutdown_delay: Some(Duration::from_secs(2)), ..tasks(vec![task]) };
    let allocation = allocation(1, JobType::Service, group);
    cluster.servers.place(allocation.clone()).await;
    cluster.servers.until_status(allocation.id, ClientStatus::Running).await;
    cluster.servers.until("the service", |seen| seen.services.len() == 1).await;
    let begun = Instant::now();
    cluster.servers.stop(allocation.id).await;
    cluster.servers.until("the service to go", |seen| seen.services.is_empty()).await;
    assert_eq!(
        cluster.servers.seen.borrow().reports[&allocation.id].client_status,
        ClientStatus::Running,
        "it leaves the catalogue before it is killed"
    );
    let report = cluster.servers.until_status(allocation.id, ClientStatus::Complete).await;
    assert!(begun.elapsed() >= Duration::from_secs(5), "both delays: {:?}", begun.elapsed());
    let events = kinds(&report.task_states["app"])[3..].to_vec();
    assert_eq!(events, ["Waiting for shutdown delay", "Killing", "Waiting for shutdown delay", "Terminated", "Killed"]);
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_take_their_turns() {
    let cluster = Cluster::mock().await;
    let hook = |name: &str, hook, sidecar, config| Task { lifecycle: Some(Lifecycle { hook, sidecar }), ..mock_task(name, config) };
    let allocation = allocation(
        1,
        JobType::Batch,
        tasks(vec![
            hook("init", LifecycleHook::Prestart, false, json!({ "run_for": "2s" })),
            hook("side", LifecycleHook::Prestart, true, json!({})),
            mock_task("app", json!({ "run_for": "3s" })),
            hook("cleanup", LifecycleHook::Poststop, false, json!({ "run_for": "1s" })),
        ]),
    );
    cluster.servers.place(allocation.clone()).await;
    cluster.servers.until_task(allocation.id, "app", |state| state.state == TaskPhase::Running).await;
    let seen = cluster.servers.seen.borrow().clone();
    let states = &seen.reports[&allocation.id].task_states;
    assert_eq!((states["init"].state, states["side"].state), (TaskPhase::Dead, TaskPhase::Running));
    assert_eq!(kinds(&states["cleanup"]), ["Received"]);
    let report = cluster.servers.until_status(allocation.id, ClientStatus::Complete).await;
    assert_eq!(kinds(&report.task_states["side"])[3..], ["Main Tasks Dead", "Killing", "Terminated", "Killed"]);
    assert_eq!(kinds(&report.task_states["cleanup"]), ["Received", "Task Setup", "Started", "Terminated"]);
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_ends_its_siblings() {
    let cluster = Cluster::mock().await;
    let leader = Task { leader: true, ..mock_task("lead", json!({ "run_for": "2s" })) };
    let allocation = allocation(1, JobType::Batch, tasks(vec![leader, mock_task("other", json!({}))]));
    cluster.servers.place(allocation.clone()).await;
    let report = cluster.servers.until_status(allocation.id, ClientStatus::Complete).await;
    assert_eq!(kinds(&report.task_states["other"])[3..], ["Leader Task Dead", "Killing", "Terminated", "Killed"]);
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn deployments_learn_of_health() {
    let cluster = Cluster::mock().await;
    let update =
        UpdateStrategy { min_healthy_time: Duration::from_secs(2), healthy_deadline: Duration::from_secs(30), ..UpdateStrategy::default() };
    let deployed = |number, config| {
        let group = TaskGroup { update: Some(update.clone()), ..tasks(vec![mock_task("app", config)]) };
        let status = AllocDeploymentStatus { canary: true, ..AllocDeploymentStatus::default() };
        let deployment_id = Some(DeploymentId::from_random([7; 16]));
        Allocation { deployment_id, deployment_status: Some(status), ..allocation(number, JobType::Service, group) }
    };
    let (well, ill) = (deployed(1, json!({})), deployed(2, json!({ "run_for": "1s", "exit_code": 1 })));
    cluster.servers.place(well.clone()).await;
    cluster.servers.place(ill.clone()).await;
    let health = |seen: &Seen, id: AllocId| seen.reports.get(&id).and_then(|report| report.deployment_status);
    let seen = cluster.servers.until("health", |seen| health(seen, well.id).is_some() && health(seen, ill.id).is_some()).await;
    let (good, bad) = (health(&seen, well.id).unwrap(), health(&seen, ill.id).unwrap());
    assert_eq!((good.healthy, good.canary, bad.healthy), (Some(true), true, Some(false)));
    let report = cluster.servers.until_status(ill.id, ClientStatus::Failed).await;
    assert!(kinds(&report.task_states["app"]).contains(&"Alloc Unhealthy"));
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_changes_tags_in_place() {
    let cluster = Cluster::mock().await;
    let words = |word: &str| vec![word.to_owned()].into();
    let service = Service {
        name: "web".to_owned(),
        port_label: "80".to_owned(),
        provider: Provider::Nomad,
        tags: words("live"),
        canary_tags: words("canary"),
        ..Service::default()
    };
    let group = TaskGroup { services: vec![service].into(), ..tasks(vec![mock_task("app", json!({}))]) };
    let status = AllocDeploymentStatus { canary: true, ..AllocDeploymentStatus::default() };
    let allocation = Allocation { deployment_status: Some(status), ..allocation(1, JobType::Service, group) };
    cluster.servers.place(allocation.clone()).await;
    let tagged = |seen: &Seen, tag: &str| seen.services.values().any(|service| service.tags.0 == [tag]);
    cluster.servers.until("the canary's tags", |seen| tagged(seen, "canary")).await;
    cluster
        .servers
        .change(allocation.id, |allocation| allocation.deployment_status = Some(AllocDeploymentStatus { canary: false, ..status }))
        .await;
    let seen = cluster.servers.until("the usual tags", |seen| tagged(seen, "live")).await;
    assert!(seen.removed.is_empty() && seen.services.len() == 1, "it was never out of the catalogue");
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn users_restart_and_signal() {
    let cluster = Cluster::mock().await;
    let allocation = allocation(1, JobType::Service, tasks(vec![mock_task("app", json!({}))]));
    cluster.servers.place(allocation.clone()).await;
    cluster.servers.until_status(allocation.id, ClientStatus::Running).await;
    let alloc_id = allocation.id;
    cluster.client.signal(AllocSignal { alloc_id, task: Some("app".to_owned()), signal: "SIGHUP".to_owned() }).await.unwrap();
    let restart = |task: Option<&str>| cluster.client.restart(AllocRestart { alloc_id, task: task.map(str::to_owned), all: false });
    assert_eq!(restart(Some("ghost")).await.unwrap_err().message, "Could not find task runner for task: ghost");
    restart(None).await.unwrap();
    let state = cluster.servers.until_task(alloc_id, "app", |state| state.restarts == 1 && state.state == TaskPhase::Running).await;
    assert_eq!(kinds(&state)[3..], ["Signaling", "Restart Signaled", "Terminated", "Restarting", "Started"]);
    assert_eq!(state.events[6].display_message, "Task restarting in 0s");
    let unknown = AllocRestart { alloc_id: AllocId::from_random([9; 16]), task: None, all: true };
    assert_eq!(cluster.client.restart(unknown).await.unwrap_err().status, 404);
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_forgotten_registers_again() {
    let cluster = Cluster::mock().await;
    cluster.servers.seen.send_modify(|seen| seen.forgotten = true);
    cluster.servers.until("another registration", |seen| seen.registrations >= 2).await;
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_servers_forget_is_removed() {
    let cluster = Cluster::mock().await;
    let allocation = allocation(1, JobType::Service, tasks(vec![mock_task("app", json!({}))]));
    cluster.servers.place(allocation.clone()).await;
    cluster.servers.until_status(allocation.id, ClientStatus::Running).await;
    let root = cluster.folder.path().join("allocs").join(allocation.id.to_string());
    assert!(root.join("app/secrets").is_dir());
    cluster.servers.forget(allocation.id).await;
    cluster.servers.until_status(allocation.id, ClientStatus::Complete).await;
    while !cluster.client.allocations().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!root.exists());
    cluster.client.shutdown().await;
}
