//! `/v1/nodes`, `/v1/node/ID...` and node pools.

use std::{collections::BTreeMap, time::Duration};

use drover_model::{
    ids::{EvalId, NodeId},
    json::{List, Map, null_is_default},
    node::Eligibility,
    rpc::{
        Error, Read, ReadMeta,
        job::JobList,
        nodes::{DrainRequest, NodeAllocationList, NodeChanged, NodeDrain, NodeEligibility, NodeEvaluate, NodeGet, NodeList, NodePurge},
    },
    view::{AllocationDetail, NodeDetail, NodePoolView},
};
use serde::{Deserialize, Serialize};

use super::{
    call::{Call, Verb, id, invalid_method, unescape},
    reply::{Outcome, nowhere},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    if !rest.is_empty() {
        return nowhere();
    }
    call.only_get()?;
    nodes(call, None).await
}

async fn nodes(call: Call, pool: Option<String>) -> Outcome {
    let message = NodeList { options: call.options()?, resources: call.flag("resources")?, os: call.flag("os")?, pool };
    let read = call.api.backend().call(message).await?;
    call.read_reply(&read)
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let (segment, action) = rest.split_once('/').unwrap_or((&rest, ""));
    match (segment, action) {
        ("pools", "") => return pools(call).await,
        ("pool", pool) => {
            let pool = pool.to_owned();
            return self::pool(call, &pool).await;
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

/// The pools that are always there. Nodes may name others, which exist by that alone.
fn built_in_pools() -> Vec<NodePoolView> {
    const DAY: i64 = 86_400_000_000_000;
    let pool = |name: &str, description: &str| NodePoolView {
        name: name.to_owned(),
        description: description.to_owned(),
        node_identity_ttl: DAY,
        create_index: 1,
        modify_index: 1,
        ..NodePoolView::default()
    };
    vec![pool("all", "Node pool with all nodes in the cluster."), pool("default", "Default node pool.")]
}

async fn known_pools(call: &Call) -> Result<(ReadMeta, Vec<NodePoolView>), Error> {
    let mut message = NodeList { options: call.options()?, resources: false, os: false, pool: None };
    (message.options.prefix, message.options.filter, message.options.per_page) = (String::new(), None, 0);
    let read = call.api.backend().call(message).await?;
    let mut pools: BTreeMap<String, NodePoolView> = built_in_pools().into_iter().map(|pool| (pool.name.clone(), pool)).collect();
    for node in read.data {
        let index = node.create_index;
        let named = || NodePoolView { name: node.node_pool.clone(), create_index: index, modify_index: index, ..NodePoolView::default() };
        pools.entry(node.node_pool.clone()).or_insert_with(named);
    }
    Ok((read.meta, pools.into_values().collect()))
}

async fn pools(call: Call) -> Outcome {
    call.only_get()?;
    let (meta, mut pools) = known_pools(&call).await?;
    let prefix = call.param("prefix").unwrap_or_default();
    pools.retain(|pool| pool.name.starts_with(prefix));
    call.read_reply(&Read { meta, data: pools })
}

async fn pool(call: Call, rest: &str) -> Outcome {
    let (segment, action) = rest.split_once('/').unwrap_or((rest, ""));
    let name = unescape(segment)?;
    match (action, call.verb()) {
        ("", Verb::Get) => {
            let (meta, pools) = known_pools(&call).await?;
            let found = pools.into_iter().find(|pool| pool.name == name);
            call.found_or(Read { meta, data: found }, "node pool not found", |pool| pool)
        }
        ("nodes", Verb::Get) => nodes(call, (name != "all").then_some(name)).await,
        ("jobs", Verb::Get) => {
            let read = call.api.backend().call(JobList { options: call.options()?, meta: false }).await?;
            call.read_reply_as(read, |jobs| jobs.into_iter().filter(|job| job.node_pool == name).collect::<Vec<_>>())
        }
        ("", Verb::Write | Verb::Delete) => {
            Err(Error::new(501, "node pools cannot be changed yet: a pool exists when a node's configuration names it"))
        }
        ("" | "nodes" | "jobs", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}
