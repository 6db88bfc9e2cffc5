//! The agent on this machine: what it says of itself, and the services it keeps.

use std::{collections::BTreeMap, time::Duration};

use drover_model::json::null_is_default;
use drover_model::service::CheckStatus;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Consul, duration_text};
use crate::{
    Result,
    http::{Call, encode},
    registry::{Check, CheckKind, Service},
};

/// Marks what we registered. The first is how other tools tell who did.
pub(super) const SOURCE_META: (&str, &str) = ("external-source", "nomad");
/// Holds the node's id, so that several clients can share one Consul agent and each cleans up after itself alone.
pub(super) const NODE_META: &str = "drover-node";

/// The longest a service that keeps failing may be left standing for a crashed client; Consul's own minimum is a minute.
const SHORTEST_DEREGISTER: Duration = Duration::from_secs(60);

/// What an agent says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SelfDescription {
    pub config: SelfConfig,
    pub member: SelfMember,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SelfConfig {
    pub datacenter: String,
    pub node_name: String,
    #[serde(rename = "NodeID")]
    pub node_id: String,
    pub server: bool,
    pub revision: String,
    pub version: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SelfMember {
    pub addr: String,
    #[serde(deserialize_with = "null_is_default")]
    pub tags: BTreeMap<String, String>,
}

/// A service as the agent has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AgentService {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) service: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) tags: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) meta: BTreeMap<String, String>,
    pub(super) address: String,
    pub(super) port: u16,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) tagged_addresses: BTreeMap<String, crate::catalogue::TaggedAddress>,
    pub(super) weights: crate::catalogue::EntryWeights,
    pub(super) enable_tag_override: bool,
    /// Of Consul itself; empty where it has none.
    pub(super) namespace: String,
}

/// A check as the agent has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AgentCheck {
    #[serde(rename = "CheckID")]
    pub(super) check_id: String,
    pub(super) name: String,
    pub(super) status: CheckStatus,
    pub(super) output: String,
    #[serde(rename = "ServiceID")]
    pub(super) service_id: String,
    pub(super) service_name: String,
    pub(super) namespace: String,
}

impl Consul {
    /// What the agent has in a namespace of Consul; an empty one is the cluster's.
    pub(super) async fn agent_services(&self, namespace: &str) -> Result<BTreeMap<String, AgentService>> {
        self.within(namespace).get(Call::get("/v1/agent/services")).await
    }

    pub(super) async fn agent_checks(&self, namespace: &str) -> Result<BTreeMap<String, AgentCheck>> {
        self.within(namespace).get(Call::get("/v1/agent/checks")).await
    }

    pub(super) async fn register(&self, service: &Service, node_id: &str, known: &BTreeMap<String, AgentCheck>) -> Result<()> {
        let consul = self.within(&service.consul_namespace);
        consul.put("/v1/agent/service/register".to_owned(), &registration(service, node_id, known)).await
    }

    pub(super) async fn deregister(&self, id: &str) -> Result<()> {
        match self.put(format!("/v1/agent/service/deregister/{}", encode(id, "")), &Value::Null).await {
            // It is gone, which is what was wanted.
            Err(error) if error.is_not_found() => Ok(()),
            done => done,
        }
    }

    pub(super) async fn deregister_check(&self, id: &str) -> Result<()> {
        match self.put(format!("/v1/agent/check/deregister/{}", encode(id, "")), &Value::Null).await {
            Err(error) if error.is_not_found() => Ok(()),
            done => done,
        }
    }

    pub(super) async fn update_check(&self, id: &str, status: CheckStatus, output: &str) -> Result<()> {
        self.put(format!("/v1/agent/check/update/{}", encode(id, "")), &json!({ "Status": status, "Output": output })).await
    }
}

/// The meta data that a service is registered with.
pub(super) fn meta_of(service: &Service, node_id: &str) -> BTreeMap<String, String> {
    let mut meta = service.meta.clone();
    meta.insert(SOURCE_META.0.to_owned(), SOURCE_META.1.to_owned());
    meta.insert(NODE_META.to_owned(), node_id.to_owned());
    meta
}

/// The body that registers `service`. A check that the agent knows starts from its present status, so that registering again is not seen from outside.
fn registration(service: &Service, node_id: &str, known: &BTreeMap<String, AgentCheck>) -> Value {
    let checks: Vec<Value> = service.checks.iter().map(|check| check_body(check, known.get(&check.id))).collect();
    let addresses: Map<String, Value> =
        service.tagged_addresses.iter().map(|(tag, (address, port))| (tag.clone(), json!({ "Address": address, "Port": port }))).collect();
    let mut body = json!({
        "ID": service.id,
        "Name": service.name,
        "Tags": service.tags,
        "Meta": meta_of(service, node_id),
        "Address": service.address,
        "Port": service.port,
        "EnableTagOverride": service.enable_tag_override,
        "Checks": checks,
    });
    if !addresses.is_empty() {
        body["TaggedAddresses"] = addresses.into();
    }
    if let Some((passing, warning)) = service.weights {
        body["Weights"] = json!({ "Passing": passing, "Warning": warning });
    }
    if !service.kind.is_empty() {
        body["Kind"] = service.kind.clone().into();
    }
    body
}

