//! `/v1/kv/KEY`: the embedded key-value store, with the behaviour of Consul's.

use drover_model::{
    kv::KvEntry,
    rpc::{
        Error, Read, ReadMeta,
        embedded::{KvDelete, KvListKeys, KvPut},
        node::{KvGet, KvList},
    },
};
use http::{HeaderValue, StatusCode};

use super::{
    call::{Call, Verb, invalid_method, unescape},
    reply::{Outcome, set_meta},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    let key = unescape(&rest)?;
    match call.verb() {
        Verb::Get if call.flag("keys")? => keys(call, key).await,
        Verb::Get if call.flag("recurse")? => list(call, key).await,
        Verb::Get => get(call, key).await,
        Verb::Write => put(call, key).await,
        Verb::Delete => delete(call, key).await,
        Verb::Other => Err(invalid_method()),
    }
}

/// Adds the index under the name that Consul's clients look for.
fn with_index(outcome: Outcome, meta: &ReadMeta) -> Outcome {
    let mut response = outcome?;
    set_meta(response.headers_mut(), meta);
    response.headers_mut().insert("X-Consul-Index", meta.index.into());
    response.headers_mut().insert("X-Consul-KnownLeader", HeaderValue::from_static(if meta.known_leader { "true" } else { "false" }));
    response.headers_mut().insert("X-Consul-LastContact", meta.last_contact_ms.into());
    Ok(response)
}

/// 404 without a body, with the index to wait on.
fn missing(meta: &ReadMeta) -> Outcome {
    let mut response = http::Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    with_index(Ok(response), meta)
}

async fn get(call: Call, key: String) -> Outcome {
    let key = named(key)?;
    let Read { meta, data } = call.api.backend().call(KvGet { options: call.options()?, key }).await?;
    match data {
        None => missing(&meta),
        Some(entry) if call.flag("raw")? => {
            let outcome = call.bytes_reply(entry.value.clone(), HeaderValue::from_static("text/plain; charset=utf-8"));
            let mut response = with_index(outcome, &meta)?;
            // What somebody stored must not run as a page.
            response.headers_mut().insert("X-Content-Type-Options", HeaderValue::from_static("nosniff"));
            response.headers_mut().insert("Content-Security-Policy", HeaderValue::from_static("sandbox"));
            Ok(response)
        }
        Some(entry) => with_index(call.json_reply(&[entry]), &meta),
    }
}

async fn list(call: Call, prefix: String) -> Outcome {
    let Read { meta, data } = call.api.backend().call(KvList { options: call.options()?, prefix }).await?;
    if data.is_empty() {
        return missing(&meta);
    }
    with_index(call.json_reply::<[std::sync::Arc<KvEntry>]>(&data), &meta)
}

async fn keys(call: Call, prefix: String) -> Outcome {
    let separator = call.param("separator").unwrap_or_default().to_owned();
    let Read { meta, data } = call.api.backend().call(KvListKeys { options: call.options()?, prefix, separator }).await?;
    if data.is_empty() {
        return missing(&meta);
    }
    with_index(call.json_reply(&data), &meta)
}

async fn put(mut call: Call, key: String) -> Outcome {
    let key = named(key)?;
    for lock in ["acquire", "release"] {
        if call.param(lock).is_some() {
            return Err(Error::bad_request(format!("{lock}: the embedded key-value store has no sessions")));
        }
    }
    let (flags, check) = (call.number("flags")?.unwrap_or(0), call.number("cas")?);
    let value = call.body().await?.to_vec();
    let checked = call.api.backend().call(KvPut { key, value, flags, check }).await?;
    call.written(checked.index, &checked.done)
}

async fn delete(call: Call, key: String) -> Outcome {
    let recurse = call.flag("recurse")?;
    let key = if recurse { key } else { named(key)? };
    let checked = call.api.backend().call(KvDelete { key, recurse, check: call.number("cas")? }).await?;
    call.written(checked.index, &checked.done)
}

fn named(key: String) -> Result<String, Error> {
    if key.is_empty() { Err(Error::bad_request("Missing key name")) } else { Ok(key) }
}
