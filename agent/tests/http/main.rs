//! The HTTP API of an agent in this process, spoken with over real sockets.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use drover_agent::{Agent, Config};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

mod divisions;
mod embedded;
mod exec;
mod jobs;
mod malformed;
mod rolling;
mod shapes;
mod volumes;

/// The longest that anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent of its own for each test, on ports of the system's choice.
struct TestAgent {
    agent: Agent,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn index(&self) -> u64 {
        self.header("X-Nomad-Index").unwrap().parse().unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl TestAgent {
    async fn start() -> Self {
        Self::start_with("").await
    }

    async fn start_with(extra: &str) -> Self {
        let text = format!("ports {{\n  http = 0\n  rpc = 0\n  serf = 0\n}}\nlog_level = \"ERROR\"\n{extra}");
        let config = Config::from_text(&text, "test.hcl", true).unwrap();
        let agent = Agent::start(config).await.unwrap();
        let address = agent.http_address();
        let this = Self { agent, address };
        this.wait("/v1/nodes", |nodes| nodes.as_array().is_some_and(|nodes| nodes.iter().any(|node| node["Status"] == "ready"))).await;
        this
    }

    async fn stop(self) {
        self.agent.shutdown().await;
    }

    /// Bytes out, bytes in, until the other end closes.
    async fn raw(&self, request: &[u8]) -> Vec<u8> {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // The agent may refuse before it has read everything.
            let _ = stream.write_all(request).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time")
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n").into_bytes();
        request.extend_from_slice(body);
        parse(&self.raw(&request).await)
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"").await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, "", body.to_string().as_bytes()).await
    }

    /// Reads again and again until the answer is as wanted.
    async fn wait(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if answer.status == 200 {
                let value = answer.json();
                if is_wanted(&value) {
                    return value;
                }
                assert!(tokio::time::Instant::now() < end, "{path} never was as wanted; last: {value}");
            } else {
                assert!(tokio::time::Instant::now() < end, "{path}: {answer:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn register(&self, job: &Value) -> Value {
        let answer = self.put("/v1/jobs", &json!({ "Job": job })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// A job whose one task does nothing for a long time.
fn sleeper(id: &str, count: u32) -> Value {
    json!({
        "ID": id, "Name": id, "Type": "service", "Datacenters": ["dc1"],
        "TaskGroups": [{
            "Name": "g", "Count": count,
            "Update": { "MinHealthyTime": 0, "HealthCheck": "task_states" },
            "Tasks": [{
                "Name": "t", "Driver": "mock_driver", "Config": { "run_for": "1h" }, "Resources": { "CPU": 10, "MemoryMB": 16 }
            }]
        }]
    })
}

/// A name that no other test uses.
fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn parse(bytes: &[u8]) -> Answer {
    let split = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no headers in {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut answer = Answer { status, headers, body: bytes[split + 4..].to_vec() };
    if answer.header("Transfer-Encoding") == Some("chunked") {
        answer.body = unchunk(&answer.body);
    }
    answer
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}
