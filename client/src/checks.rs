//! The client's own checks, for services in the servers' catalogue.

use std::{sync::OnceLock, time::Duration};

use drover_integrations::registry::{Check, CheckKind};
use drover_model::service::CheckStatus;
use tokio::net::TcpStream;

use crate::limits;

mod grpc;

/// Between probes until a check first passes.
pub(crate) const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// What one probe came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: CheckStatus,
    pub(crate) output: String,
}

/// Whether the client probes this kind itself; the others are reported by whoever runs them.
pub(crate) fn is_probed(kind: &CheckKind) -> bool {
    !matches!(kind, CheckKind::Reported { .. })
}

/// Sends probes. Nothing is kept open between two of them: they are to show that a new connection works.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    verifying: OnceLock<reqwest::Client>,
    trusting: OnceLock<reqwest::Client>,
    grpc: grpc::Clients,
}

impl Prober {
    pub(crate) async fn probe(&self, check: &Check) -> Outcome {
        let probe = async {
            match &check.kind {
                CheckKind::Http { .. } => self.http(&check.kind, check.timeout).await,
                CheckKind::Tcp { address } => tcp(address).await,
                CheckKind::Grpc { address, service, tls, tls_server_name, tls_skip_verify } => {
                    let question = grpc::Question { address, service, tls: *tls, tls_server_name, tls_skip_verify: *tls_skip_verify };
                    self.grpc.probe(&question, check.timeout).await
                }
                CheckKind::Reported { .. } => Err("nobody has reported yet".to_owned()),
            }
        };
        match tokio::time::timeout(check.timeout, probe).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(output)) => Outcome { status: CheckStatus::Critical, output },
            Err(_) => Outcome {
                status: CheckStatus::Critical,
                output: format!("no answer within {}", crate::tasks::duration_text(check.timeout)),
            },
        }
    }

    async fn http(&self, kind: &CheckKind, timeout: Duration) -> Result<Outcome, String> {
        let CheckKind::Http { url, method, headers, body, tls_server_name, tls_skip_verify } = kind else { return Err(String::new()) };
        let mut url: reqwest::Url = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let client = if tls_server_name.is_empty() {
            let held = if *tls_skip_verify { &self.trusting } else { &self.verifying };
            match held.get() {
                Some(client) => client.clone(),
                None => held
                    .get_or_init({
                        let built = client(*tls_skip_verify, None)?;
                        move || built
                    })
                    .clone(),
            }
        } else {
            // The name stands in the handshake and in the request, the address stays.
            let address = url.socket_addrs(|| None).map_err(|error| error.to_string())?;
            url.set_host(Some(tls_server_name)).map_err(|error| error.to_string())?;
            client(*tls_skip_verify, Some((tls_server_name, &address)))?
        };
        let method = method.to_ascii_uppercase().parse::<reqwest::Method>().map_err(|error| error.to_string())?;
        let mut request =
            client.request(method, url.clone()).timeout(timeout).header("User-Agent", "drover-check").header("Connection", "close");
        for (name, values) in headers {
            request = values.iter().fold(request, |request, value| request.header(name, value));
        }
        if !body.is_empty() {
            request = request.body(body.clone());
        }
        let mut answer = request.send().await.map_err(|error| format!("{url}: {}", reason(&error)))?;
        let code = answer.status();
        let mut text = Vec::new();
        while text.len() < limits::CHECK_OUTPUT_BYTES {
            match answer.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk[..chunk.len().min(limits::CHECK_OUTPUT_BYTES - text.len())]),
                Ok(None) | Err(_) => break,
            }
        }
        let status = match code.as_u16() {
            200..=299 => CheckStatus::Passing,
            429 => CheckStatus::Warning,
            _ => CheckStatus::Critical,
        };
        Ok(Outcome { status, output: format!("HTTP {code}: {}", String::from_utf8_lossy(&text)) })
    }
}

fn client(trusting: bool, name: Option<(&str, &[std::net::SocketAddr])>) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().tls_danger_accept_invalid_certs(trusting);
    if let Some((name, addresses)) = name {
        builder = builder.resolve_to_addrs(name, addresses);
    }
    builder.build().map_err(|error| reason(&error))
}

/// The innermost reason: what people can act on.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

async fn tcp(address: &str) -> Result<Outcome, String> {
    let connected = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
    drop(connected);
    Ok(Outcome { status: CheckStatus::Passing, output: format!("TCP connect {address}: Success") })
}

/// Holds a check's state until enough probes in a row say otherwise.
#[derive(Debug)]
pub(crate) struct Counter {
    status: CheckStatus,
    successes: u32,
    failures: u32,
    before_passing: u32,
    before_warning: u32,
    before_critical: u32,
    has_passed: bool,
}

impl Counter {
    pub(crate) fn new(check: &Check) -> Self {
        Self {
            status: check.initial_status.unwrap_or(CheckStatus::Critical),
            successes: 0,
            failures: 0,
            before_passing: check.success_before_passing,
            before_warning: check.failures_before_warning,
            before_critical: check.failures_before_critical,
            has_passed: false,
        }
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.has_passed
    }

    /// The status after one more outcome. A state is taken on with the outcome *after* the configured number.
    pub(crate) fn count(&mut self, outcome: CheckStatus) -> CheckStatus {
        if outcome == CheckStatus::Passing {
            (self.successes, self.failures) = (self.successes.saturating_add(1), 0);
            if self.successes > self.before_passing || self.status == CheckStatus::Passing {
                (self.status, self.has_passed) = (outcome, true);
            }
        } else {
            (self.successes, self.failures) = (0, self.failures.saturating_add(1));
            if outcome == CheckStatus::Warning || self.failures > self.before_critical {
                self.status = outcome;
            } else if self.before_warning > 0 && self.failures > self.before_warning {
                self.status = CheckStatus::Warning;
            }
        }
        self.status
    }
}

#[cfg(test)]
mod tests;
