//! A Consul that lets workloads in: a JWT auth method that trusts the cluster's keys, rules by which a service may register itself and a task read, and the
//! role and policy of tasks.

use std::time::Duration;

use drover_model::{spec::format_duration, time::nanos_of};
use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Found, Mode, Step, Thing, go, holds};
use crate::{
    Error, Result,
    consul::Consul,
    http::{Call, encode},
};

/// What is set up, under which names.
#[derive(Clone, Debug)]
pub struct ConsulSetup {
    pub consul: Consul,
    pub auth_method: String,
    /// Tasks of the orchestrator's namespace NAME get the role `ROLE-NAME`.
    pub role: String,
    pub policy: String,
    pub audience: String,
    /// Where the cluster's public keys are, as Consul reaches them.
    pub jwks_url: String,
    /// The longest that a token lives which somebody logs in for; none: until it is given back.
    pub max_token_ttl: Option<Duration>,
    /// What that address's certificate chains to, when it is not a public authority.
    pub jwks_ca_pem: Option<String>,
}

const SERVICES_RULE: &str = "Services of workloads register themselves";
const TASKS_RULE: &str = "Tasks of workloads read as their namespace's role";
/// Tasks read services, nodes and keys.
const TASKS_POLICY: &str = "key_prefix \"\" {\n  policy = \"read\"\n}\n\nservice_prefix \"\" {\n  policy = \"read\"\n}\n\nnode_prefix \"\" {\n  policy = \"read\"\n}\n";

impl ConsulSetup {
    pub const AUTH_METHOD: &str = "nomad-workloads";
    pub const ROLE: &str = "nomad-tasks";
    pub const POLICY: &str = "nomad-tasks";
    pub const AUDIENCE: &str = "consul.io";

    /// Looks, and does what `mode` says. The steps are in the order in which they were done.
    pub async fn run(&self, mode: Mode) -> Result<Vec<Step>> {
        // Consul answers a wrong token and a missing object alike; this tells them apart.
        self.consul.call(Call::get("/v1/acl/token/self")).await?;
        let kinds = [Kind::Method, Kind::ServicesRule, Kind::TasksRule, Kind::Policy, Kind::Role];
        go(kinds.into_iter().map(|kind| Box::new(Part { setup: self, kind }) as Box<dyn Thing>).collect(), mode).await
    }

    async fn read(&self, path: &str) -> Result<Option<Value>> {
        match self.consul.get::<Value>(Call::get(path)).await {
            Ok(found) => Ok(Some(found).filter(|found| !found.is_null())),
            Err(error) if error.is_not_found() || is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn rule(&self, description: &str) -> Result<Option<Value>> {
        let path = format!("/v1/acl/binding-rules?authmethod={}", encode(&self.auth_method, ""));
        let rules = self.read(&path).await?.unwrap_or_default();
        let rules = rules.as_array().cloned().unwrap_or_default();
        Ok(rules.into_iter().find(|rule| rule["Description"] == description))
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 403 | 500, message, .. } if message.contains("ACL not found") || message.contains("not found"))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Method,
    ServicesRule,
    TasksRule,
    Policy,
    Role,
}

struct Part<'a> {
    setup: &'a ConsulSetup,
    kind: Kind,
}

