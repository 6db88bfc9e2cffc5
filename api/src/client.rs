//! One HTTP client: address, credentials, and what an answer or an error looks like.

use std::{fmt, time::Duration};

use bytes::Bytes;
use drover_model::secret::SecretText;
use futures::{Stream, StreamExt};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::{Serialize, de::DeserializeOwned};

/// Where an agent is when nobody says otherwise.
pub(crate) const DEFAULT_ADDRESS: &str = "http://127.0.0.1:4646";
/// The longest that a blocking query may be asked to wait, with room for the server's own jitter.
const BLOCKING_LIMIT: Duration = Duration::from_secs(6 * 60);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Of what has no end, such as a log that is followed.
const UNLIMITED: Duration = Duration::from_secs(366 * 86_400);
/// An answer above this is refused rather than read into memory.
const BODY_LIMIT: usize = 256 << 20;

/// How to reach an agent, and as whom.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub address: Option<String>,
    pub region: Option<String>,
    pub namespace: Option<String>,
    pub token: SecretText,
    /// PEM files.
    pub ca_cert: Option<String>,
    pub client_cert: Option<String>,
    pub client_key: Option<String>,
    pub tls_skip_verify: bool,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is not an address: write it as http://HOST:PORT (-address or NOMAD_ADDR)")]
    Address(String),
    #[error("cannot reach the agent at {address}: {reason}")]
    Unreachable { address: String, reason: String },
    /// The agent answered with an error: its own words.
    #[error("{message}")]
    Status {
        status: u16,
        message: String,
        /// The index that came with it (0: none): one can wait for what is not there.
        index: u64,
    },
    #[error("the answer to {path} is not what was expected: {reason}")]
    Answer { path: String, reason: String },
    #[error("cannot use {path}: {reason}")]
    Tls { path: String, reason: String },
}

impl Error {
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }
}

/// What was answered, and the index it is true at.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    pub data: T,
    pub index: u64,
}

/// Query parameters, in order.
pub type Query<'a> = &'a [(&'a str, &'a str)];

