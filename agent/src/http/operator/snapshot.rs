//! `/v1/operator/snapshot`: the servers' whole state, out and in.

use std::io;

use axum::body::Body;
use drover_model::rpc::{
    Error,
    snapshot::{SnapshotRestore, SnapshotSave},
};
use futures::StreamExt;
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;

use crate::http::{
    call::Call,
    reply::{Outcome, done},
};

/// Bytes that go to the server at a time.
const PIECE_BYTES: usize = 4 << 20;
/// How long the one who sends a file may pause.
const IDLE: std::time::Duration = std::time::Duration::from_secs(60);

pub(super) async fn save(call: Call) -> Outcome {
    call.check_region()?;
    let mut pieces = call.api.backend().save_snapshot(SnapshotSave { stale: call.flag("stale")? }).await?;
    // With the first piece it is known that there is one.
    let first = pieces.next().await.ok_or_else(|| Error::internal("the server gave no snapshot"))??;
    let digest = HeaderValue::from_str(&first.digest).map_err(|error| Error::internal(error.to_string()))?;
    let rest = pieces.map(|piece| piece.map(|piece| piece.data).map_err(io::Error::other));
    let all = futures::stream::once(async { Ok::<_, io::Error>(first.data) }).chain(rest);
    let mut response = Response::new(Body::from_stream(all));
    response.headers_mut().insert("Digest", digest);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

pub(super) async fn restore(mut call: Call) -> Outcome {
    call.check_region()?;
    let mut body = call.take_body();
    // Unlike any other's, as no two are sent at the same moment.
    let id = u64::try_from(call.api.clock().now().0).unwrap_or(0);
    let (mut offset, mut waiting) = (0, Vec::new());
    loop {
        let frame = tokio::time::timeout(IDLE, body.frame()).await;
        let frame = frame.map_err(|_| Error::new(408, format!("nothing of the snapshot arrived for {IDLE:?}")))?;
        let broken = |_| Error::bad_request("request body ended early or is malformed");
        let data = frame.transpose().map_err(broken)?;
        let is_last = data.is_none();
        if let Some(data) = data.and_then(|frame| frame.into_data().ok()) {
            waiting.extend_from_slice(&data);
        }
        if !is_last && waiting.len() < PIECE_BYTES {
            continue;
        }
        let data = std::mem::take(&mut waiting);
        let length = data.len() as u64;
        let written = call.api.backend().call(SnapshotRestore { id, offset, data, is_last }).await?;
        offset += length;
        if is_last {
            return done(written.map_or(0, |written| written.index));
        }
    }
}
