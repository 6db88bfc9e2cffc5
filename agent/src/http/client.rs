//! `/v1/client/...`: what only the node that runs an allocation knows.

use std::collections::BTreeMap;

use drover_model::{
    ids::AllocId,
    json::null_is_default,
    rpc::{
        Error,
        client::{AllocChecks, AllocCollect, AllocRestart, AllocSignal, AllocStats, HostStats, NodeMetaApply, NodeMetaGet},
    },
};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Call, Verb, id, invalid_method},
    exec, fs,
    reply::{Outcome, empty, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    let (family, rest) = rest.split_once('/').unwrap_or((&rest, ""));
    match family {
        "allocation" => {
            let (segment, action) = rest.split_once('/').unwrap_or((rest, ""));
            let id: AllocId = id("alloc", segment)?;
            let action = action.to_owned();
            allocation(call, id, &action).await
        }
        "fs" => {
            let (action, segment) = rest.split_once('/').unwrap_or((rest, ""));
            let (action, segment) = (action.to_owned(), segment.to_owned());
            fs::route(call, &action, &segment).await
        }
        "stats" => {
            let node = node(&call)?;
            let stats = call.api.ask_node(node, HostStats {}).await?;
            call.json_reply(&stats)
        }
        "gc" => {
            let node = node(&call)?;
            call.api.ask_node(node, AllocCollect { alloc_id: None }).await?;
            empty()
        }
        "metadata" => metadata(call).await,
        "identity" => Err(Error::new(501, format!("/v1/client/{family} is not supported yet"))),
        _ => nowhere(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataBody {
    #[serde(rename = "NodeID", deserialize_with = "null_is_default")]
    node_id: String,
    #[serde(rename = "Meta", deserialize_with = "null_is_default")]
    meta: BTreeMap<String, Option<String>>,
}

async fn metadata(mut call: Call) -> Outcome {
    let meta = match call.method {
        Method::GET => call.api.ask_node(node(&call)?, NodeMetaGet {}).await?,
        Method::POST => {
            let body: MetadataBody = call.json().await?;
            let named = Some(body.node_id).filter(|text| !text.is_empty()).map(|text| id("node", &text)).transpose()?;
            let node = named.map_or_else(|| node(&call), |id| Ok(Some(id)))?;
            call.api.ask_node(node, NodeMetaApply { meta: body.meta }).await?
        }
        _ => return Err(invalid_method()),
    };
    call.json_reply(&meta)
}

fn node(call: &Call) -> Result<Option<drover_model::ids::NodeId>, Error> {
    call.param("node_id").filter(|text| !text.is_empty()).map(|text| id("node", text)).transpose()
}

async fn allocation(call: Call, id: AllocId, action: &str) -> Outcome {
    match (action, call.verb()) {
        ("stats", _) => {
            let task = call.param("task").filter(|task| !task.is_empty()).map(str::to_owned);
            let stats: Value = call.api.ask_allocation(id, AllocStats { alloc_id: id, task }).await?;
            call.json_reply(&stats)
        }
        ("checks", Verb::Get) => {
            let checks = call.api.ask_allocation(id, AllocChecks { alloc_id: id }).await?;
            // Nothing is null here, as lists within objects are.
            call.json_reply(&Some(checks).filter(|checks| !checks.is_empty()))
        }
        ("restart", Verb::Write) => restart(call, id).await,
        ("signal", Verb::Write) => signal(call, id).await,
        ("gc", _) => {
            call.api.ask_allocation(id, AllocCollect { alloc_id: Some(id) }).await?;
            empty()
        }
        ("exec", _) => exec::exec(call, id).await,
        ("pause", _) => Err(Error::internal("task schedules are not supported")),
        ("snapshot", _) => Err(Error::new(501, "snapshots of ephemeral disks are not supported yet")),
        ("checks" | "restart" | "signal", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartBody {
    #[serde(deserialize_with = "null_is_default")]
    task_name: String,
    #[serde(deserialize_with = "null_is_default")]
    all_tasks: bool,
}

async fn restart(mut call: Call, id: AllocId) -> Outcome {
    let body: RestartBody = call.json_or_default().await?;
    if body.all_tasks && !body.task_name.is_empty() {
        return Err(Error::bad_request("either TaskName or AllTasks may be given, not both"));
    }
    let message = AllocRestart { alloc_id: id, task: Some(body.task_name).filter(|task| !task.is_empty()), all: body.all_tasks };
    call.api.ask_allocation(id, message).await?;
    call.json_reply(&json!({ "Index": 0 }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SignalBody {
    #[serde(deserialize_with = "null_is_default")]
    task: String,
    #[serde(deserialize_with = "null_is_default")]
    signal: String,
}

async fn signal(mut call: Call, id: AllocId) -> Outcome {
    let body: SignalBody = call.json_or_default().await?;
    let signal = if body.signal.is_empty() { "SIGKILL".to_owned() } else { body.signal };
    let message = AllocSignal { alloc_id: id, task: Some(body.task).filter(|task| !task.is_empty()), signal };
    call.api.ask_allocation(id, message).await?;
    call.json_reply(&json!({ "Index": 0 }))
}
