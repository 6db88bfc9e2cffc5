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
