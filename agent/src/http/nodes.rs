//! `/v1/nodes`, `/v1/node/ID...` and node pools.

use std::{collections::BTreeMap, time::Duration};

use drover_model::{
    ids::{EvalId, NodeId},
    json::{List, Map, null_is_default},
    node::Eligibility,
    rpc::{
        Error,
        nodes::{DrainRequest, NodeAllocationList, NodeChanged, NodeDrain, NodeEligibility, NodeEvaluate, NodeGet, NodeList, NodePurge},
    },
    view::{AllocationDetail, NodeDetail},
};
use serde::{Deserialize, Serialize};

use super::{
    call::{Call, Verb, id, invalid_method},
    node_pools,
    reply::{Outcome, nowhere},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    if !rest.is_empty() {
        return nowhere();
    }
    call.only_get()?;
    in_pool(call, None).await
}

/// The nodes of one pool; none: of all.
pub(super) async fn in_pool(call: Call, pool: Option<String>) -> Outcome {
    let message = NodeList { options: call.options()?, resources: call.flag("resources")?, os: call.flag("os")?, pool };
    call.read(message).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let (segment, action) = rest.split_once('/').unwrap_or((&rest, ""));
    match (segment, action) {
        ("pools", "") => return node_pools::all(call).await,
        ("pool", pool) => {
            let pool = pool.to_owned();
            return node_pools::one(call, &pool).await;
        }
        _ => {}
    }
    match (action, call.verb()) {
        ("", Verb::Get) => {
            let message = NodeGet { options: call.options()?, id: id("node", segment)? };
            let read = call.api.backend().call(message).await?;
            call.found_or(read, "node not found", NodeDetail::from)
        }
        ("allocations", Verb::Get) => {
            let message = NodeAllocationList { options: call.options()?, id: id("node", segment)? };
            let read = call.api.backend().call(message).await?;
            call.read_reply_as(read, |batch| batch.into_allocations().iter().map(AllocationDetail::from).collect::<Vec<_>>())
        }
        ("drain", Verb::Write) => drain(call, segment).await,
        ("eligibility", Verb::Write) => eligibility(call, segment).await,
        ("purge", Verb::Write) => {
            let id = target(&call, segment)?;
            let reply = call.api.backend().call(NodePurge { id }).await?;
            registered(&call, reply)
        }
        ("evaluate", Verb::Write) => {
            let id = target(&call, segment)?;
            let reply = call.api.backend().call(NodeEvaluate { id }).await?;
            registered(&call, reply)
        }
        ("" | "allocations" | "drain" | "eligibility" | "purge" | "evaluate", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

fn target(call: &Call, segment: &str) -> Result<NodeId, Error> {
    call.check_region()?;
    id("node", segment)
}

/// What purging and evaluating answer: the shape of a node's registration.
#[derive(Serialize)]
struct Registered {
    #[serde(rename = "EvalIDs")]
    eval_ids: List<EvalId>,
    #[serde(rename = "EvalCreateIndex")]
    eval_create_index: u64,
    #[serde(rename = "NodeModifyIndex")]
    node_modify_index: u64,
    #[serde(rename = "HeartbeatTTL")]
    heartbeat_ttl: u64,
    #[serde(rename = "LeaderRPCAddr")]
    leader_rpc_addr: &'static str,
    #[serde(rename = "NumNodes")]
    num_nodes: u32,
    #[serde(rename = "Features")]
    features: u32,
    #[serde(rename = "Servers")]
    servers: Option<()>,
    #[serde(rename = "SchedulingEligibility")]
    scheduling_eligibility: &'static str,
    #[serde(rename = "SignedIdentity")]
    signed_identity: Option<()>,
    #[serde(rename = "Index")]
    index: u64,
    #[serde(rename = "KnownLeader")]
    known_leader: bool,
    #[serde(rename = "LastContact")]
    last_contact: u64,
    #[serde(rename = "NextToken")]
    next_token: &'static str,
}

fn registered(call: &Call, changed: NodeChanged) -> Outcome {
    let NodeChanged { eval_ids, eval_create_index, node_modify_index, index } = changed;
    let reply = Registered {
        eval_ids,
        eval_create_index,
        node_modify_index,
        heartbeat_ttl: 0,
        leader_rpc_addr: "",
        num_nodes: 0,
        features: 0,
        servers: None,
        scheduling_eligibility: "",
        signed_identity: None,
        index,
        known_leader: false,
        last_contact: 0,
        next_token: "",
    };
    call.written(index, &reply)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DrainBody {
    #[serde(rename = "NodeID", deserialize_with = "null_is_default")]
    node_id: String,
    #[serde(rename = "DrainSpec")]
    spec: Option<DrainSpec>,
    #[serde(rename = "MarkEligible", deserialize_with = "null_is_default")]
    mark_eligible: bool,
    #[serde(rename = "Meta")]
    meta: Map<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DrainSpec {
    /// Nanoseconds: below 0 stops everything at once, 0 has no deadline.
    #[serde(deserialize_with = "null_is_default")]
    deadline: i64,
    #[serde(deserialize_with = "null_is_default")]
    ignore_system_jobs: bool,
}

async fn drain(mut call: Call, segment: &str) -> Outcome {
    let id = target(&call, segment)?;
    let body: DrainBody = call.json().await?;
    same_id(&body.node_id, id)?;
    let drain = body.spec.map(|spec| DrainRequest {
        deadline: Duration::from_nanos(u64::try_from(spec.deadline).unwrap_or(0)),
        force: spec.deadline < 0,
        ignore_system_jobs: spec.ignore_system_jobs,
    });
    let message = NodeDrain { id, drain, mark_eligible: body.mark_eligible, meta: BTreeMap::from_iter(body.meta) };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

fn same_id(given: &str, id: NodeId) -> Result<(), Error> {
    if given.is_empty() || given == id.to_string() { Ok(()) } else { Err(Error::bad_request("Node ID does not match")) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EligibilityBody {
    #[serde(rename = "NodeID", deserialize_with = "null_is_default")]
    node_id: String,
    #[serde(rename = "Eligibility", deserialize_with = "null_is_default")]
    eligibility: String,
}

async fn eligibility(mut call: Call, segment: &str) -> Outcome {
    let id = target(&call, segment)?;
    let body: EligibilityBody = call.json().await?;
    same_id(&body.node_id, id)?;
    let eligibility = match body.eligibility.as_str() {
        "eligible" => Eligibility::Eligible,
        "ineligible" => Eligibility::Ineligible,
        other => return Err(Error::internal(format!("invalid scheduling eligibility {other:?}"))),
    };
    let reply = call.api.backend().call(NodeEligibility { id, eligibility }).await?;
    call.written(reply.index, &reply)
}
