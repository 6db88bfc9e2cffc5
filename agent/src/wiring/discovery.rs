//! The agent in Consul: it stands there under its service names, and finds the servers there when nobody told it where they are.

use std::{sync::Arc, time::Duration};

use drover_client::servers::RemoteServers;
use drover_integrations::{
    consul::{Advertiser, Consul, Part},
    registry::CheckKind,
};
use drover_runtime::{Random, Runtime};
use tokio::sync::watch;

use crate::config::{Config, ConsulSection};

/// How often Consul is asked for servers while none is known, and once some are.
const SEARCH_PACE: Duration = Duration::from_secs(2);
const KNOWN_PACE: Duration = Duration::from_secs(60);

/// What the tags of parts are.
const HTTP: &str = "http";
const RPC: &str = "rpc";
const SERF: &str = "serf";

/// The Consul that this agent stands in; none: it is embedded, or the configuration cannot be used (which the client tells).
pub(crate) fn consul(config: &Config) -> Option<Consul> {
    let section = &config.consul.default;
    if section.embedded { None } else { super::integrations::consul(crate::config::DEFAULT_CLUSTER, section).ok() }
}

/// Begins to stand in Consul, unless the configuration does not want that.
pub(crate) fn advertise(config: &Config, consul: &Consul, random: &Arc<dyn Random>) -> Option<Advertiser> {
    let section = &config.consul.default;
    if !section.auto_advertise {
        return None;
    }
    let parts = parts(config);
    let owner = format!("{}@{}", config.name, config.advertise.http.as_deref().unwrap_or_default());
    Some(Advertiser::start(consul.clone(), owner, &parts, Arc::clone(random), section.given))
}

fn parts(config: &Config) -> Vec<Part> {
    let section = &config.consul.default;
    let checked = |advertised: &Option<String>, listened: String| {
        let other = advertised.clone().unwrap_or_else(|| listened.clone());
        if section.checks_use_advertise { other } else { dialled(&listened) }
    };
    let http = checked(&config.advertise.http, config.http_address());
    let health = |kind| health(config, &http, kind);
    let mut parts = Vec::new();
    if config.server.enabled {
        let rpc = checked(&config.advertise.rpc, config.rpc_address());
        let serf_listens = crate::config::join(config.addresses.serf.as_ref().unwrap_or(&config.bind_addr), config.ports.serf);
        let serf = checked(&config.advertise.serf, serf_listens);
        let named = [
            (HTTP, &config.advertise.http, &section.server_http_check_name, health("server")),
            (RPC, &config.advertise.rpc, &section.server_rpc_check_name, CheckKind::Tcp { address: rpc }),
            (SERF, &config.advertise.serf, &section.server_serf_check_name, CheckKind::Tcp { address: serf }),
        ];
        let server =
            named.into_iter().filter_map(|(kind, address, name, check)| part(section, true, kind, address.as_deref()?, name, check));
        parts.extend(server);
    }
    if config.client.enabled {
        let address = config.advertise.http.as_deref().unwrap_or_default();
        parts.extend(part(section, false, HTTP, address, &section.client_http_check_name, health("client")));
    }
    parts
}

/// The agent is asked how it is; where it answers to those alone who have a certificate, which Consul has not, only whether it listens.
fn health(config: &Config, address: &str, kind: &str) -> CheckKind {
    if config.tls.http && config.tls.verify_https_client {
        return CheckKind::Tcp { address: address.to_owned() };
    }
    let scheme = if config.tls.http { "https" } else { "http" };
    CheckKind::Http {
        url: format!("{scheme}://{address}/v1/agent/health?type={kind}"),
        method: "GET".to_owned(),
        headers: Default::default(),
        body: String::new(),
        tls_server_name: String::new(),
        // The certificate is in the name of the region's role, not of the address.
        tls_skip_verify: true,
    }
}

fn part(section: &ConsulSection, is_server: bool, kind: &str, advertised: &str, check_name: &str, check: CheckKind) -> Option<Part> {
    let (host, port) = advertised.rsplit_once(':')?;
    let settings = if is_server { &section.server_check } else { &section.client_check };
    let service = if is_server { &section.server_service_name } else { &section.client_service_name };
    // An empty name switches the registration off.
    Some(Part {
        service: Some(service.clone()).filter(|name| !name.is_empty())?,
        tags: std::iter::once(kind.to_owned()).chain(section.tags.iter().cloned()).collect(),
        address: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().ok().filter(|port| *port > 0)?,
        check_name: check_name.to_owned(),
        check,
        failures_before_critical: settings.failures_before_critical,
        failures_before_warning: settings.failures_before_warning,
    })
}

/// An address to dial for one that is listened at: everywhere means here.
fn dialled(listened: &str) -> String {
    match listened.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]" | "::", port)) => format!("[::1]:{port}"),
        _ => listened.to_owned(),
    }
}

/// Whether servers are looked for in Consul: nobody named one.
pub(crate) fn searches(config: &Config) -> bool {
    let section = &config.consul.default;
    if config.server.enabled {
        return section.server_auto_join && config.server.bootstrap_expect != 1 && config.server.join.addresses.is_empty();
    }
    section.client_auto_join && config.client.servers.is_empty() && config.client.join.addresses.is_empty()
}