fn check_body(check: &Check, known: Option<&AgentCheck>) -> Value {
    let status = known.map(|known| known.status).or(check.initial_status).unwrap_or_default();
    let mut body = json!({ "CheckID": check.id, "Name": check.name, "Status": status, "Notes": check.notes });
    let timing = |body: &mut Value| {
        body["Interval"] = duration_text(check.interval).into();
        body["Timeout"] = duration_text(check.timeout).into();
    };
    match &check.kind {
        CheckKind::Http { url, method, headers, body: sent, tls_server_name, tls_skip_verify } => {
            timing(&mut body);
            body["HTTP"] = url.clone().into();
            body["Method"] = method.clone().into();
            body["TLSSkipVerify"] = (*tls_skip_verify).into();
            if !headers.is_empty() {
                body["Header"] = json!(headers);
            }
            if !sent.is_empty() {
                body["Body"] = sent.clone().into();
            }
            if !tls_server_name.is_empty() {
                body["TLSServerName"] = tls_server_name.clone().into();
            }
        }
        CheckKind::Tcp { address } => {
            timing(&mut body);
            body["TCP"] = address.clone().into();
        }
        CheckKind::Grpc { address, service, tls, tls_server_name, tls_skip_verify } => {
            timing(&mut body);
            body["GRPC"] = if service.is_empty() { address.clone().into() } else { format!("{address}/{service}").into() };
            body["GRPCUseTLS"] = (*tls).into();
            body["TLSSkipVerify"] = (*tls_skip_verify).into();
            if !tls_server_name.is_empty() {
                body["TLSServerName"] = tls_server_name.clone().into();
            }
        }
        CheckKind::Reported { ttl } => body["TTL"] = duration_text(*ttl).into(),
    }
    for (name, count) in [
        ("SuccessBeforePassing", check.success_before_passing),
        ("FailuresBeforeWarning", check.failures_before_warning),
        ("FailuresBeforeCritical", check.failures_before_critical),
    ] {
        if count > 0 {
            body[name] = count.into();
        }
    }
    if let Some(after) = check.deregister_after {
        body["DeregisterCriticalServiceAfter"] = duration_text(after.max(SHORTEST_DEREGISTER)).into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: CheckKind) -> Check {
        Check {
            id: "c1".into(),
            name: "ready".into(),
            kind,
            interval: Duration::from_millis(1_500),
            timeout: Duration::from_secs(2),
            initial_status: None,
            success_before_passing: 0,
            failures_before_warning: 0,
            failures_before_critical: 3,
            notes: String::new(),
            deregister_after: Some(Duration::from_secs(1)),
        }
    }

    #[test]
    fn a_check_is_written_as_consul_reads_it() {
        let http = CheckKind::Http {
            url: "https://127.0.0.1:1/health".into(),
            method: "GET".into(),
            headers: [("X-A".to_owned(), vec!["1".to_owned()])].into(),
            body: String::new(),
            tls_server_name: String::new(),
            tls_skip_verify: true,
        };
        assert_eq!(
            check_body(&check(http), None),
            json!({
                "CheckID": "c1", "Name": "ready", "Status": "critical", "Notes": "", "Interval": "1500ms", "Timeout": "2000ms",
                "HTTP": "https://127.0.0.1:1/health", "Method": "GET", "TLSSkipVerify": true, "Header": {"X-A": ["1"]},
                "FailuresBeforeCritical": 3, "DeregisterCriticalServiceAfter": "60000ms"
            })
        );
        let grpc = CheckKind::Grpc {
            address: "h:1".into(),
            service: "a.B".into(),
            tls: true,
            tls_server_name: "n".into(),
            tls_skip_verify: false,
        };
        let body = check_body(&check(grpc), None);
        assert_eq!(
            (body["GRPC"].as_str(), body["GRPCUseTLS"].as_bool(), body["TLSServerName"].as_str()),
            (Some("h:1/a.B"), Some(true), Some("n"))
        );
        let reported = check_body(&check(CheckKind::Reported { ttl: Duration::from_secs(30) }), None);
        assert_eq!((reported["TTL"].as_str(), reported.get("Interval")), (Some("30000ms"), None));
    }

    #[test]
    fn registering_again_keeps_the_status() {
        let known = AgentCheck { status: CheckStatus::Passing, ..AgentCheck::default() };
        assert_eq!(check_body(&check(CheckKind::Tcp { address: "h:1".into() }), Some(&known))["Status"], "passing");
    }
}
