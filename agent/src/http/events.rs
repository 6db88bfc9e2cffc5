//! `/v1/event/stream`: one JSON object a line.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use drover_model::rpc::{
    Error,
    event::{EventBatch, EventStream, TopicFilter},
};
use futures::StreamExt;
use http::{HeaderValue, Response, header};

use super::{
    call::Call,
    reply::{Outcome, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    if rest != "stream" {
        return nowhere();
    }
    call.only_get()?;
    call.check_region()?;
    let index = match call.param("index") {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| Error::bad_request("Unable to parse index: not a number"))?,
    };
    let mut topics = call.params("topic").map(topic).collect::<Result<Vec<_>, _>>()?;
    if topics.is_empty() {
        topics.push(TopicFilter { topic: "*".to_owned(), key: "*".to_owned() });
    }
    let message = EventStream { topics, namespace: call.namespace(), index };
    let stream = call.api.backend().subscribe_events(message).await?;
    let lines = stream.map(|item| line(&item.map_err(io::Error::other)?));
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// `Topic` or `Topic:key`.
fn topic(text: &str) -> Result<TopicFilter, Error> {
    let (topic, key) = text.split_once(':').unwrap_or((text, "*"));
    if key.contains(':') {
        return Err(Error::bad_request(format!(
            "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: {text}"
        )));
    }
    Ok(TopicFilter { topic: topic.to_owned(), key: if key.is_empty() { "*".to_owned() } else { key.to_owned() } })
}

/// A batch as a line; an empty object when nothing happened.
fn line(batch: &EventBatch) -> io::Result<Bytes> {
    let mut line = if batch.events.is_empty() { b"{}".to_vec() } else { serde_json::to_vec(batch).map_err(io::Error::other)? };
    line.push(b'\n');
    Ok(line.into())
}
