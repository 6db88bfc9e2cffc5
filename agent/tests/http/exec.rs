//! Commands in tasks, over a WebSocket.

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::*;

/// A job whose task is a real process.
fn process(id: &str) -> Value {
    let mut job = sleeper(id, 1);
    job["TaskGroups"][0]["Tasks"][0]["Driver"] = json!("raw_exec");
    job["TaskGroups"][0]["Tasks"][0]["Config"] = json!({ "command": "/bin/sleep", "args": ["3600"] });
    job
}

async fn open(agent: &TestAgent, alloc: &str, query: &str) -> WebSocketStream<TcpStream> {
    let request = format!("ws://{}/v1/client/allocation/{alloc}/exec?task=t&{query}", agent.address).into_client_request().unwrap();
    let stream = TcpStream::connect(agent.address).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

/// All frames up to the end, those of one stream joined; how the connection was closed stands last.
async fn finish(socket: &mut WebSocketStream<TcpStream>) -> BTreeMap<String, String> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let read = async {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    for stream in ["stdout", "stderr"] {
                        let data = frame[stream]["data"].as_str().unwrap_or_default();
                        seen.entry(stream.to_owned()).or_default().push_str(data);
                    }
                    if frame["exited"] == true {
                        seen.insert("result".to_owned(), frame["result"].to_string());
                    }
                }
                Message::Close(Some(frame)) => {
                    seen.insert("close".to_owned(), format!("{} {}", u16::from(frame.code), frame.reason));
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an end in time");
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_in_a_task_and_hears_what_is_typed() {
    let agent = TestAgent::start().await;
    agent.register(&process("web")).await;
    let allocs = agent.wait("/v1/job/web/allocations", |rows| rows[0]["ClientStatus"] == "running").await;
    let alloc = allocs[0]["ID"].as_str().unwrap();

    let command = "command=%5B%22/bin/sh%22%2C%22-c%22%2C%22echo%20out%3B%20cat%3B%20echo%20err%20%3E%262%3B%20exit%203%22%5D";
    let mut socket = open(&agent, alloc, &format!("{command}&tty=false&ws_handshake=true")).await;
    for frame in [
        json!({ "version": 1, "auth_token": "" }),
        json!({}),
        json!({ "stdin": { "data": "dHlwZWQK" } }),
        json!({ "stdin": { "close": true } }),
    ] {
        socket.send(Message::Text(frame.to_string().into())).await.unwrap();
    }
    let seen = finish(&mut socket).await;
    assert!(seen["stdout"].starts_with("b3V0Cg==") && seen["stdout"].ends_with("dHlwZWQK"), "{seen:?}");
    assert_eq!((seen["stderr"].as_str(), seen["result"].as_str()), ("ZXJyCg==", r#"{"exit_code":3}"#), "{seen:?}");

    let mut socket = open(&agent, alloc, "command=%5B%22/bin/true%22%5D").await;
    assert_eq!(finish(&mut socket).await["result"], "{}");
    let mut socket = open(&agent, alloc, "command=%5B%22/no/such%22%5D").await;
    let seen = finish(&mut socket).await;
    assert!(seen["close"].starts_with("1011 ") && seen["close"].contains("/no/such"), "{seen:?}");

    for (query, status) in [("task=t&command=%5B%22/bin/true%22%5D", 400), ("command=%5B%22x%22%5D", 400), ("task=t&command=x", 400)] {
        assert_eq!(agent.get(&format!("/v1/client/allocation/{alloc}/exec?{query}")).await.status, status, "{query}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_goes_in_and_out_at_once() {
    let agent = TestAgent::start().await;
    agent.register(&process("web")).await;
    let allocs = agent.wait("/v1/job/web/allocations", |rows| rows[0]["ClientStatus"] == "running").await;
    let socket = open(&agent, allocs[0]["ID"].as_str().unwrap(), "command=%5B%22/bin/cat%22%5D").await;
    // More than any pipe on the way holds.
    let (piece, pieces) = ("QUFB".repeat(8192), 64);
    let (mut out, mut input) = socket.split();
    let send = async {
        for _ in 0..pieces {
            out.send(Message::Text(json!({ "stdin": { "data": piece } }).to_string().into())).await.unwrap();
        }
        out.send(Message::Text(json!({ "stdin": { "close": true } }).to_string().into())).await.unwrap();
    };
    let receive = async {
        let mut bytes = 0;
        while let Some(Ok(Message::Text(text))) = input.next().await {
            let frame: Value = serde_json::from_str(&text).unwrap();
            bytes += frame["stdout"]["data"].as_str().map_or(0, |data| data.trim_end_matches('=').len() * 3 / 4);
            if frame["exited"] == true {
                break;
            }
        }
        bytes
    };
    let (_, bytes) = tokio::time::timeout(PATIENCE, futures::future::join(send, receive)).await.expect("no end in time");
    assert_eq!(bytes, 3 * 8192 * pieces);
    agent.stop().await;
}