impl Part<'_> {
    fn wanted(&self) -> Value {
        let setup = self.setup;
        match self.kind {
            Kind::Method => {
                let mapped: serde_json::Map<String, Value> = ["nomad_namespace", "nomad_job_id", "nomad_task", "nomad_service"]
                    .map(|claim| (claim.to_owned(), claim.into()))
                    .into_iter()
                    .collect();
                let mut config = json!({
                    "JWKSURL": setup.jwks_url,
                    "JWTSupportedAlgs": ["RS256"],
                    "BoundAudiences": [setup.audience],
                    "ClaimMappings": mapped,
                });
                if let Some(pem) = &setup.jwks_ca_pem {
                    config["JWKSCACert"] = pem.clone().into();
                }
                let mut method = json!({ "Name": setup.auth_method, "Type": "jwt", "Description": "Login of workloads", "Config": config });
                if let Some(ttl) = setup.max_token_ttl {
                    // As Consul itself writes it, so that comparing finds it the same.
                    method["MaxTokenTTL"] = format_duration(nanos_of(ttl)).into();
                }
                method
            }
            Kind::ServicesRule => json!({
                "Description": SERVICES_RULE, "AuthMethod": setup.auth_method, "BindType": "service",
                "BindName": "${value.nomad_service}", "Selector": "\"nomad_service\" in value",
            }),
            Kind::TasksRule => json!({
                "Description": TASKS_RULE, "AuthMethod": setup.auth_method, "BindType": "role",
                "BindName": format!("{}-${{value.nomad_namespace}}", setup.role), "Selector": "\"nomad_service\" not in value",
            }),
            Kind::Policy => json!({ "Name": setup.policy, "Description": "What tasks of workloads read", "Rules": TASKS_POLICY }),
            Kind::Role => json!({ "Name": self.role_name(), "Description": "Tasks of workloads", "Policies": [{ "Name": setup.policy }] }),
        }
    }

    /// Of the only namespace that every cluster has; roles of others are the operator's to make.
    fn role_name(&self) -> String {
        format!("{}-default", self.setup.role)
    }

    async fn found(&self) -> Result<Option<Value>> {
        let setup = self.setup;
        match self.kind {
            Kind::Method => setup.read(&format!("/v1/acl/auth-method/{}", encode(&setup.auth_method, ""))).await,
            Kind::ServicesRule => setup.rule(SERVICES_RULE).await,
            Kind::TasksRule => setup.rule(TASKS_RULE).await,
            Kind::Policy => setup.read(&format!("/v1/acl/policy/name/{}", encode(&setup.policy, ""))).await,
            Kind::Role => setup.read(&format!("/v1/acl/role/name/{}", encode(&self.role_name(), ""))).await,
        }
    }

    /// Where it is written and removed; new ones are written to the collection.
    fn path(&self, found: Option<&Value>) -> String {
        let (collection, key) = match self.kind {
            Kind::Method => ("auth-method", "Name"),
            Kind::ServicesRule | Kind::TasksRule => ("binding-rule", "ID"),
            Kind::Policy => ("policy", "ID"),
            Kind::Role => ("role", "ID"),
        };
        match found.and_then(|found| found[key].as_str()) {
            Some(id) => format!("/v1/acl/{collection}/{}", encode(id, "")),
            None => format!("/v1/acl/{collection}"),
        }
    }

    fn is_as_wanted(&self, found: &Value) -> bool {
        let mut wanted = self.wanted();
        if self.kind == Kind::Role {
            // Policies are told with more than their names.
            let names =
                |value: &Value| value["Policies"].as_array().into_iter().flatten().map(|one| one["Name"].clone()).collect::<Vec<_>>();
            if names(found) != names(&wanted) {
                return false;
            }
            wanted["Policies"] = found["Policies"].clone();
        }
        holds(found, &wanted)
    }
}

impl Thing for Part<'_> {
    fn what(&self) -> String {
        match self.kind {
            Kind::Method => format!("auth method {:?}", self.setup.auth_method),
            Kind::ServicesRule => "binding rule for services".to_owned(),
            Kind::TasksRule => "binding rule for tasks".to_owned(),
            Kind::Policy => format!("policy {:?}", self.setup.policy),
            Kind::Role => format!("role {:?}", self.role_name()),
        }
    }

    fn look(&self) -> BoxFuture<'_, Result<Found>> {
        Box::pin(async move {
            Ok(match self.found().await? {
                None => Found::Missing,
                Some(found) if self.is_as_wanted(&found) => Found::AsWanted,
                Some(_) => Found::Different,
            })
        })
    }

    fn write(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let found = self.found().await?;
            let mut body = self.wanted();
            if let Some(id) = found.as_ref().and_then(|found| found.get("ID")) {
                body["ID"] = id.clone();
            }
            self.setup.consul.call(Call::put(self.path(found.as_ref())).json(&body)).await.map(drop)
        })
    }

    fn remove(&self) -> Option<BoxFuture<'_, Result<()>>> {
        Some(Box::pin(async move {
            let found = self.found().await?;
            if found.is_none() {
                return Ok(());
            }
            self.setup.consul.call(Call::new(Method::DELETE, self.path(found.as_ref()))).await.map(drop)
        }))
    }
}