/// Speaks to one agent.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    options: Options,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Client {
    pub fn new(options: Options) -> Result<Self, Error> {
        Self::with(options, false)
    }

    fn with(options: Options, upgrades: bool) -> Result<Self, Error> {
        let address = options.address.clone().unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let (mut builder, address) = match address.strip_prefix("unix://") {
            Some(socket) => (reqwest::Client::builder().unix_socket(socket), "http://localhost".to_owned()),
            None => (reqwest::Client::builder(), address),
        };
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(Error::Address(address));
        }
        builder = builder.connect_timeout(CONNECT_LIMIT).timeout(BLOCKING_LIMIT).no_proxy();
        for path in options.ca_cert.iter() {
            let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?).map_err(|error| tls(path, &error))?;
            builder = certificates.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        if let (Some(cert), Some(key)) = (&options.client_cert, &options.client_key) {
            let mut pem = read(cert)?;
            pem.extend(read(key)?);
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(|error| tls(cert, &error))?);
        }
        builder = builder.danger_accept_invalid_certs(options.tls_skip_verify);
        if upgrades {
            // A WebSocket grows out of the older protocol.
            builder = builder.http1_only();
        }
        let http = builder.build().map_err(|error| tls("the TLS settings", &error))?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { http, address, options })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn namespace(&self) -> &str {
        self.options.namespace.as_deref().unwrap_or("default")
    }

    /// Reads `path` (which starts with `/v1/`).
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> Result<Answer<T>, Error> {
        self.call(Method::GET, path, query, None::<&()>).await
    }

    /// Waits until the answer's index is above `index`, or until `wait` has passed.
    pub async fn get_after<T: DeserializeOwned>(&self, path: &str, index: u64, wait: Duration) -> Result<Answer<T>, Error> {
        let (index, wait) = (index.to_string(), format!("{}ms", wait.as_millis()));
        self.get(path, &[("index", &index), ("wait", &wait)]).await
    }

    pub async fn put<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
        body: &B,
    ) -> Result<Answer<T>, Error> {
        self.call(Method::PUT, path, query, Some(body)).await
    }

    /// For the few writes that are no PUT.
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
        body: &B,
    ) -> Result<Answer<T>, Error> {
        self.call(Method::POST, path, query, Some(body)).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> Result<Answer<T>, Error> {
        self.call(Method::DELETE, path, query, None::<&()>).await
    }

    /// Any method with any body; the answer as it came.
    pub async fn raw(&self, method: &str, path: &str, query: Query<'_>, body: Vec<u8>) -> Result<Answer<Bytes>, Error> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| Error::Address(error.to_string()))?;
        let request = self.request(method, path, query);
        let request = if body.is_empty() { request } else { request.body(body) };
        self.finish(request).await
    }

    /// A body that comes in pieces and may never end.
    pub async fn stream(&self, path: &str, query: Query<'_>) -> Result<impl Stream<Item = Result<Bytes, Error>> + use<>, Error> {
        // No time limit on the whole: following a log has no end.
        let request = self.request(Method::GET, path, query).timeout(UNLIMITED);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let address = self.address.clone();
        let broken = move |error: reqwest::Error| Error::Unreachable { address: address.clone(), reason: root_cause(&error) };
        Ok(response.bytes_stream().map(move |piece| piece.map_err(&broken)))
    }

    /// Asks for the connection to become another one, with these headers beside the usual ones.
    pub(crate) async fn upgrade(&self, path: &str, query: Query<'_>, headers: HeaderMap) -> Result<reqwest::Upgraded, Error> {
        let own = Self::with(self.options.clone(), true)?;
        // What is spoken afterwards may take as long as it likes.
        let request = own.request(Method::GET, path, query).headers(headers).timeout(UNLIMITED);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refusal(response).await);
        }
        response.upgrade().await.map_err(|error| self.unreachable(&error))
    }

    async fn call<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Option<&B>,
    ) -> Result<Answer<T>, Error> {
        let request = self.request(method, path, query);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = self.finish(request).await?;
        // Some writes answer with nothing at all.
        let text: &[u8] = if answer.data.is_empty() { b"null" } else { &answer.data };
        let decoded = serde_json::from_slice(text);
        let data = decoded.map_err(|error| Error::Answer { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Answer { data, index: answer.index })
    }

    fn request(&self, method: Method, path: &str, query: Query<'_>) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.address)).query(query);
        for (key, value) in [("namespace", &self.options.namespace), ("region", &self.options.region)] {
            let said = query.iter().any(|(name, _)| *name == key);
            if let (Some(value), false) = (value, said) {
                request = request.query(&[(key, value)]);
            }
        }
        if !self.options.token.is_empty() {
            request = request.header("X-Nomad-Token", self.options.token.expose());
        }
        request
    }

    async fn finish(&self, request: reqwest::RequestBuilder) -> Result<Answer<Bytes>, Error> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let index = index_of(response.headers());
        let data = self.body(response).await?;
        Ok(Answer { data, index })
    }

    async fn body(&self, response: reqwest::Response) -> Result<Bytes, Error> {
        let mut stream = response.bytes_stream();
        let mut body = Vec::new();
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece.map_err(|error| self.unreachable(&error))?);
            if body.len() > BODY_LIMIT {
                let reason = format!("it is larger than {} MiB", BODY_LIMIT >> 20);
                return Err(Error::Answer { path: self.address.clone(), reason });
            }
        }
        Ok(body.into())
    }

    async fn refusal(&self, response: reqwest::Response) -> Error {
        let (status, index) = (response.status(), index_of(response.headers()));
        let text = self.body(response).await.map(|body| String::from_utf8_lossy(&body).trim().to_owned()).unwrap_or_default();
        let message = if text.is_empty() { describe(status) } else { text };
        Error::Status { status: status.as_u16(), message, index }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable { address: self.address.clone(), reason: root_cause(error) }
    }
}

fn index_of(headers: &HeaderMap) -> u64 {
    headers.get("X-Nomad-Index").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn describe(status: StatusCode) -> String {
    format!("the agent answered {status} and said nothing more")
}

/// The innermost error: reqwest's own text only says that sending failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn read(path: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::Tls { path: path.to_owned(), reason: error.to_string() })
}

fn tls(path: &str, error: &reqwest::Error) -> Error {
    Error::Tls { path: path.to_owned(), reason: root_cause(error) }
}

/// A path's segment, with whatever would end it escaped. Job ids may hold slashes, which stay.
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => escaped.push(char::from(byte)),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cannot_become_queries() {
        for (text, escaped) in [("web", "web"), ("a b?x=1#y", "a%20b%3Fx%3D1%23y"), ("job/dispatch-1", "job/dispatch-1"), ("ü", "%C3%BC")]
        {
            assert_eq!(segment(text), escaped);
        }
    }

    #[test]
    fn an_address_needs_its_scheme() {
        let error = Client::new(Options { address: Some("localhost:4646".to_owned()), ..Options::default() }).unwrap_err();
        assert!(error.to_string().contains("http://HOST:PORT"), "{error}");
    }
}
