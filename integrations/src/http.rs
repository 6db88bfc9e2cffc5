//! Connections to a neighbour's HTTP API: pooled, with time limits, bounded answers, and errors that hold no secrets.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use drover_model::secret::SecretText;
use drover_runtime::Random;
use reqwest::{
    Client, Method, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
};

use crate::{Error, Result};

/// The most bytes of an answer that are read.
pub const ANSWER_LIMIT: usize = 32 << 20;

/// The most characters of a refusal's text that are passed on.
const MESSAGE_LIMIT: usize = 300;

/// How long a call may take when the configuration does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How a neighbour proves who it is, and how we do. Everything is in PEM form; whoever has the configuration reads the files.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Trusted beside the system's authorities.
    pub ca_pem: Vec<Vec<u8>>,
    pub certificate_pem: Option<Vec<u8>>,
    pub private_key_pem: Option<SecretText>,
    /// The name that its certificate must have, when that is not the one in its address.
    pub server_name: Option<String>,
    pub skip_verify: bool,
}

/// One neighbour's HTTP API. Clones share the connections.
#[derive(Clone)]
pub struct Endpoint {
    /// For people: `Consul at 127.0.0.1:8500`.
    peer: String,
    /// Without a slash at its end.
    base: String,
    client: Client,
    timeout: Duration,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A call. Its path and query are shown in errors; headers and body are not.
#[derive(Clone)]
pub struct Call {
    method: Method,
    path: String,
    /// What errors call it, when the path holds a secret.
    label: Option<&'static str>,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, SecretText)>,
    body: Option<Bytes>,
    timeout: Option<Duration>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("call", &self.shown()).finish_non_exhaustive()
    }
}

impl Call {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), label: None, query: Vec::new(), headers: Vec::new(), body: None, timeout: None }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Errors show `label` in place of the path.
    pub fn shown_as(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }

    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    pub fn query_option(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) if !value.is_empty() => self.query(name, value),
            _ => self,
        }
    }

    pub fn header(mut self, name: &'static str, value: SecretText) -> Self {
        if !value.is_empty() {
            self.headers.push((name, value));
        }
        self
    }

    pub fn json(self, value: &serde_json::Value) -> Self {
        Self { body: Some(Bytes::from(value.to_string())), ..self }
    }

    /// For calls that wait on purpose.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    fn shown(&self) -> String {
        match self.label {
            Some(label) => label.to_owned(),
            None => format!("{} {}", self.method, self.path),
        }
    }
}

