//! What an identity states.

use std::time::Duration;

use drover_model::{
    allocation::Allocation,
    job::{Service, WorkloadIdentity},
    node::Node,
    rpc::node::IdentityRequest,
    time::UnixNanos,
};
use serde::{Deserialize, Serialize};

use super::names;

/// The claims of a workload's identity. The names beyond RFC 7519's are those that policies and roles of existing clusters map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// `REGION:NAMESPACE:JOB:GROUP:TASK:IDENTITY`.
    pub sub: String,
    #[serde(default, skip_serializing_if = "Audience::is_empty")]
    pub aud: Audience,
    pub iat: i64,
    pub nbf: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    pub jti: String,
    pub nomad_namespace: String,
    pub nomad_job_id: String,
    pub nomad_allocation_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nomad_task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nomad_service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consul_namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_role: Option<String>,
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// Who shall accept an identity: one name is written as text, several as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    #[default]
    Nobody,
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub fn new(mut names: Vec<String>) -> Self {
        match names.len() {
            0 => Self::Nobody,
            1 => Self::One(names.remove(0)),
            _ => Self::Several(names),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::Nobody
    }
}

/// Whose identities these are, and when they are made.
#[derive(Clone, Copy, Debug)]
pub struct Issue<'a> {
    pub region: &'a str,
    pub issuer: Option<&'a str>,
    pub now: UnixNanos,
    pub jti: [u8; 16],
    /// The node that the allocation runs on: names of services may be made of what it says of itself.
    pub node: Option<&'a Node>,
}

/// Claim names that a job cannot give itself.
const RESERVED: [&str; 15] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "nbf",
    "exp",
    "jti",
    "nomad_namespace",
    "nomad_job_id",
    "nomad_allocation_id",
    "nomad_task",
    "nomad_service",
    "consul_namespace",
    "vault_namespace",
    "vault_role",
];

/// How far back identities are valid, for peers whose clock is late.
const CLOCK_SKEW: i64 = 60;

/// States who the task (or service) that `request` names is, if the allocation has it.
pub fn claims(allocation: &Allocation, request: &IdentityRequest, issue: Issue<'_>) -> Result<Claims, String> {
    let job = &allocation.job;
    let group = job
        .task_groups
        .iter()
        .find(|group| group.name == allocation.task_group)
        .ok_or_else(|| format!("allocation {} has no group {:?}", allocation.id, allocation.task_group))?;
    let task = group.tasks.iter().find(|task| task.name == request.task);
    if task.is_none() && !request.task.is_empty() {
        return Err(format!("allocation {} has no task {:?}", allocation.id, request.task));
    }
    let services = task.map_or(&group.services, |task| &task.services);
    let has_identity = |service: &&Service| service.identity.as_ref().is_some_and(|identity| identity.name == request.identity);
    let service = match request.service.as_str() {
        "" => services.iter().find(has_identity),
        name => {
            let named = services.iter().filter(|service| service.name == name);
            let found = named.clone().find(has_identity).or_else(|| named.clone().next());
            Some(found.ok_or_else(|| format!("allocation {} has no service {name:?}", allocation.id))?)
        }
    };
    let declared = declared(task, service, &request.identity);

    let mut audience = declared.map(|identity| identity.audience.0.clone()).unwrap_or_default();
    if audience.is_empty() {
        audience.clone_from(&request.audience);
    }
    let ttl = declared.map(|identity| identity.ttl).filter(|ttl| !ttl.is_zero()).unwrap_or(request.ttl);
    let consul = task.and_then(|task| task.consul.as_ref()).or(group.consul.as_ref());
    let at = issue.now.seconds();
    let named = service.map(|service| names::of_service(&service.name, allocation, group, task, issue));
    let holder = task.map_or_else(|| named.as_deref().unwrap_or_default(), |task| task.name.as_str());
    Ok(Claims {
        iss: issue.issuer.map(str::to_owned),
        sub: format!("{}:{}:{}:{}:{}:{}", issue.region, job.namespace, job.id, group.name, holder, request.identity),
        aud: Audience::new(audience),
        iat: at,
        nbf: at - CLOCK_SKEW,
        exp: (!ttl.is_zero()).then(|| at.saturating_add(whole_seconds(ttl))),
        jti: uuid::Builder::from_random_bytes(issue.jti).into_uuid().to_string(),
        nomad_namespace: job.namespace.to_string(),
        nomad_job_id: job.id.to_string(),
        nomad_allocation_id: allocation.id.to_string(),
        nomad_task: task.map(|task| task.name.clone()),
        nomad_service: named,
        consul_namespace: consul.map(|consul| consul.namespace.clone()).filter(|name| !name.is_empty()),
        vault_namespace: task.and_then(|task| task.vault.as_ref()).map(|vault| vault.namespace.clone()).filter(|name| !name.is_empty()),
        vault_role: task.and_then(|task| task.vault.as_ref()).map(|vault| vault.role.clone()).filter(|name| !name.is_empty()),
        extra: declared.map(extra_claims).unwrap_or_default(),
    })
}

/// The identity block of the job that has this name, if there is one.
fn declared<'a>(task: Option<&'a drover_model::job::Task>, service: Option<&'a Service>, name: &str) -> Option<&'a WorkloadIdentity> {
    let of_task = task.and_then(|task| task.identities.iter().chain(&task.identity).find(|identity| identity.name == name));
    of_task.or_else(|| {
        service.and_then(|service| service.identity.as_ref()).filter(|identity| identity.name.is_empty() || identity.name == name)
    })
}

fn extra_claims(identity: &WorkloadIdentity) -> serde_json::Map<String, serde_json::Value> {
    identity
        .extra_claims
        .iter()
        .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect()
}

fn whole_seconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX / 2)
}
