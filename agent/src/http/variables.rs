//! `/v1/vars` and `/v1/var/PATH`: the variables, and the locks on them.

use std::{collections::BTreeMap, time::Duration};

use drover_model::{
    ids::Name,
    json::null_is_default,
    rpc::{
        Error,
        variable::{VariableDelete, VariableGet, VariableList, VariableLockChange, VariableOutcome, VariablePut, VariableWritten},
    },
    secret::SecretText,
    spec::parse_duration,
    variable::{LockTerms, VariableLock},
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;

use super::{
    call::{Call, Verb, unescape},
    reply::Outcome,
};

/// What a lock that does not say lasts, and how long after it nobody else gets it.
const DEFAULT_TTL: Duration = Duration::from_secs(15);
const DEFAULT_DELAY: Duration = Duration::from_secs(15);
const SHORTEST_TTL: Duration = Duration::from_secs(10);
const LONGEST_TTL: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    call.list(&rest, |options| VariableList { options }).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let path = unescape(&rest)?;
    if path.is_empty() {
        return Err(Error::bad_request("missing variable path"));
    }
    match call.verb() {
        Verb::Get => {
            let read = call.api.backend().call(VariableGet { options: call.options()?, path }).await?;
            call.found_or(read, "variable not found", |variable| variable)
        }
        Verb::Write => write(call, path).await,
        Verb::Delete => delete(call, path).await,
        Verb::Other => Err(Error::bad_request("Invalid method")),
    }
}

/// What is sent. A path and a namespace in it do not count: those of the request do.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    items: Option<BTreeMap<String, SecretText>>,
    #[serde(deserialize_with = "null_is_default")]
    namespace: String,
    lock: Option<VariableLock>,
}

/// What is to happen to the lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LockVerb {
    Acquire,
    Renew,
    Release,
}

fn lock_verb(call: &Call) -> Result<Option<LockVerb>, Error> {
    let known = [("lock-acquire", LockVerb::Acquire), ("lock-renew", LockVerb::Renew), ("lock-release", LockVerb::Release)];
    let mut asked = known.into_iter().filter(|(name, _)| call.param(name).is_some());
    match (asked.next(), asked.next()) {
        (_, Some(_)) => Err(Error::bad_request("only one of lock-acquire, lock-renew and lock-release can be asked for")),
        (first, None) => Ok(first.map(|(_, verb)| verb)),
    }
}

async fn write(mut call: Call, path: String) -> Outcome {
    call.check_region()?;
    let (check, verb) = (call.number("cas")?, lock_verb(&call)?);
    let body: Body = call.json().await?;
    let namespace = match call.param("namespace") {
        None | Some("") if !body.namespace.is_empty() => Name::from(body.namespace.as_str()),
        _ => call.namespace(),
    };
    let lock = body.lock.unwrap_or_default();
    match verb {
        Some(verb @ (LockVerb::Renew | LockVerb::Release)) => {
            if lock.id.is_empty() {
                return Err(Error::bad_request("variable missing required Lock.ID"));
            }
            let release = verb == LockVerb::Release;
            let written = call.api.backend().call(VariableLockChange { namespace, path, id: lock.id, release }).await?;
            // Whoever renews or releases has no use for the items.
            reply(&call, &written, |written| serde_json::to_vec(&written.variable.metadata))
        }
        acquire => {
            if body.items.is_none() && acquire.is_none() {
                return Err(Error::bad_request("variable missing required Items object"));
            }
            let terms = acquire.map(|_| terms(&lock)).transpose()?;
            let message = VariablePut { namespace, path, items: body.items, check, holder: lock.id, acquire: terms };
            let written = call.api.backend().call(message).await?;
            reply(&call, &written, |written| serde_json::to_vec(&written.variable))
        }
    }
}

/// The lock that is asked for. Who names none gets a new one from the servers.
fn terms(lock: &VariableLock) -> Result<LockTerms, Error> {
    let duration = |name: &str, text: &str, default: Duration| {
        if text.is_empty() {
            return Ok(default);
        }
        let nanos = parse_duration(text).ok().and_then(|nanos| u64::try_from(nanos).ok());
        nanos.map(Duration::from_nanos).ok_or_else(|| Error::bad_request(format!("{name} {text:?} is no duration like \"15s\"")))
    };
    let (ttl, delay) = (duration("TTL", &lock.ttl, DEFAULT_TTL)?, duration("LockDelay", &lock.lock_delay, DEFAULT_DELAY)?);
    if !(SHORTEST_TTL..=LONGEST_TTL).contains(&ttl) || delay > LONGEST_TTL {
        return Err(Error::bad_request("a lock's TTL must be from 10s to 24h, and its LockDelay at most 24h"));
    }
    Ok(LockTerms { id: lock.id.clone(), ttl, delay })
}

async fn delete(call: Call, path: String) -> Outcome {
    call.check_region()?;
    let (namespace, check) = (call.namespace(), call.number("cas")?);
    let written = call.api.backend().call(VariableDelete { namespace, path, check, holder: String::new() }).await?;
    let mut response = reply(&call, &written, |written| serde_json::to_vec(&written.variable))?;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.body_mut() = axum::body::Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
    }
    Ok(response)
}

/// The variable as it is now: with 200 when it was written, with 409 when it was not. Of one that somebody else holds there is no more than its name.
fn reply(call: &Call, written: &VariableWritten, body: impl Fn(&VariableWritten) -> serde_json::Result<Vec<u8>>) -> Outcome {
    let failed = |error| Error::internal(format!("cannot write the answer: {error}"));
    let (status, kind, body) = match written.outcome {
        VariableOutcome::Done => (StatusCode::OK, "application/json", body(written)),
        VariableOutcome::Conflict => (StatusCode::CONFLICT, "text/plain; charset=utf-8", serde_json::to_vec(&written.variable)),
        VariableOutcome::Held => (StatusCode::CONFLICT, "text/plain; charset=utf-8", serde_json::to_vec(&written.variable.metadata)),
    };
    let mut response = call.bytes_reply(body.map_err(failed)?, HeaderValue::from_static(kind))?;
    *response.status_mut() = status;
    response.headers_mut().insert("X-Nomad-Index", written.index.into());
    Ok(response)
}
