//! Changed templates that go through a group's allocations in turn, with real processes.

use drover_model::time::Rfc3339;

use super::*;

/// Three instances that end at once where the key says `bad`.
fn job() -> Value {
    let script = "test \"$MODE\" != bad || exit 7; exec sleep 300";
    json!({
        "ID": "web", "Name": "web", "Type": "service", "Datacenters": ["dc1"],
        "TaskGroups": [{
            "Name": "g", "Count": 3,
            "Update": { "MinHealthyTime": 100_000_000, "HealthCheck": "task_states" },
            "RestartPolicy": { "Attempts": 0, "Mode": "fail" },
            "Tasks": [{
                "Name": "app", "Driver": "raw_exec", "KillTimeout": 2_000_000_000_u64,
                "Config": { "command": "/bin/sh", "args": ["-c", script] },
                "Templates": [{ "EmbeddedTmpl": "MODE={{ key \"shop/mode\" }}\n", "DestPath": "local/mode.env", "Envvars": true, "ChangeMode": "rolling" }],
                "Resources": { "CPU": 10, "MemoryMB": 10 },
            }],
        }],
    })
}

async fn put(agent: &TestAgent, value: &str) {
    assert_eq!(agent.send("PUT", "/v1/kv/shop/mode", "", value.as_bytes()).await.text(), "true");
}

/// Deployments of templates, oldest first.
fn of_templates(deployments: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = deployments.as_array().into_iter().flatten().filter(|row| row["Kind"] == "templates").cloned().collect();
    found.sort_by_key(|row| row["CreateIndex"].as_u64());
    found
}

/// Waits until so many deployments of templates have ended, and answers with the last.
async fn ended(agent: &TestAgent, count: usize) -> Value {
    let over = |row: &Value| ["failed", "successful", "cancelled"].contains(&row["Status"].as_str().unwrap());
    let all = agent
        .wait("/v1/job/web/deployments", |all| {
            let found = of_templates(all);
            found.len() >= count && found.iter().all(over)
        })
        .await;
    let found = of_templates(&all);
    assert_eq!(found.len(), count, "{all}");
    found[count - 1].clone()
}

async fn allocations(agent: &TestAgent) -> Vec<Value> {
    let stubs = agent.get("/v1/job/web/allocations").await.json();
    let mut all = Vec::new();
    for stub in stubs.as_array().unwrap() {
        all.push(agent.get(&format!("/v1/allocation/{}", stub["ID"].as_str().unwrap())).await.json());
    }
    all
}

fn restarts(allocation: &Value) -> u64 {
    allocation["TaskStates"]["app"]["Restarts"].as_u64().unwrap()
}

/// When the task was told to restart.
fn restarted_at(allocation: &Value) -> i64 {
    let events = allocation["TaskStates"]["app"]["Events"].as_array().unwrap();
    let event = events.iter().rfind(|event| event["Type"] == "Restart Signaled").unwrap();
    event["Time"].as_i64().unwrap()
}

async fn mode_of(agent: &TestAgent, allocation: &Value) -> String {
    let path = format!("/v1/client/fs/cat/{}?path=app/local/mode.env", allocation["ID"].as_str().unwrap());
    agent.get(&path).await.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_goes_through_one_by_one_and_stops_where_one_fails() {
    let agent = TestAgent::start().await;
    put(&agent, "one").await;
    agent.register(&job()).await;
    agent
        .wait("/v1/job/web/deployments", |all| all.as_array().is_some_and(|all| all.iter().any(|row| row["Status"] == "successful")))
        .await;
    assert!(of_templates(&agent.get("/v1/job/web/deployments").await.json()).is_empty(), "nothing that comes first is held");

    put(&agent, "two").await;
    let deployment = ended(&agent, 1).await;
    assert_eq!((deployment["Status"].as_str(), deployment["JobVersion"].as_u64()), (Some("successful"), Some(0)), "{deployment}");
    let group = &deployment["TaskGroups"]["g"];
    assert_eq!(
        (group["DesiredTotal"].as_u64(), group["PlacedAllocs"].as_u64(), group["HealthyAllocs"].as_u64()),
        (Some(3), Some(3), Some(3))
    );
    let mut all = allocations(&agent).await;
    assert_eq!(all.len(), 3, "they stay, and take the text in");
    all.sort_by_key(restarted_at);
    for allocation in &all {
        assert_eq!((restarts(allocation), mode_of(&agent, allocation).await.as_str()), (1, "MODE=two\n"), "{allocation}");
    }
    // Each is told only after the one before was found healthy.
    for pair in all.windows(2) {
        let healthy: Rfc3339 = serde_json::from_value(pair[0]["DeploymentStatus"]["Timestamp"].clone()).unwrap();
        assert!(healthy.0.0 <= restarted_at(&pair[1]), "{pair:?}");
    }

    put(&agent, "bad").await;
    let deployment = ended(&agent, 2).await;
    let told = deployment["StatusDescription"].as_str().unwrap();
    assert!(deployment["Status"] == "failed" && told.starts_with("Failed because allocation "), "{deployment}");
    let all = allocations(&agent).await;
    let (failed, running): (Vec<_>, Vec<_>) = all.iter().partition(|allocation| allocation["ClientStatus"] == "failed");
    assert!(failed.len() == 1 && told.contains(&failed[0]["ID"].as_str().unwrap()[..8]), "{told}");
    for allocation in running.iter().filter(|allocation| allocation["ClientStatus"] == "running") {
        assert_eq!((restarts(allocation), mode_of(&agent, allocation).await.as_str()), (1, "MODE=two\n"));
        assert!(!allocation["TemplateRoll"].to_string().contains("bad"), "{allocation}");
    }

    put(&agent, "good").await;
    let deployment = ended(&agent, 3).await;
    assert_eq!(deployment["Status"], "successful", "{deployment}");
    for allocation in allocations(&agent).await.iter().filter(|allocation| allocation["ClientStatus"] == "running") {
        assert_eq!(mode_of(&agent, allocation).await, "MODE=good\n");
    }
    agent.stop().await;
}
