//! `/v1/agent/...`: what this agent is.

use std::collections::BTreeMap;

use drover_model::{
    rpc::{
        Error,
        gossip::{GossipKeyring, KeyOperation, KeyringReport},
        operator::ServerInfo,
        status::{LeaderGet, Member, MemberList, PeersGet, ServerForceLeave, ServerJoin},
    },
    secret::SecretText,
};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    backend::Backend,
    call::{Call, Verb, invalid_method},
    reply::{Outcome, empty, nowhere},
};
use crate::{
    config::Config,
    wiring::{client, server::with_port},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    match (rest.as_str(), call.verb()) {
        ("self", Verb::Get) => about(call).await,
        ("members", Verb::Get) => members(call).await,
        ("monitor", Verb::Get) => super::monitor::monitor(call).await,
        ("health", Verb::Get) => health(call).await,
        ("servers", Verb::Get) => {
            let peers = call.api.backend().call(PeersGet {}).await?;
            call.json_reply(&peers)
        }
        ("join", Verb::Write) => join(call).await,
        ("force-leave", Verb::Write) => force_leave(call).await,
        ("servers", Verb::Write) => set_servers(&call),
        ("keyring/list", Verb::Get) => keyring(call, KeyOperation::List).await,
        ("keyring/install", Verb::Write) => keyring(call, KeyOperation::Install).await,
        ("keyring/use", Verb::Write) => keyring(call, KeyOperation::Use).await,
        ("keyring/remove", Verb::Write | Verb::Delete) => keyring(call, KeyOperation::Remove).await,
        ("keyring/list" | "keyring/install" | "keyring/use" | "keyring/remove", _) => Err(invalid_method()),
        ("self" | "members" | "monitor" | "health" | "servers" | "join" | "force-leave", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

/// Names other servers to a client, until it is started anew.
fn set_servers(call: &Call) -> Outcome {
    let addresses: Vec<String> = call.params("address").filter(|address| !address.is_empty()).map(client::with_port).collect();
    if addresses.is_empty() {
        return Err(Error::bad_request("missing server address"));
    }
    match call.api.backend() {
        Backend::Remote(servers) => servers.set_addresses(addresses),
        Backend::Local(_) => return Err(Error::bad_request("this agent is a server: its client speaks to it alone")),
    }
    empty()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Members<'a> {
    server_name: String,
    server_region: &'a str,
    #[serde(rename = "ServerDC")]
    server_dc: &'a str,
    members: Vec<Member>,
}

async fn members(call: Call) -> Outcome {
    let members = call.api.backend().call(MemberList {}).await?;
    let config = call.api.config();
    let own = Members { server_name: config.name.clone(), server_region: &config.region, server_dc: &config.datacenter, members };
    call.json_reply(&own)
}

/// What is asked of the server in this very process, whoever leads.
fn only_server(call: &Call) -> Result<(), Error> {
    if call.api.config().server.enabled { Ok(()) } else { Err(Error::new(501, "this agent runs no server")) }
}

async fn join(call: Call) -> Outcome {
    only_server(&call)?;
    let addresses: Vec<String> = call.params("address").filter(|text| !text.is_empty()).map(with_port).collect();
    if addresses.is_empty() {
        return Err(Error::bad_request("missing address to join"));
    }
    let joined = call.api.backend().call(ServerJoin { addresses }).await?;
    call.json_reply(&joined)
}

async fn force_leave(call: Call) -> Outcome {
    only_server(&call)?;
    let node = call.param("node").filter(|text| !text.is_empty()).map(str::to_owned);
    let node = node.ok_or_else(|| Error::bad_request("missing node to force leave"))?;
    call.api.backend().call(ServerForceLeave { node }).await?;
    empty()
}

#[derive(Deserialize)]
struct KeyRequest {
    #[serde(rename = "Key", alias = "key")]
    key: SecretText,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyringShown {
    messages: BTreeMap<String, String>,
    keys: BTreeMap<String, u32>,
    primary_keys: BTreeMap<String, u32>,
    num_nodes: u32,
}

/// What all servers do with a key of gossip.
async fn keyring(mut call: Call, operation: KeyOperation) -> Outcome {
    only_server(&call)?;
    let key = match operation {
        KeyOperation::List => SecretText::default(),
        _ => call.json::<KeyRequest>().await?.key,
    };
    let report = call.api.backend().call(GossipKeyring { operation, key }).await?;
    if let Some(failure) = report.failure() {
        return Err(Error::internal(failure));
    }
    let KeyringReport { messages, keys, primary_keys, servers } = report;
    call.json_reply(&KeyringShown { messages, keys, primary_keys, num_nodes: servers })
}

#[derive(Serialize)]
struct Health {
    ok: bool,
    message: String,
}

async fn health(call: Call) -> Outcome {
    let wanted = call.param("type").unwrap_or_default();
    let config = call.api.config();
    let mut parts = BTreeMap::new();
    if config.client.enabled && matches!(wanted, "" | "client") {
        let ok = call.api.client().is_some();
        let message = if ok { "ok" } else { "client is starting" };
        parts.insert("client", Health { ok, message: message.to_owned() });
    }
    if config.server.enabled && matches!(wanted, "" | "server") {
        let part = match call.api.backend().call(LeaderGet {}).await {
            Ok(leader) if !leader.is_empty() => Health { ok: true, message: "ok".to_owned() },
            Ok(_) => Health { ok: false, message: "No cluster leader".to_owned() },
            Err(error) => Health { ok: false, message: error.message },
        };
        parts.insert("server", part);
    }
    let all_ok = parts.values().all(|part| part.ok);
    let mut response = call.json_reply(&parts)?;
    if !all_ok {
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Ok(response)
}

async fn about(call: Call) -> Outcome {
    let config = call.api.config();
    let member = call.api.backend().call(MemberList {}).await.unwrap_or_default();
    let own = member.into_iter().find(|member| member.name == format!("{}.{}", config.name, config.region)).unwrap_or_default();
    let mut stats = match config.server.enabled {
        true => call.api.backend().call(ServerInfo {}).await.unwrap_or_default(),
        false => BTreeMap::new(),
    };
    if let Some(client) = call.api.client() {
        stats.entry("client".to_owned()).or_default().insert("node_id".to_owned(), client.node.to_string());
    }
    call.json_reply(&json!({ "config": shown(config), "member": own, "stats": stats }))
}

fn consul_shown((name, consul): (&str, &crate::config::ConsulSection)) -> Value {
    json!({
        "Name": name,
        "Addr": consul.address,
        "Embedded": consul.embedded,
        "Namespace": consul.namespace,
        "AutoAdvertise": consul.auto_advertise,
        "ServerServiceName": consul.server_service_name,
        "ClientServiceName": consul.client_service_name,
        "ServerAutoJoin": consul.server_auto_join,
        "ClientAutoJoin": consul.client_auto_join,
        "ServiceIdentityAuthMethod": consul.service_auth_method,
        "TaskIdentityAuthMethod": consul.task_auth_method,
    })
}

fn vault_shown((name, vault): (&str, &crate::config::VaultSection)) -> Value {
    json!({
        "Name": name,
        "Enabled": vault.enabled,
        "Addr": vault.address,
        "Embedded": vault.embedded,
        "Namespace": vault.namespace,
        "Role": vault.create_from_role,
        "JWTAuthBackendPath": vault.jwt_auth_backend_path,
    })
}

/// The configuration under the names that readers of the API know, without its secrets.
fn shown(config: &Config) -> Value {
    let addresses = |addresses: &crate::config::Addresses| json!({ "HTTP": addresses.http, "RPC": addresses.rpc, "Serf": addresses.serf });
    json!({
        "ACL": { "Enabled": false },
        "Addresses": addresses(&config.addresses),
        "AdvertiseAddrs": addresses(&config.advertise),
        "BindAddr": config.bind_addr,
        "Client": {
            "Enabled": config.client.enabled,
            "NodeClass": config.client.node_class,
            "NodePool": config.client.node_pool,
            "Meta": config.client.meta,
            "Options": config.client.options,
            "Servers": config.client.servers,
            "MinDynamicPort": config.client.min_dynamic_port,
            "MaxDynamicPort": config.client.max_dynamic_port,
        },
        "Consuls": config.consul.all().map(consul_shown).collect::<Vec<_>>(),
        "DataDir": config.data_dir,
        "Datacenter": config.datacenter,
        "DevMode": config.dev,
        "EnableDebug": config.enable_debug,
        "Files": config.files,
        "HTTPAPIResponseHeaders": config.http_headers,
        "LogJson": config.log.json,
        "LogLevel": config.log.level.as_str(),
        "NodeName": config.name,
        "Plugins": config.plugins.keys().map(|name| json!({ "Name": name })).collect::<Vec<_>>(),
        "Ports": { "HTTP": config.ports.http, "RPC": config.ports.rpc, "Serf": config.ports.serf },
        "Region": config.region,
        "Server": {
            "Enabled": config.server.enabled,
            "BootstrapExpect": config.server.bootstrap_expect,
            "JobTrackedVersions": config.server.job_tracked_versions,
        },
        "TLSConfig": {
            "EnableHTTP": config.tls.http,
            "EnableRPC": config.tls.rpc,
            "VerifyHTTPSClient": config.tls.verify_https_client,
            "VerifyServerHostname": true,
            "CAFile": config.tls.ca_file,
            "CertFile": config.tls.cert_file,
        },
        "Telemetry": { "PrometheusMetrics": config.telemetry.prometheus_metrics },
        "UI": { "Enabled": config.ui_enabled },
        "Vaults": config.vault.all().map(vault_shown).collect::<Vec<_>>(),
        "Version": { "Version": crate::API_VERSION, "VersionPrerelease": "", "VersionMetadata": "", "Revision": "", "Name": "drover", "Drover": env!("CARGO_PKG_VERSION") },
    })
}
