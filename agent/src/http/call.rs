//! A request, unpacked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use drover_model::{
    ids::{InvalidId, Name},
    rpc::{Error, ReadOptions},
    spec::parse_duration,
};
use http::{HeaderMap, Method, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::upgrade::OnUpgrade;
use serde::de::DeserializeOwned;

use super::Api;

/// The largest body that is read.
pub(super) const MAX_BODY_BYTES: usize = 16 << 20;
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest that a blocking query waits.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How long it waits when it does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(300);

/// Gives what was sent the name that its path says. A body may repeat the name or leave it out; `what` is how the error calls it.
pub(super) fn name_by_path(name: &mut String, named: Option<String>, what: &str) -> Result<(), Error> {
    match named {
        Some(named) if name.is_empty() => *name = named,
        Some(named) if *name != named => return Err(Error::bad_request(format!("{what} name does not match request path"))),
        _ => {}
    }
    Ok(())
}

/// What a method means here: PUT and POST are the same nearly everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Write,
    Delete,
    Other,
}

/// One request under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) api: Arc<Api>,
    pub(super) method: Method,
    /// As sent: still escaped.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    query: Vec<(String, String)>,
    /// The connection's own other use (a WebSocket), taken once.
    upgrade: Mutex<Option<OnUpgrade>>,
    /// Read once. A body may not be shared between threads while a call may: the lock, which is never contended, is what makes it so.
    body: Mutex<Option<Body>>,
}

impl Call {
    pub(super) fn new(api: Arc<Api>, parts: Parts, body: Body) -> Self {
        let mut parts = parts;
        let query = parts.uri.query().map(parse_query).unwrap_or_default();
        let (upgrade, body) = (Mutex::new(parts.extensions.remove::<OnUpgrade>()), Mutex::new(Some(body)));
        Self { api, method: parts.method, path: parts.uri.path().to_owned(), headers: parts.headers, query, upgrade, body }
    }

    pub(super) fn verb(&self) -> Verb {
        match self.method {
            Method::GET => Verb::Get,
            Method::PUT | Method::POST => Verb::Write,
            Method::DELETE => Verb::Delete,
            _ => Verb::Other,
        }
    }

    /// Fails unless the request reads.
    pub(super) fn only_get(&self) -> Result<(), Error> {
        if self.verb() == Verb::Get { Ok(()) } else { Err(invalid_method()) }
    }

    /// Fails unless the request writes.
    pub(super) fn only_write(&self) -> Result<(), Error> {
        if self.verb() == Verb::Write { Ok(()) } else { Err(invalid_method()) }
    }