/// Tells a server which others there are, for as long as it runs.
pub(crate) async fn find_servers(config: Arc<Config>, consul: Consul, runtime: Runtime, found: watch::Sender<Vec<String>>) {
    let own = config.advertise.serf.clone().unwrap_or_default();
    search(&config, &consul, &runtime, SERF, |mut servers| {
        servers.retain(|address| *address != own);
        found.send_if_modified(|known| {
            let differs = *known != servers;
            *known = servers.clone();
            differs
        });
    })
    .await;
}

/// Tells a client where the servers are.
pub(crate) async fn find_for_client(config: Arc<Config>, consul: Consul, runtime: Runtime, remote: Arc<RemoteServers>) {
    search(&config, &consul, &runtime, RPC, |servers| remote.set_addresses(servers)).await;
}

async fn search(config: &Config, consul: &Consul, runtime: &Runtime, tag: &str, tell: impl Fn(Vec<String>)) {
    let service = &config.consul.default.server_service_name;
    let (mut is_known, mut is_told) = (false, false);
    loop {
        match consul.find(service, tag).await {
            Ok(servers) if !servers.is_empty() => {
                if !std::mem::replace(&mut is_known, true) {
                    tracing::info!(service, ?servers, "found servers in Consul");
                }
                tell(servers);
            }
            // What was found once stays: Consul being empty for a moment says nothing about the servers.
            Ok(_) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) && config.consul.default.given {
                    tracing::warn!(%error, "servers are looked for in Consul, which does not answer; trying on");
                }
            }
        }
        let pace = if is_known { KNOWN_PACE } else { SEARCH_PACE };
        tokio::time::sleep(pace + runtime.random.jitter(pace / 2)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::from_text(&format!("data_dir = \"/d\"\nname = \"n1\"\nbind_addr = \"127.0.0.1\"\n{text}"), "agent.hcl", false).unwrap()
    }

    #[test]
    fn a_server_and_client_stands_with_all_its_parts() {
        let config = config(
            "server {\n  enabled = true\n  bootstrap_expect = 1\n}\nclient {\n  enabled = true\n}\n\
             consul {\n  tags = [\"blue\"]\n  server_service_name = \"drover\"\n  client_http_check_name = \"mine\"\n  client_failures_before_critical = 2\n}\n",
        );
        let parts = parts(&config);
        let shown: Vec<_> = parts.iter().map(|part| (part.service.as_str(), part.tags.join(","), part.port)).collect();
        assert_eq!(
            shown,
            [
                ("drover", "http,blue".to_owned(), 4646),
                ("drover", "rpc,blue".to_owned(), 4647),
                ("drover", "serf,blue".to_owned(), 4648),
                ("nomad-client", "http,blue".to_owned(), 4646),
            ]
        );
        assert_eq!((parts[3].check_name.as_str(), parts[3].failures_before_critical), ("mine", 2));
        assert!(matches!(&parts[3].check, CheckKind::Http { url, .. } if url == "http://127.0.0.1:4646/v1/agent/health?type=client"));
        assert!(matches!(&parts[1].check, CheckKind::Tcp { address } if address == "127.0.0.1:4647"));
    }

    #[test]
    fn an_agent_with_tls_is_asked_over_it_as_far_as_consul_can() {
        let tls = |more: &str| {
            config(&format!(
                "client {{\n  enabled = true\n}}\ntls {{\n  http = true\n  ca_file = \"a\"\n  cert_file = \"b\"\n  key_file = \"c\"\n{more}}}\n"
            ))
        };
        let check = |config: &Config| parts(config)[0].check.clone();
        assert!(matches!(check(&tls("")), CheckKind::Http { url, .. } if url == "https://127.0.0.1:4646/v1/agent/health?type=client"));
        let guarded = tls("  verify_https_client = true\n");
        assert!(matches!(check(&guarded), CheckKind::Tcp { address } if address == "127.0.0.1:4646"));
    }

    #[test]
    fn servers_are_looked_for_only_when_nobody_named_one() {
        for (name, text, want) in [
            ("one server", "server {\n  enabled = true\n  bootstrap_expect = 1\n}", false),
            ("three servers", "server {\n  enabled = true\n  bootstrap_expect = 3\n}", true),
            ("named", "server {\n  enabled = true\n  bootstrap_expect = 3\n  server_join {\n    retry_join = [\"a\"]\n  }\n}", false),
            ("a client", "client {\n  enabled = true\n}", true),
            ("with servers", "client {\n  enabled = true\n  servers = [\"a\"]\n}", false),
            ("switched off", "client {\n  enabled = true\n}\nconsul {\n  client_auto_join = false\n}", false),
        ] {
            assert_eq!(searches(&config(text)), want, "{name}");
        }
    }

    #[test]
    fn everywhere_is_dialled_here() {
        for (listened, want) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")] {
            assert_eq!(dialled(listened), want);
        }
    }
}
