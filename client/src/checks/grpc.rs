//! The standard health protocol of gRPC: one call, `grpc.health.v1.Health/Check`, whose messages are small enough to be read and written by hand.

use std::{sync::OnceLock, time::Duration};

use drover_model::service::CheckStatus;
use reqwest::header::{CONTENT_TYPE, TE};

use super::{Outcome, reason};

const METHOD: &str = "grpc.health.v1.Health/Check";
/// An answer is a few bytes.
const ANSWER_BYTES: usize = 4 << 10;
/// Before each message: a byte for its compression, four for its length.
const PREFIX: usize = 5;
/// Field 1 of the request, a text; field 1 of the answer, a number.
const SERVICE_FIELD: u8 = 0x0a;
const STATUS_FIELD: u8 = 0x08;
const SERVING: u8 = 1;

/// Connections are not kept: a probe shows that a new one works.
#[derive(Debug, Default)]
pub(super) struct Clients {
    plain: OnceLock<reqwest::Client>,
}

/// What is asked, and how.
pub(super) struct Question<'a> {
    pub(super) address: &'a str,
    /// Empty: the server as a whole.
    pub(super) service: &'a str,
    pub(super) tls: bool,
    pub(super) tls_server_name: &'a str,
    pub(super) tls_skip_verify: bool,
}

impl Clients {
    pub(super) async fn probe(&self, question: &Question<'_>, timeout: Duration) -> Result<Outcome, String> {
        let scheme = if question.tls { "https" } else { "http" };
        let mut url: reqwest::Url =
            format!("{scheme}://{}/{METHOD}", question.address).parse().map_err(|error| format!("{}: {error}", question.address))?;
        let client = if question.tls { secured(&mut url, question)? } else { self.plain()? };
        let request = client.post(url).timeout(timeout).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
        let failed = |error: reqwest::Error| format!("{}: {}", question.address, reason(&error));
        let mut answer = request.body(request_body(question.service)).send().await.map_err(failed)?;
        // A call that failed ends with its headers.
        if let Some(code) = answer.headers().get("grpc-status").and_then(|code| code.to_str().ok()).filter(|code| *code != "0") {
            return Err(format!("{}: gRPC status {code}", question.address));
        }
        if !answer.status().is_success() {
            return Err(format!("{}: HTTP {} is not an answer of gRPC", question.address, answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES - body.len())]);
            if body.len() == ANSWER_BYTES {
                break;
            }
        }
        Ok(outcome(question, serving(&body)))
    }

    fn plain(&self) -> Result<reqwest::Client, String> {
        if let Some(client) = self.plain.get() {
            return Ok(client.clone());
        }
        let built =
            reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().http2_prior_knowledge().tls_certs_only(Vec::new()).build();
        let built = built.map_err(|error| reason(&error))?;
        Ok(self.plain.get_or_init(|| built).clone())
    }
}

fn secured(url: &mut reqwest::Url, question: &Question<'_>) -> Result<reqwest::Client, String> {
    if question.tls_server_name.is_empty() {
        return super::client(question.tls_skip_verify, None);
    }
    // The name stands in the handshake, the address stays.
    let addresses = url.socket_addrs(|| None).map_err(|error| error.to_string())?;
    url.set_host(Some(question.tls_server_name)).map_err(|error| error.to_string())?;
    super::client(question.tls_skip_verify, Some((question.tls_server_name, &addresses)))
}

fn outcome(question: &Question<'_>, serving: Option<bool>) -> Outcome {
    let of = if question.service.is_empty() { question.address.to_owned() } else { format!("{}/{}", question.address, question.service) };
    match serving {
        Some(true) => Outcome { status: CheckStatus::Passing, output: format!("gRPC check {of}: success") },
        Some(false) => Outcome { status: CheckStatus::Critical, output: format!("gRPC check {of}: not serving") },
        None => Outcome { status: CheckStatus::Critical, output: format!("gRPC check {of}: the answer cannot be read") },
    }
}

/// One message that names the service, if there is a name.
fn request_body(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 6);
    if !service.is_empty() {
        message.push(SERVICE_FIELD);
        write_length(service.len(), &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], length.as_slice(), &message].concat()
}

/// Seven bits in each byte, the lowest first; the highest bit says that more follow.
fn write_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Whether an answer says SERVING; none: it is no answer. Proto3 leaves a status of zero (unknown) out.
fn serving(body: &[u8]) -> Option<bool> {
    let (prefix, message) = body.split_at_checked(PREFIX)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?) as usize;
    let message = message.get(..length).filter(|_| prefix[0] == 0)?;
    match message {
        [] => Some(false),
        [STATUS_FIELD, status, ..] => Some(*status == SERVING),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_and_read_as_the_protocol_has_them() {
        assert_eq!(request_body(""), [0, 0, 0, 0, 0]);
        assert_eq!(request_body("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request_body(&"x".repeat(300));
        assert_eq!((&long[..8], long.len()), ([0, 0, 0, 1, 47, 0x0a, 0xac, 2].as_slice(), 308));
        let cases: [(&[u8], Option<bool>); 7] = [
            (&[0, 0, 0, 0, 2, 8, 1], Some(true)),
            (&[0, 0, 0, 0, 2, 8, 2], Some(false)),
            (&[0, 0, 0, 0, 0], Some(false)),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 9, 8, 1], None),
            (&[0, 0, 0], None),
            (&[], None),
        ];
        for (body, want) in cases {
            assert_eq!(serving(body), want, "{body:?}");
        }
    }
}
