//! Renders one template file, for comparing with another renderer: `render TEMPLATE OUTPUT`.
//!
//! Options come from the environment: `TMPL_LEFT_DELIM`, `TMPL_RIGHT_DELIM`, `TMPL_ERROR_ON_MISSING_KEY` (`1`), `TMPL_FUNCTION_DENYLIST`
//! (a comma list), `TMPL_LANGUAGE` (`handlebars`). `file` reads the disk, `plugin` runs programs; a dependency on any server never arrives.

#![allow(clippy::print_stderr, reason = "an example talks to its user")]

use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use drover_template::runner::Clock;
use drover_template::{
    Data, Dependency, Environment, Host, InterfaceAddress, Language, Observed, Options, Source, SourceError, Subscription, render_once,
};
use nix::ifaddrs::InterfaceAddress as InterfaceAddressOfSystem;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use tokio::sync::watch;

/// The disk, and nothing else.
#[derive(Debug, Default)]
struct Disk {
    /// Keeps watchers of servers open, so that they wait instead of failing.
    pending: std::sync::Mutex<Vec<watch::Sender<Observed>>>,
}

impl Source for Disk {
    fn subscribe(&self, dependency: &Dependency) -> Subscription {
        let observed = match dependency {
            Dependency::File { path } => match std::fs::read(path) {
                Ok(bytes) => Observed::data(Data::File(bytes)),
                Err(error) => {
                    let reason =
                        if error.kind() == std::io::ErrorKind::NotFound { "no such file or directory".into() } else { error.to_string() };
                    Observed { data: None, error: Some(SourceError::permanent(format!("{dependency}: stat {path}: {reason}"))) }
                }
            },
            _ => Observed::default(),
        };
        let (sender, receiver) = watch::channel(observed);
        if let Ok(mut pending) = self.pending.lock() {
            pending.push(sender);
        }
        receiver
    }
}

/// This machine.
#[derive(Debug)]
struct Machine;

impl Host for Machine {
    fn run(&self, program: &str, arguments: &[String]) -> Result<Vec<u8>, String> {
        let output = std::process::Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        if output.status.success() { Ok(output.stdout) } else { Err(output.status.to_string()) }
    }

    fn interfaces(&self) -> Vec<InterfaceAddress> {
        nix::ifaddrs::getifaddrs().into_iter().flatten().filter_map(|one| interface(&one)).collect()
    }
}

fn interface(one: &InterfaceAddressOfSystem) -> Option<InterfaceAddress> {
    let ip = |storage: Option<SockaddrStorage>| {
        let storage = storage?;
        let v4 = storage.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    let address = ip(one.address)?;
    let prefix = match ip(one.netmask)? {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    Some(InterfaceAddress {
        name: one.interface_name.clone(),
        address,
        prefix: u8::try_from(prefix).ok()?,
        is_up: one.flags.contains(InterfaceFlags::IFF_UP),
        is_loopback: one.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        is_default: false,
    })
}

fn options() -> Options {
    let text = |name: &str| std::env::var(name).unwrap_or_default();
    let denied = text("TMPL_FUNCTION_DENYLIST");
    Options {
        language: Language::named(&text("TMPL_LANGUAGE")).unwrap_or_default(),
        left_delimiter: text("TMPL_LEFT_DELIM"),
        right_delimiter: text("TMPL_RIGHT_DELIM"),
        error_on_missing_key: text("TMPL_ERROR_ON_MISSING_KEY") == "1",
        denied: denied.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(template), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("usage: render TEMPLATE OUTPUT".into());
    };
    let text = std::fs::read_to_string(template)?;
    let environment: Environment = std::env::vars().collect();
    let host: Arc<dyn Host> = Arc::new(Machine);
    let clock: Clock = Arc::new(jiff::Timestamp::now);
    let rendered = render_once(&text, &options(), &environment, Arc::new(Disk::default()), &clock, Some(&host)).await?;
    Ok(std::fs::write(output, rendered)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
