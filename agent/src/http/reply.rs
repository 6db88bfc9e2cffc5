//! Answers, packed.

use std::io::Write;

use axum::body::Body;
use drover_model::rpc::{Error, Method, Read, ReadMeta, ReadOptions};
use drover_runtime::{in_place, in_place_if, rpc::Handle};
use drover_server::Server;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY},
};
use serde::Serialize;

use super::call::Call;

pub(super) type Outcome = Result<Response<Body>, Error>;

/// Smaller bodies are not worth compressing.
const COMPRESS_FROM_BYTES: usize = 1024;
/// Compressing larger ones takes so long (a millisecond and more) that nothing else is to wait for it.
const LONG_BYTES: usize = 256 << 10;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Call {
    /// JSON, indented when the query asks for it.
    pub(super) fn json_reply<T: Serialize + ?Sized>(&self, data: &T) -> Outcome {
        let pretty = self.param("pretty").is_some_and(|value| value != "0");
        let body = if pretty { to_pretty(data) } else { serde_json::to_vec(data) };
        let body = body.map_err(|error| Error::internal(format!("cannot write the answer: {error}")))?;
        self.bytes_reply(body, JSON)
    }

    /// Bytes, compressed when the other end takes that.
    pub(super) fn bytes_reply(&self, body: Vec<u8>, content_type: HeaderValue) -> Outcome {
        let wanted = body.len() >= COMPRESS_FROM_BYTES && accepts_gzip(&self.headers);
        let mut response = match wanted.then(|| gzip(&body)).flatten() {
            Some(small) => {
                let mut response = Response::new(Body::from(small));
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                response
            }
            None => Response::new(Body::from(body)),
        };
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        Ok(response)
    }

    /// What a read found, with its index.
    pub(super) fn read_reply<T: Serialize>(&self, read: &Read<T>) -> Outcome {
        let mut response = self.json_reply(&read.data)?;
        set_meta(response.headers_mut(), &read.meta);
        Ok(response)
    }

    /// What a read finds, as it is.
    pub(super) async fn read<M, T>(&self, message: M) -> Outcome
    where
        M: Method<Reply = Read<T>>,
        Server: Handle<M>,
        T: Serialize,
    {
        let read = self.api.backend().call(message).await?;
        // These are lists, and nobody knows how long one is before it is written.
        in_place(move || self.read_reply(&read))
    }

    /// A collection, which is only read; `rest` is what follows its path.
    pub(super) async fn list<M, T>(&self, rest: &str, message: impl FnOnce(ReadOptions) -> M) -> Outcome
    where
        M: Method<Reply = Read<T>>,
        Server: Handle<M>,
        T: Serialize,
    {
        if !rest.is_empty() {
            return nowhere();
        }
        self.only_get()?;
        self.read(message(self.options()?)).await
    }

    /// What a read found, with its index, in another form.
    pub(super) fn read_reply_as<T, U: Serialize>(&self, read: Read<T>, view: impl FnOnce(T) -> U) -> Outcome {
        self.read_reply(&Read { meta: read.meta, data: view(read.data) })
    }

    /// What a read found, or 404 with `missing`. Both carry the index, so that both can be waited on.
    pub(super) fn found_or<T, U: Serialize>(&self, read: Read<Option<T>>, missing: &str, view: impl FnOnce(T) -> U) -> Outcome {
        match read.data {
            Some(data) => self.read_reply(&Read { meta: read.meta, data: view(data) }),
            None => {
                let mut response = error_reply(&Error::not_found(missing));
                set_meta(response.headers_mut(), &read.meta);
                Ok(response)
            }
        }
    }

    /// What a write answers, with its index.
    pub(super) fn written<T: Serialize + ?Sized>(&self, index: u64, data: &T) -> Outcome {
        let mut response = self.json_reply(data)?;
        response.headers_mut().insert("X-Nomad-Index", index.into());
        Ok(response)
    }
}

/// 200 without a body, as writes answer of which nothing is to be said.
pub(super) fn done(index: u64) -> Outcome {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert("X-Nomad-Index", index.into());
    Ok(response)
}

pub(super) fn empty() -> Outcome {
    Ok(Response::new(Body::empty()))
}

/// A path that does not exist.
pub(super) fn nowhere() -> Outcome {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// The bare line, as text.
pub(super) fn error_reply(error: &Error) -> Response<Body> {
    let status = StatusCode::from_u16(error.status).ok().filter(|status| status.is_client_error() || status.is_server_error());
    let mut response = Response::new(Body::from(error.message.clone()));
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// What is the same for every answer.
pub(super) fn finish(response: &mut Response<Body>, extra: &HeaderMap) {
    response.headers_mut().entry(VARY).or_insert(HeaderValue::from_static("Accept-Encoding"));
    for (name, value) in extra {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    debug_assert!(!response.headers().contains_key(CONTENT_LENGTH), "the length is the transport's matter");
}

pub(super) fn set_meta(headers: &mut HeaderMap, meta: &ReadMeta) {
    headers.insert("X-Nomad-Index", meta.index.into());
    headers.insert("X-Nomad-KnownLeader", HeaderValue::from_static(if meta.known_leader { "true" } else { "false" }));
    headers.insert("X-Nomad-LastContact", meta.last_contact_ms.into());
    if let Ok(token) = HeaderValue::from_str(&meta.next_token)
        && !meta.next_token.is_empty()
    {
        headers.insert("X-Nomad-NextToken", token);
    }
}

fn to_pretty<T: Serialize + ?Sized>(data: &T) -> serde_json::Result<Vec<u8>> {
    let mut body = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    data.serialize(&mut serde_json::Serializer::with_formatter(&mut body, formatter))?;
    body.push(b'\n');
    Ok(body)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()).any(|coding| coding == "gzip")
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    in_place_if(body.len() >= LONG_BYTES, || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
        encoder.write_all(body).ok()?;
        encoder.finish().ok()
    })
}