/// An answer of any status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Endpoint {
    /// `address` is `HOST:PORT`, `http(s)://HOST:PORT` or `unix:///PATH`; `tls` decides about the first.
    pub fn new(kind: &str, address: &str, use_tls: bool, tls: &Tls, timeout: Duration) -> Result<Self> {
        let mut base = base_of(address, use_tls);
        let shown = address.split_once("://").map_or(address, |(_, rest)| rest);
        let peer = format!("{kind} at {}", shown.rsplit_once('@').map_or(shown, |(_, host)| host).trim_end_matches('/'));
        let configuration = |reason: String| Error::Configuration { peer: peer.clone(), reason };
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::limited(3))
            .user_agent(concat!("drover/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = address.strip_prefix("unix://") {
            builder = builder.unix_socket(path);
        }
        if base.starts_with("http://") {
            // Without TLS nothing is verified, and reading the system's authorities would only cost time.
            builder = builder.tls_certs_only(Vec::new());
        } else {
            for pem in &tls.ca_pem {
                let found =
                    reqwest::Certificate::from_pem_bundle(pem).map_err(|_| configuration("its CA file holds no certificate".to_owned()))?;
                builder = builder.tls_certs_merge(found);
            }
            if let (Some(certificate), Some(key)) = (&tls.certificate_pem, &tls.private_key_pem) {
                let both = [certificate.as_slice(), b"\n", key.expose().as_bytes()].concat();
                let identity = reqwest::Identity::from_pem(&both)
                    .map_err(|_| configuration("its client certificate and key do not make a pair".to_owned()))?;
                builder = builder.identity(identity);
            }
            builder = builder.tls_danger_accept_invalid_certs(tls.skip_verify);
            if let Some(name) = tls.server_name.as_deref().filter(|name| !name.is_empty()) {
                let (renamed, resolver) =
                    Renamed::new(&base, name).ok_or_else(|| configuration("its address or server name is no URL".to_owned()))?;
                (base, builder) = (renamed, builder.dns_resolver(Arc::new(resolver)));
            }
        }
        let client = builder.build().map_err(|error| configuration(error.without_url().to_string()))?;
        Ok(Self { peer, base, client, timeout })
    }

    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The address with its scheme.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Makes a call; any status is an answer.
    pub async fn send(&self, call: Call) -> Result<Reply> {
        let shown = call.shown();
        let timeout = call.timeout.unwrap_or(self.timeout);
        match tokio::time::timeout(timeout, self.exchange(call, &shown)).await {
            Ok(done) => done,
            Err(_) => Err(Error::Timeout { peer: self.peer.clone(), call: shown, after: timeout }),
        }
    }

    /// Makes a call that must succeed. `refusal` reads the text of an error's body.
    pub async fn expect(&self, call: Call, refusal: fn(&[u8]) -> String) -> Result<Reply> {
        let shown = call.shown();
        let reply = self.send(call).await?;
        if reply.is_success() { Ok(reply) } else { Err(self.refused(&shown, &reply, refusal)) }
    }

    pub(crate) fn refused(&self, call: &str, reply: &Reply, refusal: fn(&[u8]) -> String) -> Error {
        let mut message: String = refusal(&reply.body).chars().filter(|c| !c.is_control() || *c == ' ').take(MESSAGE_LIMIT).collect();
        if message.is_empty() {
            message = StatusCode::from_u16(reply.status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or("no reason given")
                .to_owned();
        }
        Error::Refused { peer: self.peer.clone(), call: call.to_owned(), status: reply.status, message }
    }

    /// Reads a body as JSON.
    pub fn parse<T: serde::de::DeserializeOwned>(&self, call: &str, body: &[u8]) -> Result<T> {
        // The parser's own text may quote what it read, so only the place is passed on.
        serde_json::from_slice(body).map_err(|error| Error::Malformed {
            peer: self.peer.clone(),
            call: call.to_owned(),
            reason: format!("the JSON does not fit at line {} column {}", error.line(), error.column()),
        })
    }

    async fn exchange(&self, call: Call, shown: &str) -> Result<Reply> {
        let mut url = reqwest::Url::parse(&format!("{}{}", self.base, call.path))
            .map_err(|_| Error::Configuration { peer: self.peer.clone(), reason: "its address is no URL".to_owned() })?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.client.request(call.method, url);
        for (name, value) in call.headers {
            let mut value = reqwest::header::HeaderValue::from_str(value.expose()).map_err(|_| Error::Configuration {
                peer: self.peer.clone(),
                reason: format!("the value of {name} has characters that no header can hold"),
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if let Some(body) = call.body {
            request = request.header("content-type", "application/json").body(body);
        }
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            peer: self.peer.clone(),
            call: shown.to_owned(),
            reason: root_cause(&error.without_url()),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(Error::TooLarge { peer: self.peer.clone(), call: shown.to_owned(), limit: ANSWER_LIMIT });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body: body.freeze() })
    }
}

/// Asks a peer by the name in its certificate, and finds it by the one in its address.
#[derive(Debug)]
struct Renamed {
    host: String,
    port: u16,
}

impl Renamed {
    fn new(base: &str, name: &str) -> Option<(String, Self)> {
        let mut url = reqwest::Url::parse(base).ok()?;
        let resolver = Self { host: url.host_str()?.trim_matches(['[', ']']).to_owned(), port: url.port_or_known_default()? };
        url.set_host(Some(name)).ok()?;
        Some((url.as_str().trim_end_matches('/').to_owned(), resolver))
    }
}

impl Resolve for Renamed {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, port) = (self.host.clone(), self.port);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn base_of(address: &str, use_tls: bool) -> String {
    let address = address.trim_end_matches('/');
    if address.starts_with("unix://") {
        "http://localhost".to_owned()
    } else if address.contains("://") {
        address.to_owned()
    } else {
        format!("{}://{address}", if use_tls { "https" } else { "http" })
    }
}

/// The innermost text of an error, which is the one that says something (`Connection refused`).
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// One segment of a path, or several when `/` is among `keep`.
pub fn encode(text: &str, keep: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "-._~".contains(character) || keep.contains(character) {
            encoded.push(character);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Growing pauses between attempts, each drawn from its upper half.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    most: Duration,
}

impl Backoff {
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, first, most }
    }

    /// The pause before the next attempt.
    pub fn pause(&mut self, random: &dyn Random) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        pause / 2 + random.jitter(pause / 2)
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

impl Default for Backoff {
    /// As the configuration's retry blocks have it: from a quarter of a second to a minute.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests;
