//! Losing sight of the servers and finding them again; ending a throw-away node in a hurry.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_the_servers_lost_sight_of_is_told_again() {
    let cluster = Cluster::mock().await;
    let allocation = allocation(1, JobType::Service, tasks(vec![mock_task("app", json!({}))]));
    cluster.servers.place(allocation.clone()).await;
    cluster.servers.until_task(allocation.id, "app", |state| state.state == TaskPhase::Running).await;
    cluster.servers.seen.send_modify(|seen| seen.reports.clear());
    // Nothing has changed here: the servers did not hear the node for a while and say so.
    cluster.servers.change(allocation.id, |allocation| allocation.client_status = ClientStatus::Unknown).await;
    let report = cluster.servers.until_status(allocation.id, ClientStatus::Running).await;
    assert_eq!(report.task_states["app"].restarts, 0);
    cluster.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_agent_asks_for_nothing_older_than_what_it_ran() {
    let (servers, folder) = (FakeServers::new(), tempfile::tempdir().unwrap());
    let drivers = || vec![Arc::new(MockDriver::new()) as Arc<dyn Driver>];
    let client = start(folder.path(), false, &servers, drivers()).await;
    let allocation = Allocation { modify_index: 77, ..allocation(1, JobType::Service, tasks(vec![mock_task("app", json!({}))])) };
    servers.place(allocation.clone()).await;
    servers.until_status(allocation.id, ClientStatus::Running).await;
    client.shutdown().await;
    assert_eq!(servers.seen.borrow().min_index, 0);
    let client = start(folder.path(), false, &servers, drivers()).await;
    servers.until("the stream of the new agent", |seen| seen.min_index == 77).await;
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_hurried_end_kills_whatever_is_under_way() {
    let stubborn = json!({ "kill_after": "1h" });
    let patient = Task { kill_timeout: Duration::from_secs(25), ..mock_task("app", stubborn) };
    let delayed = Task { shutdown_delay: Duration::from_secs(30), ..mock_task("slow", json!({})) };
    let hook = Some(Lifecycle { hook: LifecycleHook::Poststop, sidecar: false });
    let last = Task { lifecycle: hook, ..mock_task("last", json!({ "run_for": "30s" })) };
    let group = TaskGroup { shutdown_delay: Some(Duration::from_secs(5)), ..tasks(vec![patient, delayed, last]) };
    for hurried in [false, true] {
        let cluster = Cluster::mock().await;
        let allocation = allocation(1, JobType::Service, group.clone());
        cluster.servers.place(allocation.clone()).await;
        cluster.servers.until_task(allocation.id, "app", |state| state.state == TaskPhase::Running).await;
        let (begun, client) = (Instant::now(), cluster.client.clone());
        let stopping = tokio::spawn(async move { client.shutdown().await });
        if hurried {
            cluster.servers.until_task(allocation.id, "app", |state| kinds(state).contains(&"Waiting for shutdown delay")).await;
            assert_eq!(cluster.client.live_allocations(), 1);
            cluster.client.kill_tasks().await;
        }
        stopping.await.unwrap();
        assert_eq!(cluster.client.live_allocations(), 0);
        let took = begun.elapsed();
        assert_eq!(took < Duration::from_secs(3), hurried, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_begins_nothing() {
    let cluster = Cluster::mock().await;
    let slow = Task { shutdown_delay: Duration::from_secs(20), ..mock_task("app", json!({})) };
    let first = allocation(1, JobType::Service, tasks(vec![slow]));
    cluster.servers.place(first.clone()).await;
    cluster.servers.until_status(first.id, ClientStatus::Running).await;
    let client = cluster.client.clone();
    let stopping = tokio::spawn(async move { client.shutdown().await });
    cluster.servers.until_task(first.id, "app", |state| kinds(state).contains(&"Killing")).await;
    let replacement = allocation(2, JobType::Service, tasks(vec![mock_task("app", json!({}))]));
    cluster.servers.place(replacement.clone()).await;
    stopping.await.unwrap();
    assert!(!cluster.servers.seen.borrow().reports.contains_key(&replacement.id));
}