    /// A query parameter.
    pub(super) fn param(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of a query parameter.
    pub(super) fn params<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A query parameter that is true or false. Alone (`?stale`), it is true.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Error> {
        match self.param(key) {
            None => Ok(false),
            Some("" | "1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(_) => Err(Error::bad_request(format!("Expect `true` or `false` for `{key}` query string parameter"))),
        }
    }

    /// A query parameter that is a whole number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Error> {
        let invalid = |_| Error::bad_request(format!("Expect a number for `{key}` query string parameter"));
        self.param(key).filter(|text| !text.is_empty()).map(|text| text.parse().map_err(invalid)).transpose()
    }

    /// The namespace that is asked about; `*` is all of them.
    pub(super) fn namespace(&self) -> Name {
        self.param("namespace").filter(|name| !name.is_empty()).unwrap_or("default").into()
    }

    /// How to read, as the query says.
    pub(super) fn options(&self) -> Result<ReadOptions, Error> {
        self.check_region()?;
        let min_index = match self.param("index") {
            None | Some("") => 0,
            Some(text) => text.parse().map_err(|_| Error::bad_request("Invalid index"))?,
        };
        let wait = match self.param("wait") {
            None | Some("") => DEFAULT_WAIT,
            Some(text) => {
                let nanos = parse_duration(text).map_err(|_| Error::bad_request("Invalid wait time"))?;
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
            }
        };
        let per_page = match self.param("per_page") {
            None | Some("") => 0,
            Some(text) => text.parse::<i32>().map_err(|_| Error::bad_request("Expect a number for `per_page` query string parameter"))?,
        };
        Ok(ReadOptions {
            region: None,
            namespace: self.namespace(),
            min_index,
            max_wait: Some(wait.min(LONGEST_WAIT)),
            stale: self.flag("stale")?,
            consistent: self.flag("consistent")?,
            prefix: self.param("prefix").unwrap_or_default().to_owned(),
            filter: self.param("filter").filter(|text| !text.is_empty()).map(str::to_owned),
            per_page: u32::try_from(per_page).unwrap_or(0),
            next_token: self.param("next_token").unwrap_or_default().to_owned(),
            reverse: self.flag("reverse")?,
        })
    }

    /// Only this region can be reached.
    pub(super) fn check_region(&self) -> Result<(), Error> {
        match self.param("region") {
            Some(region) if !region.is_empty() && region != self.api.region() => Err(Error::internal("No path to region")),
            _ => Ok(()),
        }
    }

    /// The body as it comes, for what is larger than memory shall hold at a time.
    pub(super) fn take_body(&mut self) -> Body {
        self.body.get_mut().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// What turns the connection into something else than HTTP, where the caller asked for that.
    pub(super) fn take_upgrade(&mut self) -> Option<OnUpgrade> {
        self.upgrade.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The whole body, within the limits.
    pub(super) async fn body(&mut self) -> Result<Bytes, Error> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(body) = body else { return Ok(Bytes::new()) };
        let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await;
        match collected {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
                Err(Error::new(413, format!("request body is larger than {} MiB", MAX_BODY_BYTES >> 20)))
            }
            Ok(Err(_)) => Err(Error::bad_request("request body ended early or is malformed")),
            Err(_) => Err(Error::new(408, format!("request body did not arrive within {BODY_TIMEOUT:?}"))),
        }
    }

    /// The body as JSON. Keys are matched whatever their case.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let body = self.body().await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Error::bad_request("Request body is empty"));
        }
        drover_model::json::from_slice(&body).map_err(|error| Error::bad_request(one_line(&error)))
    }

    /// As [`Call::json`], but an empty body or `null` reads as the default.
    pub(super) async fn json_or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T, Error> {
        let body = self.body().await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(T::default());
        }
        let read = drover_model::json::from_slice::<Option<T>>(&body);
        read.map(Option::unwrap_or_default).map_err(|error| Error::bad_request(one_line(&error)))
    }
}

pub(super) fn invalid_method() -> Error {
    Error::new(405, "Invalid method")
}

/// An error as one line: what users sent may hold line ends.
fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}

/// The text of a path's segment.
pub(super) fn unescape(segment: &str) -> Result<String, Error> {
    let bytes = unescape_bytes(segment, false);
    String::from_utf8(bytes).map_err(|_| Error::bad_request("path is not valid UTF-8"))
}

fn unescape_bytes(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(u8::try_from(value).unwrap_or(0));
                rest = after;
            }
            (b'+', _) if plus_is_space => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let text = |part: &str| String::from_utf8_lossy(&unescape_bytes(part, true)).into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(key, value)| (text(key), text(value))).collect()
}

/// The id in a path. Texts that are no UUID get the API's words for it.
pub(super) fn id<T: std::str::FromStr<Err = InvalidId>>(what: &str, segment: &str) -> Result<T, Error> {
    let text = unescape(segment)?;
    text.parse().map_err(|error| Error::internal(format!("{what} lookup failed: index error: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_paths_are_unescaped() {
        let pairs = parse_query("a=1&b=x%20y+z&c&=d&e=%zz%2&f=%ff");
        let text: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(text, ["a=1", "b=x y z", "c=", "=d", "e=%zz%2", "f=\u{fffd}"]);
        assert_eq!(unescape("a%2Fb+c").unwrap(), "a/b+c");
        assert!(unescape("%ff").is_err());
    }
}
