//! What every command that asks an agent has: the flags to reach it, and the terminal.

use std::{future::Future, io::IsTerminal};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use drover_api::{Client, Options};
use drover_model::secret::SecretText;

/// How to reach the agent. Each flag has its environment variable.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reaching the agent")]
pub(crate) struct Reach {
    /// The agent's HTTP address
    #[arg(long, env = "NOMAD_ADDR", global = true, value_name = "URL", hide_env_values = true)]
    address: Option<String>,
    /// The region to forward the call to
    #[arg(long, env = "NOMAD_REGION", global = true, hide_env_values = true)]
    region: Option<String>,
    /// The namespace of jobs, allocations, ...
    #[arg(long, env = "NOMAD_NAMESPACE", global = true, hide_env_values = true)]
    namespace: Option<String>,
    /// The token to call with
    #[arg(long, env = "NOMAD_TOKEN", global = true, hide_env_values = true, hide_default_value = true)]
    token: Option<String>,
    /// The CA that signed the agent's certificate (PEM)
    #[arg(long, env = "NOMAD_CACERT", global = true, value_name = "FILE", hide_env_values = true)]
    ca_cert: Option<String>,
    /// The certificate to show to the agent (PEM)
    #[arg(long, env = "NOMAD_CLIENT_CERT", global = true, value_name = "FILE", hide_env_values = true)]
    client_cert: Option<String>,
    /// That certificate's key (PEM)
    #[arg(long, env = "NOMAD_CLIENT_KEY", global = true, value_name = "FILE", hide_env_values = true)]
    client_key: Option<String>,
    /// Do not check the agent's certificate
    #[arg(long, env = "NOMAD_SKIP_VERIFY", global = true, hide_env_values = true)]
    tls_skip_verify: bool,
    /// Print without colours
    #[arg(long, env = "NOMAD_CLI_NO_COLOR", global = true, hide_env_values = true)]
    no_color: bool,
}

impl Reach {
    pub(crate) fn client(&self) -> Result<Client> {
        let options = Options {
            address: self.address.clone(),
            region: self.region.clone(),
            namespace: self.namespace.clone(),
            token: SecretText::new(self.token.clone().unwrap_or_default()),
            ca_cert: self.ca_cert.clone(),
            client_cert: self.client_cert.clone(),
            client_key: self.client_key.clone(),
            tls_skip_verify: self.tls_skip_verify,
        };
        Ok(Client::new(options)?)
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    pub(crate) fn colours(&self) -> bool {
        !self.no_color && std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal()
    }
}

/// Runs a command's async part, which waits for little but the network.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the async runtime")?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = future => result,
            _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        }
    });
    // Nobody waits for a thread that may still read standard input.
    runtime.shutdown_background();
    result
}

/// Ctrl-C. What a command follows goes on without it.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// The same, where keys such as Ctrl-C may be meant for somebody else.
pub(crate) fn block_on_signals<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the async runtime")?;
    let result = runtime.block_on(future);
    // Nobody waits for a thread that may still read standard input.
    runtime.shutdown_background();
    result
}

/// The one of `candidates` that `prefix` means.
pub(crate) fn unique<T>(kind: &str, prefix: &str, candidates: Vec<T>, id: impl Fn(&T) -> String) -> Result<T> {
    let exact = candidates.iter().position(|candidate| id(candidate) == prefix);
    let mut candidates = candidates;
    match (exact, candidates.len()) {
        (Some(index), _) => Ok(candidates.swap_remove(index)),
        (None, 1) => Ok(candidates.swap_remove(0)),
        (None, 0) => bail!("no {kind} with prefix or id {prefix:?} found"),
        (None, _) => {
            let ids: Vec<String> = candidates.iter().map(id).collect();
            bail!("{prefix:?} is the start of {} {kind} ids:\n  {}", ids.len(), ids.join("\n  "))
        }
    }
}

/// A prefix of an id as the API wants it: with an even number of digits.
pub(crate) fn even(prefix: &str) -> &str {
    let digits = prefix.chars().filter(|c| *c != '-').count();
    if digits % 2 == 1 && prefix.len() < 36 { prefix.get(..prefix.len() - 1).unwrap_or(prefix) } else { prefix }
}

/// A label as `-meta` takes it.
pub(crate) fn label(pair: &str) -> Result<(String, String)> {
    let (key, value) = pair.split_once('=').with_context(|| format!("-meta {pair:?}: write it as KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The most that is read from a file or standard input as a value.
const VALUE_LIMIT: u64 = 1 << 20;

/// A value as given on the command line: itself, `@FILE` or `-` (standard input).
pub(crate) fn value(word: &str) -> Result<Vec<u8>> {
    match word.strip_prefix('@') {
        _ if word == "-" => content(word),
        Some(path) => content(path),
        None => Ok(word.as_bytes().to_vec()),
    }
}

/// All of a file; `-` is standard input.
pub(crate) fn content(path: &str) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    if path == "-" {
        std::io::stdin().lock().take(VALUE_LIMIT + 1).read_to_end(&mut bytes).context("cannot read standard input")?
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?;
        file.take(VALUE_LIMIT + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {path}"))?
    };
    if bytes.len() as u64 > VALUE_LIMIT {
        bail!("what is in {path} is larger than {} KiB", VALUE_LIMIT >> 10);
    }
    Ok(bytes)
}
