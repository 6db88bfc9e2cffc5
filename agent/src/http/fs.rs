//! `/v1/client/fs/...`: files and logs of an allocation.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use drover_model::{
    ids::AllocId,
    rpc::{
        Error,
        client::{FileFrame, FsList, FsRead, FsStat, LogRead},
    },
};
use futures::StreamExt;
use http::{HeaderValue, Response, header};

use super::{
    api::Opened,
    call::{Call, id},
    reply::{Outcome, nowhere},
};

/// What a task wrote must not run as a page of this host.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

pub(super) async fn route(call: Call, action: &str, segment: &str) -> Outcome {
    call.only_get()?;
    if segment.is_empty() {
        return Err(Error::bad_request("must provide a valid alloc id"));
    }
    let id: AllocId = id("alloc", segment)?;
    match action {
        "ls" => {
            let path = call.param("path").filter(|path| !path.is_empty()).unwrap_or("/").to_owned();
            let files = call.api.ask_allocation(id, FsList { alloc_id: id, path }).await?;
            call.json_reply(&files)
        }
        "stat" => {
            let file = call.api.ask_allocation(id, FsStat { alloc_id: id, path: path(&call)? }).await?;
            call.json_reply(&file)
        }
        "cat" => read(call, id, 0, None).await,
        "readat" => {
            let number =
                |key: &str| call.number(key)?.ok_or_else(|| Error::bad_request(format!("error parsing {key}: a number is required")));
            let (offset, limit) = (number("offset")?, number("limit")?);
            read(call, id, offset, Some(limit)).await
        }
        "stream" => stream(call, id).await,
        "logs" => logs(call, id).await,
        _ => nowhere(),
    }
}

fn path(call: &Call) -> Result<String, Error> {
    let path = call.param("path").filter(|path| !path.is_empty()).ok_or_else(|| Error::bad_request("must provide a file name"))?;
    if path.contains('\0') {
        return Err(Error::bad_request("a file name cannot hold a zero byte"));
    }
    Ok(path.to_owned())
}

/// A file or a part of it, as it is.
async fn read(call: Call, id: AllocId, offset: u64, limit: Option<u64>) -> Outcome {
    let path = path(&call)?;
    let file = call.api.ask_allocation(id, FsStat { alloc_id: id, path: path.clone() }).await?;
    if file.is_dir {
        return Err(Error::bad_request(format!("file {path:?} is a directory")));
    }
    let message = FsRead { alloc_id: id, path, offset, limit, from_end: false, follow: false };
    let opened = call.api.stream_allocation(id, message).await?;
    let mut response = plain(opened);
    let content_type = HeaderValue::from_str(&file.content_type).ok().filter(|value| !value.is_empty());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Where to begin: an offset from the start or back from the end.
fn origin(call: &Call) -> Result<(u64, bool), Error> {
    let offset = call.number("offset")?.unwrap_or(0);
    match call.param("origin") {
        None | Some("" | "start") => Ok((offset, false)),
        Some("end") => Ok((offset, true)),
        Some(_) => Err(Error::bad_request("origin must be start or end")),
    }
}

async fn stream(call: Call, id: AllocId) -> Outcome {
    let path = path(&call)?;
    let (offset, from_end) = origin(&call)?;
    let follow = call.param("follow").is_none() || call.flag("follow")?;
    let message = FsRead { alloc_id: id, path, offset, limit: None, from_end, follow };
    let opened = call.api.stream_allocation(id, message).await?;
    Ok(frames(opened))
}

async fn logs(call: Call, id: AllocId) -> Outcome {
    let task = call.param("task").filter(|task| !task.is_empty()).ok_or_else(|| Error::bad_request("must provide task name"))?.to_owned();
    let kind = match call.param("type") {
        Some(kind @ ("stdout" | "stderr")) => kind.to_owned(),
        _ => return Err(Error::bad_request("must provide log type (stdout/stderr)")),
    };
    let (offset, from_end) = origin(&call)?;
    let (follow, is_plain) = (call.flag("follow")?, call.flag("plain")?);
    let message = LogRead { alloc_id: id, task, kind, offset, from_end, follow };
    let opened = call.api.stream_allocation(id, message).await?;
    if !is_plain {
        return Ok(frames(opened));
    }
    let mut response = plain(opened);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// The data alone.
fn plain(opened: Opened<FileFrame>) -> Response<Body> {
    let data = opened.items.filter_map(|item| {
        let data = match item {
            Ok(frame) if frame.data.is_empty() => None,
            Ok(frame) => Some(Ok(Bytes::from(frame.data))),
            Err(error) => Some(Err(io::Error::other(error))),
        };
        std::future::ready(data)
    });
    Response::new(Body::from_stream(data))
}

/// JSON objects one after another, without anything between them.
fn frames(opened: Opened<FileFrame>) -> Response<Body> {
    let frames = opened.items.map(|item| {
        let frame = item.map_err(io::Error::other)?;
        serde_json::to_vec(&frame).map(Bytes::from).map_err(io::Error::other)
    });
    let mut response = Response::new(Body::from_stream(frames));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
