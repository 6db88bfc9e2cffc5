//! The embedded stores over HTTP.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_behave_like_consuls() {
    let agent = TestAgent::start().await;
    let put = |path: &'static str, value: &'static str| agent.send("PUT", path, "", value.as_bytes());
    assert_eq!(put("/v1/kv/shop/flags/beta", "true").await.text(), "true");
    let read = agent.get("/v1/kv/shop/flags/beta").await;
    let entry = &read.json()[0];
    assert_eq!((entry["Key"].as_str(), entry["Value"].as_str()), (Some("shop/flags/beta"), Some("dHJ1ZQ==")));
    assert_eq!(agent.get("/v1/kv/shop/flags/beta?raw").await.text(), "true");
    let index: u64 = read.header("X-Consul-Index").unwrap().parse().unwrap();
    assert_eq!(put("/v1/kv/shop/flags/beta?cas=0", "no").await.text(), "false");
    let (woken, _) = tokio::join!(agent.get("/v1/kv/shop/flags/beta?raw&index=1&wait=1ms"), std::future::ready(()));
    assert_eq!(woken.text(), "true");
    let path = format!("/v1/kv/shop/flags/beta?raw&index={index}&wait=20s");
    let (waited, _) = tokio::join!(agent.get(&path), put("/v1/kv/shop/flags/beta", "false"));
    assert_eq!(waited.text(), "false");
    put("/v1/kv/shop/theme", "dark").await;
    assert_eq!(agent.get("/v1/kv/shop/?recurse").await.json().as_array().unwrap().len(), 2);
    assert_eq!(agent.get("/v1/kv/shop/?keys&separator=/").await.json(), json!(["shop/flags/", "shop/theme"]));
    let missing = agent.get("/v1/kv/nothing").await;
    assert!(missing.status == 404 && missing.body.is_empty() && missing.header("X-Consul-Index").is_some());
    assert_eq!(agent.send("DELETE", "/v1/kv/shop?recurse", "", b"").await.text(), "true");
    assert_eq!(agent.get("/v1/kv/shop/theme").await.status, 404);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_and_the_authority_are_kept() {
    let agent = TestAgent::start().await;
    let path = "/v1/secret/secret/default/shop/config";
    let written = agent.put(path, &json!({ "Data": { "password": "s3cret" } })).await;
    assert_eq!((written.status, written.json()["Version"].as_u64()), (200, Some(1)), "{}", written.text());
    assert_eq!(agent.get(path).await.json()["Data"]["password"], "s3cret");
    let list = agent.get("/v1/secrets?prefix=secret/default").await;
    assert!(list.text().contains("shop/config") && !list.text().contains("s3cret"), "{}", list.text());
    assert_eq!(agent.get("/v1/secret/secret/default/none/x").await.status, 404);
    assert_eq!(agent.put(path, &json!({})).await.status, 400);
    let ca = agent.get("/v1/ca").await.json()["CertificatePem"].as_str().unwrap().to_owned();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "{ca:.40}");
    assert_eq!(agent.get("/v1/ca").await.json()["CertificatePem"], ca.as_str());
    let keys = agent.get("/.well-known/jwks.json").await.json();
    assert!(keys["keys"][0]["kid"].is_string() && keys["keys"][0]["use"] == "sig", "{keys}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_read_the_variables_of_their_job_and_are_told_of_others() {
    let agent = TestAgent::start().await;
    for path in ["nomad/jobs/shop/g", "nomad/jobs/other", "shop"] {
        let written = agent.put(&format!("/v1/var/{path}"), &json!({ "Items": { "password": "hush" } })).await;
        assert_eq!(written.status, 200, "{}", written.text());
    }
    let job = |id: &str, path: &str| {
        let mut job = sleeper(id, 1);
        let text = format!("{{{{ with nomadVar \"{path}\" }}}}{{{{ .password }}}}{{{{ end }}}} {{{{ len (nomadVarList \"\") }}}}");
        job["TaskGroups"][0]["Tasks"][0]["Templates"] = json!([{ "EmbeddedTmpl": text, "DestPath": "local/out" }]);
        job
    };
    agent.register(&job("shop", "nomad/jobs/shop/g")).await;
    let running = |all: &Value| all.as_array().is_some_and(|all| all.iter().any(|row| row["ClientStatus"] == "running"));
    let all = agent.wait("/v1/job/shop/allocations", running).await;
    let path = format!("/v1/client/fs/cat/{}?path=t/local/out", all[0]["ID"].as_str().unwrap());
    assert_eq!(agent.get(&path).await.text(), "hush 1", "a list shows what the task may read");

    for (id, path) in [("thief", "nomad/jobs/shop/g"), ("guest", "shop")] {
        agent.register(&job(id, path)).await;
        let all = agent
            .wait(&format!("/v1/job/{id}/allocations"), |all| {
                all.as_array().is_some_and(|all| all.iter().any(|row| row["ClientStatus"] == "failed"))
            })
            .await;
        let events = all[0]["TaskStates"]["t"]["Events"].to_string();
        assert!(events.contains("task \\\"t\\\" may not read variable") && !events.contains("hush"), "{events}");
    }
    agent.stop().await;
}
