//! Namespaces, node pools, labels of nodes.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespaces_divide_jobs_and_limit_them() {
    let agent = TestAgent::start().await;
    let job = |namespace: &str, driver: &str| {
        let mut job = sleeper("web", 1);
        job["Namespace"] = json!(namespace);
        job["TaskGroups"][0]["Tasks"][0]["Driver"] = json!(driver);
        json!({ "Job": job })
    };
    let refused = agent.put("/v1/jobs", &job("team", "mock_driver")).await;
    assert_eq!((refused.status, refused.text().contains("job \"web\" is in nonexistent namespace \"team\"")), (500, true));
    assert_eq!(agent.put("/v1/namespaces", &json!({ "Name": "team" })).await.status, 405);
    let rules = json!({ "EnabledTaskDrivers": ["mock_driver"], "DisabledTaskDrivers": ["docker"] });
    let made =
        agent.put("/v1/namespace", &json!({ "Name": "team", "Description": "d", "Meta": { "a": "b" }, "Capabilities": rules })).await;
    assert_eq!((made.status, made.text().as_str()), (200, ""));
    let read = agent.get("/v1/namespace/team").await.json();
    assert_eq!((&read["Name"], &read["Meta"]["a"], &read["Quota"]), (&json!("team"), &json!("b"), &json!("")));
    assert_eq!(read["Capabilities"]["EnabledNetworkModes"], Value::Null);
    let names: Vec<Value> = agent.get("/v1/namespaces").await.json().as_array().unwrap().iter().map(|one| one["Name"].clone()).collect();
    assert_eq!(names, [json!("default"), json!("team")]);

    let driver = agent.put("/v1/jobs", &job("team", "raw_exec")).await;
    assert!(driver.status == 500 && driver.text().contains("used task driver \"raw_exec\""), "{}", driver.text());
    assert_eq!(agent.put("/v1/jobs", &job("team", "mock_driver")).await.status, 200);
    agent.wait("/v1/job/web/allocations?namespace=team", |rows| rows[0]["ClientStatus"] == "running").await;
    assert_eq!(agent.get("/v1/job/web").await.status, 404, "another namespace has no such job");

    let busy = agent.send("DELETE", "/v1/namespace/team", "", b"").await;
    assert!(busy.status == 500 && busy.text().contains("non-terminal jobs"), "{}", busy.text());
    assert_eq!(agent.send("DELETE", "/v1/job/web?namespace=team", "", b"").await.status, 200);
    agent.wait("/v1/job/web?namespace=team", |job| job["Status"] == "dead").await;
    assert_eq!(agent.send("DELETE", "/v1/namespace/team", "", b"").await.status, 200);
    for (path, status, text) in [("team", 404, "Namespace not found"), ("default", 500, "can not delete default namespace")] {
        let answer = agent.send("DELETE", &format!("/v1/namespace/{path}"), "", b"").await;
        assert_eq!((answer.status, answer.text().as_str()), (status, text));
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_pools_come_with_nodes_and_by_hand() {
    let agent = TestAgent::start_with("client {\n  node_pool = \"edge\"\n}\n").await;
    assert_eq!(agent.put("/v1/node/pools", &json!({ "Name": "gpu", "Description": "g", "Meta": { "k": "v" } })).await.status, 200);
    let pools = agent.get("/v1/node/pools").await.json();
    let names: Vec<&str> = pools.as_array().unwrap().iter().map(|pool| pool["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["all", "default", "edge", "gpu"]);
    assert_eq!(agent.get("/v1/node/pool/gpu").await.json()["Meta"]["k"], "v");
    for (pool, nodes) in [("all", 1), ("edge", 1), ("gpu", 0)] {
        assert_eq!(agent.get(&format!("/v1/node/pool/{pool}/nodes")).await.json().as_array().unwrap().len(), nodes, "{pool}");
    }
    let scheduling = json!({ "SchedulerAlgorithm": "spread", "MemoryOversubscriptionEnabled": true });
    assert_eq!(agent.put("/v1/node/pools", &json!({ "Name": "gpu", "SchedulerConfiguration": scheduling })).await.status, 200);
    let listed = agent.get("/v1/node/pools?prefix=g").await.json();
    for shown in [&listed[0], &agent.get("/v1/node/pool/gpu").await.json()] {
        assert_eq!(shown["SchedulerConfiguration"], scheduling);
    }
    let unknown = json!({ "Name": "gpu", "SchedulerConfiguration": { "SchedulerAlgorithm": "dice" } });
    assert_eq!(agent.put("/v1/node/pools", &unknown).await.status, 400);
    let mut job = sleeper("web", 1);
    job["NodePool"] = json!("nowhere");
    let refused = agent.put("/v1/jobs", &json!({ "Job": job })).await;
    assert!(refused.status == 500 && refused.text().contains("nonexistent node pool \"nowhere\""), "{}", refused.text());
    for (pool, status, text) in [
        ("edge", 500, "node pool \"edge\" has nodes"),
        ("all", 500, "deleting node pool \"all\" is not allowed"),
        ("gpu", 200, ""),
        ("gpu", 404, "node pool not found"),
    ] {
        let answer = agent.send("DELETE", &format!("/v1/node/pool/{pool}"), "", b"").await;
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{pool}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_of_a_node_change_while_it_runs() {
    let agent = TestAgent::start_with("client {\n  meta {\n    rack = \"r1\"\n  }\n}\n").await;
    let id = agent.get("/v1/nodes").await.json()[0]["ID"].as_str().unwrap().to_owned();
    let body = json!({ "NodeID": id, "Meta": { "zone": "z1", "drop": null, "rack": null } });
    let set = agent.send("POST", "/v1/client/metadata", "", body.to_string().as_bytes()).await;
    assert_eq!(set.status, 200, "{}", set.text());
    assert_eq!(set.json(), json!({ "Meta": { "zone": "z1" }, "Dynamic": { "rack": null, "zone": "z1" }, "Static": { "rack": "r1" } }));
    assert_eq!(agent.get(&format!("/v1/client/metadata?node_id={id}")).await.json(), set.json());
    agent.wait(&format!("/v1/node/{id}"), |node| node["Meta"] == json!({ "zone": "z1" }) && node["Status"] == "ready").await;
    assert_eq!(agent.put("/v1/client/metadata", &body).await.status, 405);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_limit_what_namespaces_hold_together() {
    let agent = TestAgent::start().await;
    let quota = |cpu: i64| {
        let limit = json!({ "Region": "global", "RegionLimit": { "CPU": cpu, "MemoryMB": 0 }, "VariablesLimit": 7 });
        json!({ "Name": "team", "Description": "ours", "Limits": [limit] })
    };
    let missing = agent.put("/v1/namespace", &json!({ "Name": "a", "Quota": "team" })).await;
    assert_eq!((missing.status, missing.text().as_str()), (500, "quota \"team\" does not exist"));
    for (path, body, status) in [
        ("/v1/quota/team", quota(150), 200),
        ("/v1/quota", json!({ "Name": "te am" }), 400),
        ("/v1/quota", json!({ "Name": "empty" }), 400),
        ("/v1/quota/other", quota(150), 400),
        ("/v1/quotas", quota(150), 405),
    ] {
        assert_eq!(agent.put(path, &body).await.status, status, "{path} {body}");
    }
    let read = agent.get("/v1/quota/team").await.json();
    assert_eq!((&read["Limits"][0]["RegionLimit"]["CPU"], &read["Limits"][0]["RegionLimit"]["Devices"]), (&json!(150), &Value::Null));
    assert_eq!(agent.get("/v1/quotas?prefix=te").await.json(), json!([read]));
    assert_eq!(agent.get("/v1/quotas?prefix=x").await.json(), json!([]));
    for path in ["/v1/quota/nope", "/v1/quota/usage/nope"] {
        let answer = agent.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (404, "quota not found"));
    }

    for name in ["a", "b"] {
        assert_eq!(agent.put("/v1/namespace", &json!({ "Name": name, "Quota": "team" })).await.status, 200);
        let mut job = sleeper("web", 1);
        job["Namespace"] = json!(name);
        job["TaskGroups"][0]["Tasks"][0]["Resources"] = json!({ "CPU": 100, "MemoryMB": 16 });
        assert_eq!(agent.put("/v1/jobs", &json!({ "Job": job })).await.status, 200);
        if name == "a" {
            agent.wait("/v1/job/web/allocations?namespace=a", |rows| rows[0]["ClientStatus"] == "running").await;
        }
    }
    let waits = |evaluations: &Value| evaluations.as_array().unwrap().iter().any(|one| one["Status"] == "blocked");
    agent.wait("/v1/job/web/evaluations?namespace=b", waits).await;
    let evaluations = agent.get("/v1/job/web/evaluations?namespace=b").await.json();
    let blocked = evaluations.as_array().unwrap().iter().find(|one| one["Status"] == "blocked").unwrap();
    assert_eq!(blocked["QuotaLimitReached"], "team");
    let words = &blocked["FailedTGAllocs"]["g"]["QuotaExhausted"][0];
    assert_eq!(words, "cpu exhausted (100 MHz asked for, 50 of 150 left)");
    let why = agent.get("/v1/job/web/why?namespace=b").await.text();
    assert!(why.contains("quota \\\"team\\\" is reached: cpu exhausted"), "{why}");
    let hash = read["Limits"][0]["Hash"].as_str().unwrap();
    let usage = agent.get("/v1/quota/usage/team").await.json();
    assert_eq!((&usage["Name"], &usage["Used"][hash]["RegionLimit"]["CPU"]), (&json!("team"), &json!(100)));
    assert_eq!(agent.get("/v1/quota-usages").await.json(), json!([usage]));

    let busy = agent.send("DELETE", "/v1/quota/team", "", b"").await;
    assert!(busy.status == 500 && busy.text().contains("counts for namespace \"a\""), "{}", busy.text());
    assert_eq!(agent.put("/v1/quota", &quota(200)).await.status, 200);
    agent.wait("/v1/job/web/allocations?namespace=b", |rows| rows[0]["ClientStatus"] == "running").await;
    for name in ["a", "b"] {
        assert_eq!(agent.put("/v1/namespace", &json!({ "Name": name })).await.status, 200);
    }
    assert_eq!(agent.send("DELETE", "/v1/quota/team", "", b"").await.status, 200);
    agent.stop().await;
}
