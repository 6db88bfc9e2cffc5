//! What is wrong gets a status and one plain line, and costs the agent nothing.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_told_what_is_wrong() {
    let agent = TestAgent::start().await;
    let zero = "00000000-0000-0000-0000-000000000000";
    for (method, path, body, status, text) in [
        ("DELETE", "/v1/jobs", "", 405, "Invalid method"),
        ("HEAD", "/v1/jobs", "", 405, ""),
        ("POST", "/v1/nodes", "{}", 405, "Invalid method"),
        ("POST", "/v1/namespaces", "{}", 405, "Invalid method"),
        ("POST", "/v1/system/gc", "", 405, "Invalid method"),
        ("GET", "/v1/nope", "", 404, ""),
        ("GET", "/nope", "", 404, ""),
        ("GET", "/v1/job/ghost", "", 404, "job not found"),
        ("GET", "/v1/job/ghost/summary", "", 404, "job not found"),
        ("GET", "/v1/job/ghost/versions", "", 404, "job versions not found"),
        ("GET", "/v1/job/ghost/deployment", "", 200, "null"),
        ("GET", "/v1/job/ghost/allocations", "", 200, "[]"),
        ("GET", "/v1/service/ghost", "", 200, "[]"),
        ("POST", "/v1/job/ghost/evaluate", "{\"JobID\": \"ghost\"}", 500, "job not found"),
        ("GET", &format!("/v1/node/{zero}"), "", 404, "node not found"),
        ("GET", "/v1/node/abc", "", 500, "node lookup failed: index error: UUID must be 36 characters"),
        ("GET", &format!("/v1/allocation/{zero}"), "", 404, "alloc not found"),
        ("GET", "/v1/allocation/abc", "", 500, "alloc lookup failed: index error: UUID must be 36 characters"),
        ("POST", &format!("/v1/allocation/{zero}/stop"), "", 404, "allocation not found"),
        ("GET", &format!("/v1/client/allocation/{zero}/stats"), "", 404, &format!("Unknown allocation \"{zero}\"")),
        ("GET", &format!("/v1/evaluation/{zero}"), "", 404, "eval not found"),
        ("GET", &format!("/v1/deployment/{zero}"), "", 404, "deployment not found"),
        ("GET", "/v1/namespace/ghost", "", 404, "Namespace not found"),
        ("GET", "/v1/node/pool/ghost", "", 404, "node pool not found"),
        ("GET", "/v1/acl/tokens", "", 400, "ACL support disabled"),
        ("POST", "/v1/jobs", "", 400, "Request body is empty"),
        ("POST", "/v1/jobs", "{}", 400, "Job must be specified"),
        ("POST", "/v1/jobs", "null", 400, "Job must be specified"),
        ("POST", "/v1/jobs", "{\"Job\": {}}", 400, "Job ID hasn't been provided"),
        ("POST", "/v1/job/other", "{\"Job\": {\"ID\": \"web\"}}", 400, "Job ID does not match name"),
        ("POST", "/v1/jobs/parse", "{\"JobHCL\": \"\"}", 400, "Job spec is empty"),
        ("GET", "/v1/jobs?region=mars", "", 500, "No path to region"),
        ("GET", "/v1/jobs?index=x", "", 400, "Invalid index"),
        ("GET", "/v1/jobs?index=-1", "", 400, "Invalid index"),
        ("GET", "/v1/jobs?wait=x", "", 400, "Invalid wait time"),
        ("GET", "/v1/jobs?per_page=x", "", 400, "Expect a number for `per_page` query string parameter"),
        ("GET", "/v1/jobs?stale=x", "", 400, "Expect `true` or `false` for `stale` query string parameter"),
        ("GET", &format!("/v1/client/fs/logs/{zero}?type=stdout"), "", 400, "must provide task name"),
        ("GET", &format!("/v1/client/fs/logs/{zero}?task=t"), "", 400, "must provide log type (stdout/stderr)"),
        ("GET", &format!("/v1/client/fs/cat/{zero}"), "", 400, "must provide a file name"),
        ("GET", "/.well-known/openid-configuration", "", 404, "OIDC Discovery endpoint disabled"),
        ("PUT", "/v1/operator/scheduler/configuration", "{\"SchedulerAlgorithm\": \"random\"}", 400, "invalid scheduler algorithm: random"),
        ("GET", "/v1/kv/", "", 400, "Missing key name"),
    ] {
        let answer = agent.send(method, path, "", body.as_bytes()).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{method} {path} {body}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_requests_are_refused_and_the_agent_lives_on() {
    let agent = TestAgent::start().await;
    let deep = format!("{}1{}", "{\"Job\":".repeat(20_000), "}".repeat(20_000));
    let job = |change: &str| format!("{{\"Job\":{{\"ID\":\"x\",\"Type\":\"service\",\"Datacenters\":[\"dc1\"]{change}}}}}");
    for body in [
        "{",
        "[]",
        "\"x\"",
        "5",
        "{\"Job\":{\"ID\":5,\"TaskGroups\":\"no\"}}",
        "{\"Job\":{\"ID\":\"a\\u0000b\"}}",
        deep.as_str(),
        &"[".repeat(100_000),
        "{\"Job\":{\"ID\":\"e\",\"Priority\":1e999}}",
        "{\"Job\":{\"ID\":\"e\",\"Priority\":99999999999999999999}}",
        &job(",\"TaskGroups\":[null]"),
        &job(",\"TaskGroups\":[{\"Name\":\"g\",\"Tasks\":[null]}]"),
        &job(",\"Priority\":-100"),
        &job(",\"Type\":\"nosuch\""),
        &job(",\"Constraints\":[null]"),
    ] {
        for path in ["/v1/jobs", "/v1/job/x/plan", "/v1/validate/job"] {
            let answer = agent.send("PUT", path, "", body.as_bytes()).await;
            let refused = matches!(answer.status, 400 | 413 | 500) || path == "/v1/validate/job" && answer.status == 200;
            assert!(refused, "{path} {body:.60}: {answer:?}");
            assert!(answer.status != 500 || !answer.text().contains("internal error"), "{path} {body:.60}: {}", answer.text());
        }
    }
    let filters = "(".repeat(3000);
    for query in [
        format!("filter={filters}"),
        "filter=ID%20matches%20%22(((%22".to_owned(),
        "filter=Nope%20==".to_owned(),
        "next_token=%00%ff".to_owned(),
        "reverse=maybe".to_owned(),
    ] {
        let answer = agent.get(&format!("/v1/jobs?{query}")).await;
        assert_eq!(answer.status, 400, "{query:.40}: {}", answer.text());
    }
    let big = "a".repeat(2 << 20);
    for request in [
        format!("GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Big: {big}\r\n\r\n"),
        format!("GET /v1/jobs HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: v\r\n".repeat(20_000)),
        "PUT /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}".to_owned(),
        "PUT /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 99\r\n\r\n{}".to_owned(),
        "\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
    ] {
        let answer = agent.raw(request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{:.60}: {}", request, String::from_utf8_lossy(&answer));
    }
    assert_eq!(agent.get("/v1/status/leader").await.status, 200);
    agent.stop().await;
}
