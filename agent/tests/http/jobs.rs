//! Jobs over HTTP: register, read, wait, revert, stop.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_registered_read_and_stopped() {
    let agent = TestAgent::start().await;
    let id = unique("web");
    let registered = agent.register(&sleeper(&id, 2)).await;
    assert!(!registered["EvalID"].as_str().unwrap().is_empty() && registered["JobModifyIndex"].as_u64().unwrap() > 0, "{registered}");
    agent
        .wait(&format!("/v1/job/{id}/allocations"), |rows| {
            rows.as_array().unwrap().iter().filter(|row| row["ClientStatus"] == "running").count() == 2
        })
        .await;
    let deployment = agent.wait(&format!("/v1/job/{id}/deployment"), |row| row["Status"] == "successful").await;
    assert_eq!(deployment["TaskGroups"]["g"]["HealthyAllocs"], 2);
    let job = agent.get(&format!("/v1/job/{id}")).await;
    assert_eq!((job.json()["Version"].as_u64(), job.json()["Stable"].as_bool()), (Some(0), Some(true)));
    assert_eq!((job.header("X-Nomad-Knownleader"), job.header("X-Nomad-Lastcontact")), (Some("true"), Some("0")));
    assert_eq!(job.header("Content-Type"), Some("application/json"));

    let mut second = sleeper(&id, 1);
    second["Meta"] = json!({ "k": "v" });
    agent.register(&second).await;
    agent.wait(&format!("/v1/job/{id}/deployment"), |row| row["Status"] == "successful" && row["JobVersion"] == 1).await;
    let reverted = agent.put(&format!("/v1/job/{id}/revert"), &json!({ "JobID": id, "JobVersion": 0 })).await;
    assert_eq!(reverted.status, 200, "{}", reverted.text());
    let versions = agent.get(&format!("/v1/job/{id}/versions")).await.json();
    let numbers: Vec<_> = versions["Versions"].as_array().unwrap().iter().map(|job| job["Version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [2, 1, 0]);

    let stopped = agent.send("DELETE", &format!("/v1/job/{id}"), "", b"").await;
    assert_eq!(stopped.status, 200, "{}", stopped.text());
    agent
        .wait(&format!("/v1/job/{id}/allocations"), |rows| rows.as_array().unwrap().iter().all(|row| row["ClientStatus"] == "complete"))
        .await;
    assert_eq!(agent.get(&format!("/v1/job/{id}")).await.json()["Stop"], true);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_read_returns_with_the_change_or_when_its_time_is_up() {
    let agent = TestAgent::start().await;
    let id = unique("wait");
    agent.register(&sleeper(&id, 0)).await;
    let first = agent.wait(&format!("/v1/job/{id}/evaluations"), |rows| rows[0]["Status"] == "complete").await;
    assert_eq!(first.as_array().unwrap().len(), 1);
    let index = agent.get(&format!("/v1/job/{id}")).await.index();
    let began = tokio::time::Instant::now();
    let same = agent.get(&format!("/v1/job/{id}?index={index}&wait=300ms")).await;
    assert!(began.elapsed() >= Duration::from_millis(300) && same.index() == index, "{:?} {}", began.elapsed(), same.index());
    let path = format!("/v1/job/{id}?index={index}&wait=20s");
    let (waited, _) = tokio::join!(agent.get(&path), async {
        let mut changed = sleeper(&id, 0);
        changed["Meta"] = json!({ "k": "v" });
        agent.register(&changed).await
    });
    assert!(waited.index() > index && waited.json()["Meta"]["k"] == "v", "{}", waited.text());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_paged_filtered_and_pretty() {
    let agent = TestAgent::start().await;
    for id in ["a", "b", "c"] {
        agent.register(&sleeper(id, 0)).await;
    }
    let first = agent.get("/v1/jobs?per_page=2").await;
    let ids =
        |answer: &Answer| answer.json().as_array().unwrap().iter().map(|job| job["ID"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ["a", "b"]);
    let token = first.header("X-Nomad-Nexttoken").unwrap();
    assert_eq!(ids(&agent.get(&format!("/v1/jobs?per_page=2&next_token={token}")).await), ["c"]);
    assert_eq!(ids(&agent.get("/v1/jobs?reverse=true&per_page=1").await), ["c"]);
    assert_eq!(ids(&agent.get("/v1/jobs?filter=ID%20!=%20b").await), ["a", "c"]);
    assert_eq!(ids(&agent.get("/v1/jobs?prefix=c").await), ["c"]);
    let unknown = agent.get("/v1/jobs?filter=Nope%20==%20x").await;
    assert!(unknown.status == 400 && unknown.text().contains("Nope"), "{}", unknown.text());
    let pretty = agent.get("/v1/jobs?prefix=c&pretty").await;
    assert!(pretty.text().starts_with("[\n    {\n        \"ID\": \"c\""), "{:.60}", pretty.text());
    let small = agent.send("GET", "/v1/jobs", "Accept-Encoding: gzip\r\n", b"").await;
    assert!(small.header("Content-Encoding") == Some("gzip") && small.body.starts_with(&[0x1f, 0x8b]));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_of_users_are_told_in_the_words_they_know() {
    let agent = TestAgent::start().await;
    agent.register(&sleeper("web", 0)).await;
    let index = agent.get("/v1/job/web").await.json()["JobModifyIndex"].as_u64().unwrap();
    let conflict = agent.put("/v1/jobs", &json!({ "Job": sleeper("web", 1), "EnforceIndex": true, "JobModifyIndex": 1 })).await;
    let want = format!("Enforcing job modify index 1: job exists with conflicting job modify index: {index}");
    assert_eq!((conflict.status, conflict.text()), (500, want));
    let bad = json!({ "ID": "x y", "Name": "x", "Type": "weird", "Priority": 500, "Datacenters": ["dc1"], "TaskGroups": [] });
    let invalid = agent.put("/v1/jobs", &json!({ "Job": bad })).await;
    assert!(invalid.status == 500 && invalid.text().contains("Job ID contains a space"), "{}", invalid.text());
    let mut elsewhere = sleeper("web", 0);
    elsewhere["Namespace"] = json!("ghost");
    let missing = agent.put("/v1/jobs", &json!({ "Job": elsewhere })).await;
    assert_eq!(missing.text(), "1 error occurred:\n\t* job \"web\" is in nonexistent namespace \"ghost\"\n\n");
    for (path, body, text) in [
        ("/v1/job/web/revert", json!({ "JobID": "web", "JobVersion": 9 }), "job \"web\" in namespace \"default\" at version 9 not found"),
        ("/v1/job/web/dispatch", json!({}), "Specified job \"web\" is not a parameterized job"),
        ("/v1/job/web/periodic/force", json!({}), "can't force launch non-periodic job"),
        (
            "/v1/job/web/scale",
            json!({ "Target": { "Group": "zz" }, "Count": 1 }),
            "task group \"zz\" specified for scaling does not exist in job",
        ),
    ] {
        assert_eq!(agent.put(path, &body).await.text(), text, "{path}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_told_as_they_happen() {
    let agent = TestAgent::start().await;
    let mut stream = TcpStream::connect(agent.address).await.unwrap();
    stream.write_all(b"GET /v1/event/stream?topic=Job:told&topic=Deployment HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut heard = String::new();
    let read = async |stream: &mut TcpStream, heard: &mut String, until: &str| {
        let mut buffer = [0; 4096];
        while !heard.contains(until) {
            let count = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an event in time").unwrap();
            assert!(count > 0, "the stream ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    read(&mut stream, &mut heard, "{}\n").await;
    agent.register(&sleeper("other", 0)).await;
    agent.register(&sleeper("told", 0)).await;
    read(&mut stream, &mut heard, "\"Key\":\"told\"").await;
    assert!(heard.contains("\"Type\":\"JobRegistered\"") && !heard.contains("\"Key\":\"other\""), "{heard}");
    drop(stream);
    let bad = agent.get("/v1/event/stream?topic=a:b:c").await;
    assert_eq!(bad.text(), "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: a:b:c");
    agent.stop().await;
}
