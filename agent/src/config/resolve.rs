//! What follows from the whole: names, addresses, embedded or real integrations, and what contradicts itself.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use super::{Config, ConfigError, join};

pub(super) fn resolve(config: &mut Config) -> Result<(), ConfigError> {
    check(config)?;
    if config.name.is_empty() {
        config.name = host_name();
    }
    // Without a word about them, a laptop needs neither Consul nor Vault.
    let (consul, vault) = (&mut config.consul.default, &mut config.vault.default);
    if config.dev && !consul.given {
        consul.embedded = true;
    }
    if config.dev && !vault.given {
        vault.embedded = true;
    }
    if vault.embedded && vault.enabled.is_none() {
        vault.enabled = Some(true);
    }
    config.bind_addr = address("bind_addr", &config.bind_addr)?;
    for (key, value) in [("http", &mut config.addresses.http), ("rpc", &mut config.addresses.rpc), ("serf", &mut config.addresses.serf)] {
        if let Some(text) = value {
            *text = address(&format!("addresses.{key}"), text)?;
        }
    }
    advertise(config)
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let refuse = |message: &str| Err(ConfigError::Conflict(message.to_owned()));
    if let Some((name, _)) = config.consul.named.iter().find(|(_, cluster)| cluster.embedded) {
        return refuse(&format!("consul {name:?}: only the default cluster can be embedded"));
    }
    if let Some((name, _)) = config.vault.named.iter().find(|(_, cluster)| cluster.embedded) {
        return refuse(&format!("vault {name:?}: only the default cluster can be embedded"));
    }
    if !config.server.enabled && !config.client.enabled {
        return refuse("Must specify either server, client or dev mode for the agent.");
    }
    if config.data_dir.is_none() && !config.dev {
        return refuse("Must specify \"data_dir\" config option or \"data-dir\" CLI flag");
    }
    if config.data_dir.as_ref().is_some_and(|path| !path.is_absolute()) {
        return refuse("data_dir must be given as an absolute path");
    }
    if config.server.enabled && config.server.bootstrap_expect == 0 && config.server.join.addresses.is_empty() {
        return refuse("server: give bootstrap_expect (how many servers the cluster begins with), or retry_join to join one");
    }
    if (config.tls.http || config.tls.rpc) && config.tls.files().is_none() {
        return refuse("tls: give ca_file, cert_file and key_file");
    }
    if config.region.is_empty() || config.region.contains(char::is_whitespace) {
        return refuse("region must be a word");
    }
    if config.datacenter.is_empty() || config.datacenter.contains(['*', '\0']) {
        return refuse("datacenter must be a name without `*`");
    }
    if config.client.node_pool.is_empty() || config.client.node_pool == "all" {
        return refuse("client.node_pool must name a pool; \"all\" holds every node by itself");
    }
    Ok(())
}

fn host_name() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = text.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// An address to listen at: an IP address or a name, no template.
fn address(key: &str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    if text.contains("{{") {
        return Err(ConfigError::Conflict(format!("{key}: {text:?}: address templates are not supported; write the address itself")));
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(ConfigError::Conflict(format!("{key}: {text:?} must be one address")));
    }
    Ok(text.trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// Fills in where others reach this agent.
fn advertise(config: &mut Config) -> Result<(), ConfigError> {
    let bind = config.bind_addr.clone();
    let parts = [
        ("http", &mut config.advertise.http, &config.addresses.http, config.ports.http),
        ("rpc", &mut config.advertise.rpc, &config.addresses.rpc, config.ports.rpc),
        ("serf", &mut config.advertise.serf, &config.addresses.serf, config.ports.serf),
    ];
    for (key, target, listen, port) in parts {
        let given = match target.as_deref() {
            Some(text) => with_port(&address(&format!("advertise.{key}"), text)?, port),
            None => join(&reachable(listen.as_ref().unwrap_or(&bind)), port),
        };
        *target = Some(given);
    }
    Ok(())
}

fn with_port(text: &str, port: u16) -> String {
    match text.rsplit_once(':') {
        // More than one colon without brackets is an IPv6 address without a port.
        Some((host, digits)) if !host.contains(':') && digits.parse::<u16>().is_ok() => text.to_owned(),
        _ => join(text, port),
    }
}

/// An address that others can dial, when the agent listens at all of them.
fn reachable(listen: &str) -> String {
    match listen.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => own_address().to_string(),
        _ => listen.to_owned(),
    }
}

/// The machine's address on its default route. Nothing is sent: connecting a datagram socket only chooses the address.
fn own_address() -> IpAddr {
    let chosen = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    chosen.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}
