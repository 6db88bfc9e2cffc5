//! `/v1/agent/monitor`: this agent's log from now on.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use drover_model::{
    ids::NodeId,
    rpc::{
        Error, ReadOptions,
        nodes::NodeGet,
        status::{LeaderGet, MemberList},
    },
};
use http::{HeaderValue, Response, header};
use serde::Serialize;

use super::{
    call::{Call, id},
    reply::Outcome,
};
use crate::{
    config::LogLevel,
    logging::{self, Form, Listener},
};

/// How often a stream on which nothing is said shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A piece of the log. One without data is a heartbeat.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Frame {
    #[serde(with = "drover_model::json::base64", skip_serializing_if = "Vec::is_empty")]
    data: Vec<u8>,
}

pub(super) async fn monitor(call: Call) -> Outcome {
    let word = call.param("log_level").filter(|word| !word.is_empty()).unwrap_or("info");
    let level = LogLevel::parse(word).filter(|level| *level != LogLevel::Off);
    let level = level.ok_or_else(|| Error::bad_request(format!("Unknown log level: {word}")))?;
    let form = Form { json: call.flag("log_json")?, location: call.flag("log_include_location")? };
    let is_plain = call.flag("plain")?;
    check_target(&call).await?;
    let mut response = Response::new(body(logging::listen(level, form), is_plain));
    let kind = if is_plain { "text/plain" } else { "application/json" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn body(listener: Listener, is_plain: bool) -> Body {
    Body::from_stream(futures::stream::unfold(listener, move |mut listener| async move {
        loop {
            let data = match tokio::time::timeout(HEARTBEAT, listener.line()).await {
                Ok(line) => line?.into_bytes(),
                // There is no plain text that says nothing.
                Err(_) if is_plain => continue,
                Err(_) => Vec::new(),
            };
            let piece = if is_plain { data } else { serde_json::to_vec(&Frame { data }).unwrap_or_default() };
            return Some((Ok::<_, Infallible>(Bytes::from(piece)), listener));
        }
    }))
}

/// An agent shows its own log alone. Whoever asks for that of another is told where to ask.
async fn check_target(call: &Call) -> Result<(), Error> {
    let given = |key: &str| call.param(key).filter(|text| !text.is_empty());
    match (given("node_id"), given("server_id")) {
        (Some(_), Some(_)) => Err(Error::bad_request("Cannot target node and server simultaneously")),
        (Some(node), None) => check_node(call, id("node", node)?).await,
        (None, Some(server)) => check_server(call, server).await,
        (None, None) => Ok(()),
    }
}

async fn check_node(call: &Call, wanted: NodeId) -> Result<(), Error> {
    if call.api.client().is_some_and(|client| client.node == wanted) {
        return Ok(());
    }
    let found = call.api.backend().call(NodeGet { options: ReadOptions::default(), id: wanted }).await?.data;
    let node = found.ok_or_else(|| Error::not_found("node not found"))?;
    Err(elsewhere(&format!("node {:?} ({wanted})", node.name), &format!(", which listens at {}", node.http_addr)))
}

async fn check_server(call: &Call, wanted: &str) -> Result<(), Error> {
    let config = call.api.config();
    let own = format!("{}.{}", config.name, config.region);
    let members = call.api.backend().call(MemberList {}).await?;
    let leader = call.api.backend().call(LeaderGet {}).await?;
    let is_meant = |name: &str, address: &str| match wanted {
        "leader" => leader == address,
        _ => name == wanted || name.strip_suffix(&config.region).and_then(|name| name.strip_suffix('.')) == Some(wanted),
    };
    let address = |addr: &str, port: Option<&String>| format!("{addr}:{}", port.map_or("", String::as_str));
    let meant = members.iter().find(|member| is_meant(&member.name, &address(&member.addr, member.tags.get("port"))));
    match meant {
        Some(member) if config.server.enabled && member.name == own => Ok(()),
        Some(member) => Err(elsewhere(&format!("server {:?}", member.name), &format!(" on {}", member.addr))),
        None => Err(Error::not_found(format!("unknown server {wanted:?}"))),
    }
}

fn elsewhere(whose: &str, place: &str) -> Error {
    Error::new(501, format!("an agent shows its own log alone: for that of {whose} ask its agent{place}"))
}
