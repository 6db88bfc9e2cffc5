//! Volumes on nodes.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_makes_a_volume_which_one_writer_has_at_a_time() {
    let agent = TestAgent::start().await;
    for (path, status) in [("/v1/volumes", 200), ("/v1/volumes?type=csi", 200), ("/v1/volumes?type=tape", 404), ("/v1/volume/csi/x", 501)] {
        assert_eq!(agent.get(path).await.status, status, "{path}");
    }
    let capability = json!({ "AccessMode": "single-node-single-writer", "AttachmentMode": "file-system" });
    let volume = json!({ "Name": "data", "RequestedCapabilities": [capability], "Constraints": [
        { "LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "=" },
    ] });
    let nowhere =
        json!({ "Volume": { "Name": "data", "Constraints": [{ "LTarget": "${meta.disk}", "RTarget": "fast", "Operand": "=" }] } });
    let refused = agent.put("/v1/volume/host/create", &nowhere).await;
    assert!(refused.status == 500 && refused.text().contains("no node can have volume \"data\""), "{}", refused.text());
    let other = agent.put("/v1/volume/host/create", &json!({ "Volume": { "Name": "data", "PluginID": "lvm" } })).await;
    assert!(other.status == 400 && other.text().contains("no volume plugin \"lvm\""), "{}", other.text());
    let made = agent.put("/v1/volume/host/create", &json!({ "Volume": volume })).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json()["Volume"].clone();
    let (id, path) = (made["ID"].as_str().unwrap().to_owned(), made["HostPath"].as_str().unwrap().to_owned());
    assert!(std::path::Path::new(&path).is_dir() && path.ends_with(&id), "{path}");
    let node = made["NodeID"].as_str().unwrap();
    let offered = agent.get(&format!("/v1/node/{node}")).await.json()["HostVolumes"]["data"].clone();
    assert_eq!((&offered["ID"], &offered["Path"]), (&json!(id), &json!(path)));
    let listed = agent.get(&format!("/v1/volumes?type=host&prefix={}", &id[..8])).await.json();
    assert_eq!((&listed[0]["ID"], &listed[0]["State"], listed.as_array().unwrap().len()), (&json!(id), &json!("ready"), 1));
    let registered = agent.put("/v1/volume/host/register", &json!({ "Volume": { "Name": "old", "NodeID": node } })).await;
    assert_eq!(registered.status, 400, "where?");
    let old = json!({ "Volume": { "Name": "old", "NodeID": node, "HostPath": "/srv/old" } });
    assert_eq!(agent.put("/v1/volume/host/register", &old).await.status, 200);

    let mut job = sleeper("web", 2);
    job["TaskGroups"][0]["Volumes"] = json!({ "v": { "Type": "host", "Source": "data" } });
    assert_eq!(agent.put("/v1/jobs", &json!({ "Job": job })).await.status, 200);
    agent.wait("/v1/job/web/allocations", |rows| rows[0]["ClientStatus"] == "running").await;
    let waits = |evaluations: &Value| evaluations.as_array().unwrap().iter().any(|one| one["Status"] == "blocked");
    agent.wait("/v1/job/web/evaluations", waits).await;
    let why = agent.get("/v1/job/web/why").await.text();
    assert!(why.contains("conflicting claims for host volume"), "{why}");
    let users = agent.get(&format!("/v1/volume/host/{id}")).await.json()["Allocations"].clone();
    assert_eq!(users.as_array().unwrap().len(), 1);
    let busy = agent.send("DELETE", &format!("/v1/volume/host/{id}"), "", b"").await;
    assert!(busy.status == 500 && busy.text().contains("is in use by allocation"), "{}", busy.text());

    // The one that has it ends: the other one gets it.
    let first = users[0]["ID"].as_str().unwrap().to_owned();
    assert_eq!(agent.put(&format!("/v1/allocation/{first}/stop"), &json!({})).await.status, 200);
    let other_runs =
        |rows: &Value| rows.as_array().unwrap().iter().any(|row| row["ID"] != first.as_str() && row["ClientStatus"] == "running");
    agent.wait("/v1/job/web/allocations", other_runs).await;
    assert_eq!(agent.send("DELETE", "/v1/job/web", "", b"").await.status, 200);
    let all_ended = |rows: &Value| rows.as_array().unwrap().iter().all(|row| row["ClientStatus"] == "complete");
    agent.wait("/v1/job/web/allocations", all_ended).await;
    assert_eq!(agent.send("DELETE", &format!("/v1/volume/host/{id}/delete"), "", b"").await.status, 200);
    assert!(!std::path::Path::new(&path).exists());
    assert_eq!(agent.get(&format!("/v1/volume/host/{id}")).await.status, 404);
    agent.stop().await;
}
